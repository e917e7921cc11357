"""One cassette while it is in use: what is on it, what was played, what was recorded."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dspy_profiles._locks import ProcessLock
from dspy_profiles.calls._stage import Call
from dspy_profiles.calls.cassettes import _serialize
from dspy_profiles.calls.cassettes._entries import Entry, Header, Tape
from dspy_profiles.calls.cassettes._format import VERSION
from dspy_profiles.calls.cassettes._merge import Added, write
from dspy_profiles.calls.cassettes._miss_report import explain
from dspy_profiles.calls.cassettes._modes import checked_mode
from dspy_profiles.calls.cassettes._read import read
from dspy_profiles.calls.cassettes._requests import checked_match, model_of, request_of
from dspy_profiles.calls.cassettes._write import stamp_of
from dspy_profiles.errors import CassetteMiss

__all__ = ["Cassette", "Filter"]

# Takes {"kind": …, "request": …} or {"kind": …, "response": …}; returns it as it may be kept, or
# None for what must not be. It must say the same for the same record every time.
Filter = Callable[[dict[str, Any]], dict[str, Any] | None]


class Cassette:
    """A file of recorded answers, opened in one mode; whoever opens it lets its stages stand.

    The n-th of several equal requests gets the n-th recorded answer; which of them is the n-th is
    left to chance where they are made at once. Nothing is written before `save`. Open it anew for
    each test or block: it knows what has been asked already.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of who opens it
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
        """Open it; a file that is no cassette is an error here, not at the first call.

        `profile` is the fingerprint of the profile in force, `command` what records a miss. A file
        that was written after `since`, in seconds since 1970, is of this same session: to record
        afresh then keeps what others have put into it.
        """
        self.path = Path(os.path.realpath(path))  # so links stay, and a chdir changes nothing
        self.mode = checked_mode(mode)
        self.match = checked_match(match)
        self.filter = filter
        self._shown = _short(self.path)
        self._command = command
        self._header = Header(VERSION, _serialize.version(), profile)
        self._stamp = stamp_of(self.path)
        self.existed = self._stamp is not None
        if since is not None and self._stamp is not None and self._stamp[0] >= since * 1e9:
            self._stamp = None  # as if it had come after this was opened
        self.recording = mode in ("new", "all") or (mode == "once" and not self.existed)
        replaying = self.existed and mode in ("none", "once", "new")
        self._tape = read(self.path, self.match) if replaying else Tape(self._header)
        self._lock = ProcessLock()
        self._asked: Counter[str] = Counter()
        self._played: Counter[Entry] = Counter()
        self._added: dict[str, Added] = {}

    def __repr__(self) -> str:
        return f"Cassette({self._shown!r}, {self.mode!r})"

    def take(self, key: str) -> tuple[int, tuple[Entry, int] | None]:
        """How often this was asked before, and the answer that is next, if there is one."""
        with self._lock:
            ordinal = self._asked[key]
            self._asked[key] += 1
            found = self._tape.find(key, ordinal)
            if found is not None:
                self._played[found[0]] += 1
            return ordinal, found

    def keep(
        self, kind: str, request: dict[str, Any], key: str, ordinal: int, record: dict[str, Any]
    ) -> None:
        """Remember an answer until `save`."""
        with self._lock:
            added = self._added.setdefault(key, Added(kind, request))
            added.responses[ordinal] = record

    def save(self) -> bool:
        """Write what was recorded, together with what others have written meanwhile.

        Says whether the file has changed. What would be the same to the byte is left alone.
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
            opened=self._tape,
            stamp=self._stamp,
            afresh=self.mode == "all",
        )

    def discard(self) -> None:
        """Forget what was recorded: half of a test that failed is not to stay."""
        with self._lock:
            self._added.clear()

    @property
    def replayed(self) -> int:
        """How many calls were answered from here."""
        return self._played.total()

    @property
    def recorded(self) -> int:
        """How many answers `save` would write."""
        with self._lock:
            return sum(len(added.responses) for added in self._added.values())

    @property
    def used(self) -> list[Entry]:
        """The requests that were made, of those that the file had when it was opened."""
        return [entry for entry in self._tape.entries if self._played[entry]]

    @property
    def unused(self) -> list[Entry]:
        """Those that were not made, or not as often as they were recorded."""
        return [entry for entry in self._tape.entries if self._played[entry] < entry.count]

    @property
    def models(self) -> list[str]:
        """Who was asked: in the file when it was opened, and since then."""
        with self._lock:
            since = {model_of(added.kind, added.request) for added in self._added.values()}
        return sorted({*self._tape.models, *since})

    def missed(self, kind: str, request: dict[str, Any], key: str, ordinal: int) -> CassetteMiss:
        """Why a request has no answer here."""
        entries = self._tape.entries if self.existed else None
        count = self._tape.count(key)
        said = explain(
            self._shown,
            entries,
            kind=kind,
            request=request,
            match=self.match,
            asked=ordinal,
            recorded=count,
        )
        return CassetteMiss(said, hint=self._hint())

    def left_out(self, call: Call) -> CassetteMiss:
        """The same for a request that is never kept."""
        model = model_of(call.kind, request_of(call))
        message = f"a call to {model} is not kept on any cassette: the filter leaves it out"
        return CassetteMiss(message, hint="let the filter keep it, or do not call it here")

    def _hint(self) -> str:
        return f"record it: {self._command}" if self._command else "record it in mode new"


def _short(path: Path) -> str:
    """As a person in the working directory would name it."""
    try:
        return str(path.relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return str(path)
