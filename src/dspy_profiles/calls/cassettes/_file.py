r"""The file: JSON Lines in UTF-8, to be committed, and read by people in a review.

The first line is the header::

    {"cassette":2,"dspy":"3.4.1","profile":"…"}

Then one line per distinct request, with all its responses in the order in which they came, and,
before the first request that needs it, one line per long text, by the beginning of its hash::

    {"part":"0f3a…","text":"Your input fields are:\n…"}
    {"kind":"lm","request":{"messages":[…],"system":{"$text":["0f3a…"]},…},"responses":[{…}]}

Requests are sorted by kind, model and prompt. So the file does not depend on the order of threads,
and an unchanged recording is the same to the byte. It contains no times.
"""

import filecmp
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dspy_profiles.calls.cassettes._json import Parts, dumped, fold, original, unfold
from dspy_profiles.calls.cassettes._requests import brief_of, model_of
from dspy_profiles.config import write_atomically

__all__ = [
    "PATIENCE",
    "VERSION",
    "Contents",
    "Entry",
    "Header",
    "Recording",
    "Stamp",
    "lines",
    "order_of",
    "replace",
    "stamp_of",
]

VERSION = 2
LONGEST_IN_REQUEST = 300  # longer texts of a request have lines of their own
LONGEST_IN_RESPONSE = 4000  # the same for a response, whose texts are seldom repeated

PATIENCE = 60.0  # seconds to wait for other writers of the file
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Header:
    """The first line of a cassette."""

    version: int
    dspy: str = ""
    profile: str = ""  # the fingerprint of the profile that it was recorded under


@dataclass(frozen=True)
class Recording:
    """One request with its responses, as plain data to be written."""

    kind: str
    request: dict[str, Any]
    responses: Sequence[dict[str, Any]]


def lines(header: Header, recordings: Iterable[Recording]) -> Iterator[bytes]:
    """Yield the lines of a file; the recordings come in their order."""
    first = {"cassette": header.version, "dspy": header.dspy, "profile": header.profile}
    yield dumped({key: value for key, value in first.items() if value}) + b"\n"
    written: set[str] = set()
    for recording in recordings:
        parts: Parts = {}
        request = fold(recording.request, parts, LONGEST_IN_REQUEST)
        responses = [fold(each, parts, LONGEST_IN_RESPONSE) for each in recording.responses]
        for name, text in parts.items():
            if name not in written:
                written.add(name)
                yield dumped({"part": name, "text": text}) + b"\n"
        yield dumped({"kind": recording.kind, "request": request, "responses": responses}) + b"\n"


def stamp_of(path: Path) -> Stamp | None:
    """Return a value that changes with the file, or None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError:  # reading it raises an error with the reason
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def replace(path: Path, lines: Iterable[bytes]) -> bool:
    """Write these lines to the file, under its lock; return False if they are there already."""
    before = stamp_of(path)
    # A file for the repository: as readable as one that an editor makes.
    with write_atomically(path, new_mode=0o666, accept=lambda draft: _differs(draft, path)) as file:
        file.writelines(lines)
    return stamp_of(path) != before


def _differs(draft: Path, path: Path) -> bool:
    return not (path.exists() and filecmp.cmp(draft, path, shallow=False))


@dataclass(eq=False, slots=True)
class Entry:
    """One request of a file and the number of its responses. Its line is parsed when needed."""

    kind: str
    model: str
    key: str
    order: tuple[str, ...]
    count: int
    line: int
    raw: bytes
    parts: Mapping[str, str]
    marked: bool = True  # whether the responses contain values that JSON does not have
    _responses: list[Any] | None = None

    @property
    def request(self) -> dict[str, Any]:
        request: dict[str, Any] = unfold(orjson.loads(self.raw)["request"], self.parts)
        return request

    @property
    def responses(self) -> list[Any]:
        responses: list[Any] = orjson.loads(self.raw)["responses"]
        return unfold(responses, self.parts) if self.marked else responses

    def response(self, place: int) -> Any:
        """Return one of the responses as it was recorded; keep no parsed one that was used."""
        if self.count == 1:
            response = self.responses[0]
        else:
            if self._responses is None:
                self._responses = self.responses
            response, self._responses[place] = self._responses[place], None
            if response is None:  # used before
                response = self.responses[place]
        return original(response) if self.marked else response


def order_of(kind: str, request: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the sort key of a request, which does not depend on the order of calls."""
    return (kind, model_of(kind, request), *brief_of(request), key)


@dataclass
class Contents:
    """All of one file. Entries may share a key if they differ only in what is not compared."""

    header: Header
    entries: list[Entry] = field(default_factory=list)
    parts: Parts = field(default_factory=dict)
    by_key: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.by_key.setdefault(entry.key, []).append(entry)

    def find(self, key: str, ordinal: int) -> tuple[Entry, int] | None:
        """Return the entry with the n-th response under a key, and the place of it in there."""
        for entry in self.by_key.get(key, ()):
            if ordinal < entry.count:
                return entry, ordinal
            ordinal -= entry.count
        return None

    def count(self, key: str) -> int:
        return sum(entry.count for entry in self.by_key.get(key, ()))

    @property
    def models(self) -> list[str]:
        return sorted({entry.model for entry in self.entries})
