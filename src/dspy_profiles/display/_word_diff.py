"""The differences between two texts, word by word, with the nearest words that they share."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

__all__ = ["SPACELESS", "Piece", "word_diff"]

Kind = Literal["same", "removed", "added", "cut"]
Piece = tuple[Kind, str]  # "cut": so many words that are not shown

# Scripts that set no spaces between words: each of their characters counts as a word.
SPACELESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
WORDS = re.compile(rf"\s*(?:[{SPACELESS}]|[^\s{SPACELESS}]+)|\s+$")
NEAR = 6  # equal words that are shown on each side of a difference
LONGEST = 400  # words that are compared, behind the common beginning
LETTERS = 2_000  # of one piece


@lru_cache(maxsize=512)  # a prompt's instructions are the same for each example
def word_diff(
    before: str, after: str, *, near: int = NEAR, longest: int = LONGEST
) -> tuple[Piece, ...]:
    """Return the pieces that lead from one text to the other; none if they are equal.

    >>> word_diff("answer in one word", "answer in three words")
    (('same', 'answer in'), ('removed', ' one word'), ('added', ' three words'))
    """
    if before == after:
        return ()
    old, new = WORDS.findall(before), WORDS.findall(after)
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    pieces = [
        *_near(old[:start], near, is_first=True),
        *_compared(old[start : len(old) - end], new[start : len(new) - end], near, longest),
        *_near(old[len(old) - end :], near, is_last=True),
    ]
    return tuple((kind, _short(text)) for kind, text in pieces if text)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many words both begin with."""
    shortest = min(len(one), len(other))
    return next((n for n in range(shortest) if one[n] != other[n]), shortest)


def _compared(old: list[str], new: list[str], near: int, longest: int) -> Iterator[Piece]:
    known_old, known_new = old[:longest], new[:longest]
    matcher = SequenceMatcher(None, known_old, known_new, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            yield from _near(known_old[i:j], near)
            continue
        yield "removed", "".join(known_old[i:j])
        yield "added", "".join(known_new[k:m])
    if rest := len(old) - len(known_old):
        yield "removed", f" … {rest:,} words more"
    if rest := len(new) - len(known_new):
        yield "added", f" … {rest:,} words more"


def _near(
    words: list[str], near: int, *, is_first: bool = False, is_last: bool = False
) -> Iterator[Piece]:
    """Yield equal words, without those that are far from any difference."""
    head = 0 if is_first else near
    tail = 0 if is_last else near
    left_out = len(words) - head - tail
    if left_out <= 1:
        yield "same", "".join(words)
        return
    yield "same", "".join(words[:head])
    yield "cut", f"{left_out}"
    yield "same", "".join(words[len(words) - tail :]) if tail else ""


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[:LETTERS]}…"
