"""Where the journals of experiments and what is made of them are kept. In memory, here."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from threading import Lock
from typing import Literal, Protocol

__all__ = ["Durability", "FirstLine", "Journal", "JournalStorage", "MemoryStorage", "held"]

# What else survives a power cut: nothing that we see to, what was written up to the last trial's
# end, every event. A process that is killed loses nothing that it has written either way.
Durability = Literal["process", "trial", "event"]


class Journal(Protocol):
    """One process's lines about one experiment. Nothing here raises because a disk is full."""

    @property
    def lost(self) -> int:
        """How many lines and long texts could not be written."""

    @property
    def why(self) -> str | None:
        """What kept the first of these from being written."""

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:
        """Append one line, its end included."""

    def keep(self, text: bytes) -> str | None:
        """Store a long text under its hash; None where that failed."""

    def finish(self) -> None:
        """Write nothing more. Its process still counts as one that writes."""

    def close(self) -> None:
        """Finish it, and count no more."""


class JournalStorage(Protocol):
    """Journals by experiment, long texts by hash, and the documents of closed experiments."""

    def begin(self, experiment_id: str, durability: Durability, first: "FirstLine") -> Journal:
        """A journal for this process. After a fork it goes on in one of the child's own."""

    def ids(self) -> list[str]:
        """Every experiment that has a journal or a document, latest first."""

    def names(self, experiment_id: str) -> list[str]:
        """The experiment's journals, oldest first."""

    def lines(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The lines between two places, their ends included; the last may be torn."""

    def digest(self, experiment_id: str, name: str, size: int | None = None) -> tuple[int, str]:
        """How many bytes of a journal or document are there, at most `size`, and their SHA-256."""

    def is_alive(self, experiment_id: str) -> bool:
        """Whether a process still writes about it."""

    def blob(self, name: str) -> bytes | None: ...

    def keep(self, text: bytes) -> str: ...

    def document(self, experiment_id: str, name: str) -> bytes | None: ...

    def put_document(self, experiment_id: str, name: str, data: bytes) -> None:
        """Write or replace it, in one step."""

    def put_first(self, experiment_id: str, name: str, data: bytes) -> bool:
        """Write it unless it is there already: False then."""

    def adopt(self, experiment_id: str, name: str, lines: Iterator[bytes]) -> None:
        """Take over a journal of another storage."""

    def place(self, experiment_id: str, name: str) -> str:
        """What to call it when something is wrong with it."""


def held(storage: JournalStorage) -> AbstractContextManager[None]:
    """A block in which much is asked: a storage that has a `held` may keep a connection for it."""
    block: AbstractContextManager[None] = getattr(storage, "held", nullcontext)()
    return block


class FirstLine(Protocol):
    """Makes the line that a journal begins with."""

    def __call__(self, journal: str) -> bytes: ...


class MemoryStorage:
    """As long as the process lives. What a fork writes is gone with the fork."""

    def __init__(self) -> None:
        self._journals: dict[str, dict[str, _MemoryJournal]] = {}
        self._documents: dict[str, dict[str, bytes]] = {}
        self._blobs: dict[str, bytes] = {}
        self._lock = Lock()

    def begin(self, experiment_id: str, durability: Durability, first: FirstLine) -> Journal:  # noqa: ARG002 - memory has none
        with self._lock:
            ours = self._journals.setdefault(experiment_id, {})
            name = f"journal-{len(ours)}.jsonl"
            made = ours[name] = _MemoryJournal(self)
        made.write(first(name))
        return made

    def ids(self) -> list[str]:
        return sorted({*self._journals, *self._documents}, reverse=True)

    def names(self, experiment_id: str) -> list[str]:
        return sorted(self._journals.get(experiment_id, ()))

    def lines(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        yield from _lines(bytes(self._journals[experiment_id][name].text)[start:end])

    def digest(self, experiment_id: str, name: str, size: int | None = None) -> tuple[int, str]:
        journal = self._journals.get(experiment_id, {}).get(name)
        whole = (self.document(experiment_id, name) or b"") if journal is None else journal.text
        part = bytes(whole[:size])
        return len(part), sha256(part).hexdigest()

    def is_alive(self, experiment_id: str) -> bool:
        return any(not j.closed for j in self._journals.get(experiment_id, {}).values())

    def blob(self, name: str) -> bytes | None:
        return self._blobs.get(name)

    def keep(self, text: bytes) -> str:
        name = sha256(text).hexdigest()
        self._blobs.setdefault(name, text)
        return name

    def document(self, experiment_id: str, name: str) -> bytes | None:
        return self._documents.get(experiment_id, {}).get(name)

    def put_document(self, experiment_id: str, name: str, data: bytes) -> None:
        self._documents.setdefault(experiment_id, {})[name] = data

    def put_first(self, experiment_id: str, name: str, data: bytes) -> bool:
        return self._documents.setdefault(experiment_id, {}).setdefault(name, data) is data

    def adopt(self, experiment_id: str, name: str, lines: Iterator[bytes]) -> None:
        taken = _MemoryJournal(self)
        taken.text.extend(b"".join(lines))
        taken.closed = True
        self._journals.setdefault(experiment_id, {})[name] = taken

    def place(self, experiment_id: str, name: str) -> str:
        return f"memory:{experiment_id}/{name}"


class _MemoryJournal:
    """Lines in memory."""

    lost = 0
    why = None

    def __init__(self, storage: MemoryStorage) -> None:
        self.text = bytearray()
        self.closed = False
        self._finished = False
        self._storage = storage

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:  # noqa: ARG002
        if not self._finished:
            self.text.extend(line)  # one step: no other thread comes between

    def keep(self, text: bytes) -> str | None:
        return self._storage.keep(text)

    def finish(self) -> None:
        self._finished = True

    def close(self) -> None:
        self._finished = self.closed = True


def _lines(whole: bytes) -> Iterator[bytes]:
    """Lines that end with a line feed alone, as a file's do."""
    parts = whole.split(b"\n")
    yield from (part + b"\n" for part in parts[:-1])
    if parts[-1]:
        yield parts[-1]
