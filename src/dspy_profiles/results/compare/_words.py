"""What differs between two texts, word by word; what they share is shortened to what is near."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from dspy_profiles.results._words import ALONE

__all__ = ["Kind", "Piece", "word_diff"]

Kind = Literal["same", "removed", "added", "cut"]
Piece = tuple[Kind, str]  # "cut": so many words that are not shown

# A sign of a script without spaces is a word of its own.
WORDS = re.compile(rf"\s*(?:[{ALONE}]|[^\s{ALONE}]+)|\s+$")
NEAR = 6  # words of what is the same, on each side of what is not
LONGEST = 400  # words on each side, between what both begin and end with, that are compared
LETTERS = 2_000  # of one piece that is shown


@lru_cache(maxsize=512)  # a prompt's instructions are the same for each example
def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """From one text to the other, in order. Empty where they are the same.

    >>> word_diff("answer in one word", "answer in three words")
    (('same', 'answer in'), ('removed', ' one word'), ('added', ' three words'))
    """
    if before == after:
        return ()
    old, new = WORDS.findall(before), WORDS.findall(after)
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    pieces = [
        *_near(old[:start], is_first=True),
        *_compared(old[start : len(old) - end], new[start : len(new) - end]),
        *_near(old[len(old) - end :], is_last=True),
    ]
    return tuple((kind, _short(text)) for kind, text in pieces if text)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    shortest = min(len(one), len(other))
    return next((n for n in range(shortest) if one[n] != other[n]), shortest)


def _compared(old: list[str], new: list[str]) -> Iterator[Piece]:
    known_old, known_new = old[:LONGEST], new[:LONGEST]
    matcher = SequenceMatcher(None, known_old, known_new, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            yield from _near(known_old[i:j])
            continue
        yield "removed", "".join(known_old[i:j])
        yield "added", "".join(known_new[k:m])
    if rest := len(old) - len(known_old):
        yield "removed", f" … {rest:,} words more"
    if rest := len(new) - len(known_new):
        yield "added", f" … {rest:,} words more"


def _near(words: list[str], *, is_first: bool = False, is_last: bool = False) -> Iterator[Piece]:
    """Words that are the same, but for those that are far from any that are not."""
    head = 0 if is_first else NEAR
    tail = 0 if is_last else NEAR
    left_out = len(words) - head - tail
    if left_out <= 1:
        yield "same", "".join(words)
        return
    yield "same", "".join(words[:head])
    yield "cut", f"{left_out}"
    yield "same", "".join(words[len(words) - tail :]) if tail else ""


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[:LETTERS]}…"
