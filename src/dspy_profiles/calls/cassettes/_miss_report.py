"""Says why a request is not on the cassette: what comes nearest, and what is different in it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from textwrap import fill, wrap
from typing import Any

from dspy_profiles.calls.cassettes._entries import Entry
from dspy_profiles.calls.cassettes._json import dumped
from dspy_profiles.calls.cassettes._requests import brief_of, model_of, prompt_of
from dspy_profiles.display import word_diff

__all__ = ["explain"]

WIDTH = 78
LOOKED_AT = 2000  # requests whose beginnings are compared
COMPARED = 3  # requests that are compared in full
WORDS = 3000  # of a prompt that are compared
AROUND = 5  # words that are shown on each side of what differs
CHANGES = 6
SHOWN = 40  # letters of a value
MARKS = {"removed": ("[-", "-]"), "added": ("{+", "+}")}
WORD = re.compile(r"\S+\s*")


def explain(  # noqa: PLR0913 - all that there is to say
    path: str,
    entries: Sequence[Entry] | None,
    *,
    kind: str,
    request: Mapping[str, Any],
    match: tuple[str, ...],
    asked: int,
    recorded: int,
) -> str:
    """A few lines of text. `entries` is None where there is no file.

    `asked` is how often it was asked before, `recorded` how many answers there are to it.
    """
    who = model_of(kind, request)
    if entries is None:
        return _wrapped(f"{who} was called, and there is no cassette {path} to answer")
    if recorded:
        often = f"{recorded} answer{'s' if recorded > 1 else ''}"
        said = f"{who} was asked the same for the {_nth(asked + 1)} time; {path} has {often} to it"
        return _wrapped(said)
    head = _wrapped(f"{who} was asked what is not on the cassette {path}")
    near = _nearest([entry for entry in entries if entry.kind == kind], request)
    if near is None:
        return f"{head}\nno {kind} call is recorded there"
    entry, ratio = near
    there = entry.request
    differs = [*_parameters(there, request, match), *_prompts(there, request)]
    nearest = f"the nearest that is recorded (line {entry.line}, {ratio:.0%} alike) differs in:"
    return "\n".join([head, nearest, *differs])


def _nearest(entries: Sequence[Entry], request: Mapping[str, Any]) -> tuple[Entry, float] | None:
    prompt = prompt_of(request)
    matcher = SequenceMatcher(b="".join(brief_of(request)), autojunk=False)
    near = []
    for entry in entries[:LOOKED_AT]:
        matcher.set_seq1("".join(entry.order[2:4]))
        same_model = entry.model == request.get("model")
        near.append((matcher.quick_ratio(), same_model, -entry.line, entry))
    near.sort(key=lambda each: each[:3], reverse=True)
    words = _words(prompt)
    exact = SequenceMatcher(b=words, autojunk=False)
    found: tuple[Entry, float] | None = None
    for *_, entry in near[:COMPARED]:
        exact.set_seq1(_words(prompt_of(entry.request)))
        ratio = exact.ratio()
        if found is None or ratio > found[1]:
            found = entry, ratio
    return found


def _words(text: str) -> list[str]:
    return WORD.findall(text)[-WORDS:]


def _parameters(
    there: Mapping[str, Any], here: Mapping[str, Any], match: tuple[str, ...]
) -> Iterator[str]:
    for name in match:
        if name != "messages":
            for label, old, new in _differing(name, there.get(name), here.get(name)):
                was, now = _value(old), _value(new)
                yield f"  {label.removeprefix('config.')}: {was} is recorded, {now} was asked"


def _differing(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differing(f"{name}.{key}", old.get(key), new.get(key))
    elif name == "config" and isinstance(old or new, Mapping) and not (old and new):
        yield from _differing(name, old or {}, new or {})
    elif old != new:
        yield name, old, new


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = dumped(value).decode()
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _prompts(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return the lines that show how the prompts differ."""
    pieces = word_diff(prompt_of(there), prompt_of(here), near=AROUND, longest=WORDS)
    if not pieces:
        return []
    shown, changes, before = "", 0, ""
    for kind, text in pieces:
        changes += kind in MARKS and before not in MARKS  # words replaced by others are one change
        before = kind
        if changes > CHANGES:
            shown += " and more"
            break
        shown += _marked(kind, text)
    indent = "    "
    lines = wrap(" ".join(shown.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)
    return ["  the prompt, [-as recorded-] and {+as asked+}:", *lines]


def _marked(kind: str, text: str) -> str:
    if kind == "cut":
        return " … "
    if kind not in MARKS:
        return text
    words = text.split()
    if len(words) > 2 * AROUND:
        words = [*words[:AROUND], "…", *words[-AROUND:]]
    begin, end = MARKS[kind]
    return f" {begin}{' '.join(words)}{end} "


def _wrapped(text: str) -> str:
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _nth(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"
