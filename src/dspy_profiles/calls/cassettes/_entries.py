"""What a cassette holds, found by its keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from dspy_profiles.calls.cassettes._json import Parts, original, unfold
from dspy_profiles.calls.cassettes._requests import brief_of, model_of

__all__ = ["Entry", "Header", "Tape", "order_of"]


@dataclass(frozen=True)
class Header:
    """The first line of a cassette."""

    version: int
    dspy: str = ""
    profile: str = ""  # the fingerprint of the profile that it was recorded with


@dataclass(eq=False, slots=True)
class Entry:
    """One request and how often it was answered. Its line is parsed when it is asked for."""

    kind: str
    model: str
    key: str
    order: tuple[str, ...]
    count: int
    line: int
    raw: bytes
    parts: Mapping[str, str]
    marked: bool = True  # whether something in the responses is not as JSON has it
    _responses: list[Any] | None = None

    @property
    def request(self) -> dict[str, Any]:
        request: dict[str, Any] = unfold(orjson.loads(self.raw)["request"], self.parts)
        return request

    @property
    def responses(self) -> list[Any]:
        responses: list[Any] = orjson.loads(self.raw)["responses"]
        return unfold(responses, self.parts) if self.marked else responses

    def given(self, place: int) -> Any:
        """One of the responses, as it came; what is parsed is let go as it is used."""
        if self.count == 1:
            taken = self.responses[0]
        else:
            if self._responses is None:
                self._responses = self.responses
            taken, self._responses[place] = self._responses[place], None
            if taken is None:  # it has been asked for before
                taken = self.responses[place]
        return original(taken) if self.marked else taken


def order_of(kind: str, request: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The place of a request in the file: by what is asked, whichever thread was first."""
    return (kind, model_of(kind, request), *brief_of(request), key)


@dataclass
class Tape:
    """All of one file. Several lines may have one key: if they differ in what is not compared."""

    header: Header
    entries: list[Entry] = field(default_factory=list)
    parts: Parts = field(default_factory=dict)
    by_key: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.by_key.setdefault(entry.key, []).append(entry)

    def find(self, key: str, ordinal: int) -> tuple[Entry, int] | None:
        """The request that has the n-th answer under this key, and which of its answers that is."""
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
