"""Explain a miss: show the nearest entry of the cassette, and how the request differs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from textwrap import fill, wrap
from typing import Any

from dspy_profiles.calls.cassettes._file import Entry
from dspy_profiles.calls.cassettes._json import dumped
from dspy_profiles.calls.cassettes._requests import brief_of, model_of, prompt_of
from dspy_profiles.display import counted, word_diff

__all__ = ["explain"]

WIDTH = 78
LOOKED_AT = 2000  # entries whose beginnings are compared
COMPARED = 3  # entries that are compared in full
WORDS = 3000  # of a prompt that are compared
AROUND = 5  # words that are shown on each side of what differs
CHANGES = 6
SHOWN = 40  # letters of a value
MARKS = {"removed": ("[-", "-]"), "added": ("{+", "+}")}
WORD = re.compile(r"\S+\s*")


def explain(  # noqa: PLR0913 - the facts of a miss
    path: str,
    entries: Sequence[Entry] | None,
    *,
    kind: str,
    request: Mapping[str, Any],
    match: tuple[str, ...],
    earlier: int,
    recorded: int,
) -> str:
    """Return a few lines of text. `entries` is None if there is no file.

    `earlier` is the number of equal requests so far, `recorded` that of responses to them.
    """
    model = model_of(kind, request)
    if entries is None:
        return _wrapped(f"cassette {path} does not exist; blocked a call to {model}")
    if recorded:
        responses = counted(recorded, "response")
        times = f"this is the {_nth(earlier + 1)} request"
        return _wrapped(f"{path} has {responses} for this request to {model}; {times}")
    head = _wrapped(f"{path} has no response for this request to {model}")
    nearest = _nearest([entry for entry in entries if entry.kind == kind], request)
    if nearest is None:
        return f"{head}\nit has no {kind} entries"
    entry, ratio = nearest
    there = entry.request
    similar = f"{int(ratio * 100)}% similar"  # rounded down: 100% are equal
    near = f"nearest entry (line {entry.line}, {similar}), [-recorded-] {{+requested+}}:"
    return "\n".join([head, near, *_parameters(there, request, match), *_prompts(there, request)])


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
    nearest: tuple[Entry, float] | None = None
    for *_, entry in near[:COMPARED]:
        exact.set_seq1(_words(prompt_of(entry.request)))
        ratio = exact.ratio()
        if nearest is None or ratio > nearest[1]:
            nearest = entry, ratio
    return nearest


def _words(text: str) -> list[str]:
    return WORD.findall(text)[-WORDS:]


def _parameters(
    there: Mapping[str, Any], here: Mapping[str, Any], match: tuple[str, ...]
) -> Iterator[str]:
    for name in match:
        if name != "messages":
            for label, old, new in _differing(name, there.get(name), here.get(name)):
                values = (("removed", old), ("added", new))
                shown = (_marked(kind, _value(v)).strip() for kind, v in values if v is not None)
                yield f"  {label.removeprefix('config.')}: {' '.join(shown)}"


def _differing(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differing(f"{name}.{key}", old.get(key), new.get(key))
    elif name == "config" and isinstance(old or new, Mapping) and not (old and new):
        yield from _differing(name, old or {}, new or {})
    elif old != new:
        yield name, old, new


def _value(value: Any) -> str:
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
    text = f"prompt: {' '.join(shown.split())}"
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


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
