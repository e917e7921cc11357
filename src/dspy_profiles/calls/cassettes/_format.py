r"""The file: JSON Lines in UTF-8, to be read by people in a review, and committed.

The first line is the header::

    {"cassette":1,"dspy":"3.4.1","profile":"…"}

Then one line per distinct request, with all its responses in the order in which they came, and,
before the first request that needs it, one line per long text, by the beginning of its hash::

    {"part":"0f3a…","text":"Your input fields are:\n…"}
    {"kind":"lm","request":{"messages":[…],"system":{"$text":["0f3a…"]},…},"responses":[{…}]}

Requests stand in the order of what they ask: kind, model, prompt. So the file does not tell which
thread was first, and what is recorded again unchanged is the same to the byte. Nothing in it tells
when it was made.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dspy_profiles.calls.cassettes._entries import Header
from dspy_profiles.calls.cassettes._json import Parts, dumped, fold

__all__ = ["VERSION", "Track", "lines"]

VERSION = 1
PROMPT = 300  # a longer text of a request stands in a line of its own
SAID = 4000  # the same of a response, which is seldom said twice


@dataclass(frozen=True)
class Track:
    """One request with its responses, all of it plain data."""

    kind: str
    request: dict[str, Any]
    responses: Sequence[dict[str, Any]]


def lines(header: Header, tracks: Iterable[Track]) -> Iterator[bytes]:
    """The file's lines, one after the other; the tracks come in their order."""
    first = {"cassette": header.version, "dspy": header.dspy, "profile": header.profile}
    yield dumped({key: value for key, value in first.items() if value}) + b"\n"
    written: set[str] = set()
    for track in tracks:
        parts: Parts = {}
        request = fold(track.request, parts, PROMPT)
        responses = [fold(response, parts, SAID) for response in track.responses]
        for name, text in parts.items():
            if name not in written:
                written.add(name)
                yield dumped({"part": name, "text": text}) + b"\n"
        yield dumped({"kind": track.kind, "request": request, "responses": responses}) + b"\n"
