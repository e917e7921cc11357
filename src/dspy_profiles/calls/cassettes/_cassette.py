"""One cassette in use: its contents, the responses that were used, and the new ones."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles._dspy import Call
from dspy_profiles._locks import ProcessLock
from dspy_profiles.calls.cassettes._file import VERSION, Contents, Entry, Header, stamp_of
from dspy_profiles.calls.cassettes._merge import Added, write
from dspy_profiles.calls.cassettes._miss_report import explain
from dspy_profiles.calls.cassettes._modes import checked_mode
from dspy_profiles.calls.cassettes._read import read
from dspy_profiles.calls.cassettes._requests import checked_match, model_of, request_of
from dspy_profiles.errors import CassetteMiss

__all__ = ["Cassette", "Filter"]

# Takes {"kind": …, "request": …} or {"kind": …, "response": …}; returns it as it may be recorded,
# or None to leave it out. It must return the same for the same input every time.
Filter = Callable[[dict[str, Any]], dict[str, Any] | None]


class Cassette:
    """A file of recorded responses, opened in one mode. A `Player` plays it.

    The n-th of several equal requests gets the n-th recorded response; if they are made at the
    same time, their order is not fixed. Nothing is written before `save`. Open a new one for each
    test or block: it counts the requests that were made.
    """

    def __init__(  # noqa: PLR0913 - the choices of the caller
        self,
        path: Path | str,
        mode: str = "none",
        *,
        match: Iterable[str] | None = None,
        profile: str = "",
        command: str = "",
        filter: Filter | None = None,  # noqa: A002 - the word that people know
        since: float | None = None,
    ) -> None:
        """Open the file. Raises `InvalidFile` here, not at the first call, if it is not a cassette.

        `profile` is the fingerprint of the active profile, `command` the hint of a miss. A file
        written after `since`, in seconds since 1970, belongs to the same session: recording afresh
        then keeps what other processes have added to it.
        """
        self.path = Path(os.path.realpath(path))  # so links stay, and a chdir changes nothing
        self.mode = checked_mode(mode)
        self.match = checked_match(match)
        self.filter = filter
        self._shown = _short(self.path)
        self._command = command
        self._header = Header(VERSION, _dspy.version(), profile)
        self._stamp = stamp_of(self.path)
        self.existed = self._stamp is not None
        if since is not None and self._stamp is not None and self._stamp[0] >= since * 1e9:
            self._stamp = None  # as if it had been written after this was opened
        self.recording = mode in ("new", "all") or (mode == "once" and not self.existed)
        replaying = self.existed and mode in ("none", "once", "new")
        self._contents = read(self.path, self.match) if replaying else Contents(self._header)
        self._lock = ProcessLock()
        self._requested: Counter[str] = Counter()
        self._played: Counter[Entry] = Counter()
        self._added: dict[str, Added] = {}

    def __repr__(self) -> str:
        return f"Cassette({self._shown!r}, {self.mode!r})"

    def take(self, *keys: str) -> tuple[str, int, tuple[Entry, int] | None]:
        """Return the key of a request, the number of equal ones so far, and the next response.

        Of several keys it is the one that is recorded, else the first; without a response, None.
        """
        with self._lock:
            key = next((key for key in keys if self._contents.count(key)), keys[0])
            ordinal = self._requested[key]
            self._requested[key] += 1
            match = self._contents.find(key, ordinal)
            if match is not None:
                self._played[match[0]] += 1
            return key, ordinal, match

    def add(
        self, kind: str, request: dict[str, Any], key: str, ordinal: int, response: dict[str, Any]
    ) -> None:
        """Add a response, to be written by `save`."""
        with self._lock:
            added = self._added.setdefault(key, Added(kind, request))
            added.responses[ordinal] = response

    def save(self) -> bool:
        """Write the new responses, together with those that other processes have written.

        Returns whether the file has changed. It is not touched if it would be the same.
        """
        with self._lock:
            added, self._added = self._added, {}
        if not added:
            return False
        return write(
            self.path,
            self._header,
            added,
            match=self.match,
            opened=self._contents,
            stamp=self._stamp,
            afresh=self.mode == "all",
        )

    def discard(self) -> None:
        """Drop the new responses, as after a failed test, which has recorded only half of them."""
        with self._lock:
            self._added.clear()

    @property
    def replayed(self) -> int:
        """Number of calls that were answered from the file."""
        return self._played.total()

    @property
    def recorded(self) -> int:
        """Number of responses that `save` would write."""
        with self._lock:
            return sum(len(added.responses) for added in self._added.values())

    @property
    def used(self) -> list[Entry]:
        """Entries of the opened file whose request was made."""
        return [entry for entry in self._contents.entries if self._played[entry]]

    @property
    def unused(self) -> list[Entry]:
        """Entries of the opened file whose request was made less often than recorded, or never."""
        return [entry for entry in self._contents.entries if self._played[entry] < entry.count]

    @property
    def models(self) -> list[str]:
        """Models of the opened file, and of the new responses."""
        with self._lock:
            new = {model_of(added.kind, added.request) for added in self._added.values()}
        return sorted({*self._contents.models, *new})

    def miss(self, kind: str, request: dict[str, Any], key: str, ordinal: int) -> CassetteMiss:
        """Return the error for a request without a recorded response."""
        message = explain(
            self._shown,
            self._contents.entries if self.existed else None,
            kind=kind,
            request=request,
            match=self.match,
            earlier=ordinal,
            recorded=self._contents.count(key),
        )
        return CassetteMiss(message, hint=self._command or 'record it in mode "new"')

    def filtered_miss(self, call: Call) -> CassetteMiss:
        """Return the error for a request that the filter never records."""
        model = model_of(call.kind, request_of(call))
        message = f"{self._shown} has no response for this request to {model}: a filter drops it"
        return CassetteMiss(message, hint="change the filter, or call it without a cassette")


def _short(path: Path) -> str:
    """Return the path relative to the working directory, if it is in there."""
    try:
        return str(path.relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return str(path)
