"""Storage of journals and documents: the protocol, and the storage in memory."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from threading import Lock
from typing import Literal, Protocol

__all__ = ["Durability", "FirstLine", "Journal", "JournalStorage", "MemoryStorage", "held"]

# What survives a power failure: what the system has written; everything up to the end of the last
# trial; every event. A process that is killed never loses what it has written.
Durability = Literal["process", "trial", "event"]


class Journal(Protocol):
    """The lines of one process about one experiment. Never raises if the disk is full."""

    @property
    def lost(self) -> int:
        """The number of lines and long texts that could not be written."""

    @property
    def why(self) -> str | None:
        """The reason for the first of these."""

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:
        """Append one line, which includes its line feed."""

    def keep(self, text: bytes) -> str | None:
        """Store a long text, and return its hash; None if that failed."""

    def finish(self) -> None:
        """Stop writing. The process still counts as alive."""

    def close(self) -> None:
        """Stop writing. The process no longer counts as alive."""


class JournalStorage(Protocol):
    """Journals by experiment, long texts by hash, and the documents of closed experiments."""

    def begin(self, experiment_id: str, durability: Durability, first: "FirstLine") -> Journal:
        """Begin a journal of this process. A fork continues in a journal of its own."""

    def ids(self) -> list[str]:
        """Return all experiments with a journal or a document, latest first."""

    def names(self, experiment_id: str) -> list[str]:
        """Return the names of an experiment's journals, oldest first."""

    def lines(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """Yield the lines between two places, with line feeds. The last may be incomplete."""

    def digest(self, experiment_id: str, name: str, size: int | None = None) -> tuple[int, str]:
        """Return size and SHA-256 of a journal or document, of at most `size` bytes."""

    def is_alive(self, experiment_id: str) -> bool:
        """Return whether a process is still writing about an experiment."""

    def blob(self, name: str) -> bytes | None:
        """Return a long text by its hash."""

    def keep(self, text: bytes) -> str:
        """Store a long text; return its hash."""

    def document(self, experiment_id: str, name: str) -> bytes | None:
        """Return a document of a closed experiment."""

    def put_document(self, experiment_id: str, name: str, data: bytes) -> None:
        """Write or replace a document, in one step."""

    def put_first(self, experiment_id: str, name: str, data: bytes) -> bool:
        """Write a document. False: it exists already, and is unchanged."""

    def adopt(self, experiment_id: str, name: str, lines: Iterator[bytes]) -> None:
        """Copy a journal of another storage."""

    def place(self, experiment_id: str, name: str) -> str:
        """Return the name of a journal or document for error messages."""


def held(storage: JournalStorage) -> AbstractContextManager[None]:
    """Return a block for many reads: a storage with a method `held` keeps its connection."""
    block: AbstractContextManager[None] = getattr(storage, "held", nullcontext)()
    return block


class FirstLine(Protocol):
    """Creates the first line of a journal."""

    def __call__(self, journal: str) -> bytes: ...


class MemoryStorage:
    """Storage in the memory of this process. Lines of a fork are lost when the fork ends."""

    def __init__(self) -> None:
        self._journals: dict[str, dict[str, _MemoryJournal]] = {}
        self._documents: dict[str, dict[str, bytes]] = {}
        self._blobs: dict[str, bytes] = {}
        self._lock = Lock()

    def begin(self, experiment_id: str, durability: Durability, first: FirstLine) -> Journal:  # noqa: ARG002 - memory is not durable
        with self._lock:
            ours = self._journals.setdefault(experiment_id, {})
            name = f"journal-{len(ours)}.jsonl"
            journal = ours[name] = _MemoryJournal(self)
        journal.write(first(name))
        return journal

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
        copy = _MemoryJournal(self)
        copy.text.extend(b"".join(lines))
        copy.closed = True
        self._journals.setdefault(experiment_id, {})[name] = copy

    def place(self, experiment_id: str, name: str) -> str:
        return f"memory:{experiment_id}/{name}"


class _MemoryJournal:
    """A journal in memory."""

    lost = 0
    why = None

    def __init__(self, storage: MemoryStorage) -> None:
        self.text = bytearray()
        self.closed = False
        self._finished = False
        self._storage = storage

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:  # noqa: ARG002
        if not self._finished:
            self.text.extend(line)  # atomic: no other thread can interrupt it

    def keep(self, text: bytes) -> str | None:
        return self._storage.keep(text)

    def finish(self) -> None:
        self._finished = True

    def close(self) -> None:
        self._finished = self.closed = True


def _lines(whole: bytes) -> Iterator[bytes]:
    """Yield lines. Only a line feed ends a line, as in a file."""
    parts = whole.split(b"\n")
    yield from (part + b"\n" for part in parts[:-1])
    if parts[-1]:
        yield parts[-1]
