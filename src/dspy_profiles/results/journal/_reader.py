"""Incremental reading of journals, while processes still write them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dspy_profiles.results._model import Event, Fault
from dspy_profiles.results.journal._archive import seal_of
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.journal._read import Line, Spans, complete, content_of

__all__ = ["JournalReader"]


class _HasStorage(Protocol):
    """A store."""

    @property
    def storage(self) -> JournalStorage: ...


@dataclass
class _Position:
    """The place in one journal up to which it was read."""

    end: int = 0
    number: int = 0
    spans: Spans = field(default_factory=lambda: Spans("running"))


class JournalReader:
    """Reader of one experiment that returns each event as it comes.

    `source` is a store, or the folder of a `file:` store. Each call of `read` continues where the
    last one ended, in all journals, also in those of new processes. Not thread-safe.

        reader = JournalReader(store, experiment_id)
        while not reader.is_over:
            for event in reader.read():
                ...
            time.sleep(0.25)
    """

    def __init__(self, source: _HasStorage | Path | str, experiment_id: str) -> None:
        self._storage: JournalStorage = (
            FolderStorage(Path(source)) if isinstance(source, Path | str) else source.storage
        )
        self._id = experiment_id
        self._positions: dict[str, _Position] = {}
        self.trials: dict[str, str] = {}  # names by id
        self.faults: list[Fault] = []  # damaged lines, which are skipped
        self.is_over = False  # as of the last read: no more events will come
        self.is_sealed = False  # as of the last read: the experiment is closed for good

    def read(self) -> list[Event]:
        """Return the events that have begun or ended since the last call, in their latest state."""
        events: dict[str, Event] = {}
        for line in self._lines():
            spans = self._positions[line.journal].spans
            event = spans.take(line) or spans.unfinished(line)
            if event is not None:
                events[event.id] = event
        return [complete(event, self._storage) for event in events.values()]

    def read_lines(self) -> list[Line]:
        """Return the lines since the last call. Use either this or `read`."""
        return list(self._lines())

    def _lines(self) -> Iterator[Line]:
        storage, names = self._storage, self._storage.names(self._id)
        seal = seal_of(storage, self._id)
        # Checked before reading: a process that has ended by then has written its last line.
        is_over = seal is not None or (
            bool(names or self._positions) and not storage.is_alive(self._id)
        )
        for name in names:
            size = None if seal is None else _size_in(seal, name)
            with suppress(FileNotFoundError):  # archived and removed after its name was read
                for line in self._lines_of(name, size):
                    self._note_trial(line)
                    yield line
        self.is_over, self.is_sealed = is_over, seal is not None

    def _lines_of(self, name: str, size: int | None) -> Iterator[Line]:
        """Yield the complete lines of a journal since the last call."""
        position = self._positions.setdefault(name, _Position())
        for raw in self._storage.lines(self._id, name, position.end, size):
            if not raw.endswith(b"\n"):  # its process is writing the rest of it
                return
            start = position.end
            position.end += len(raw)
            position.number += 1
            try:
                content = content_of(raw)
            except ValueError as error:
                where = f"{self._storage.place(self._id, name)}:{position.number}"
                self.faults.append(Fault("damaged", f"not a line of a journal: {error}", where))
            else:
                yield Line(name, position.number, start, position.end, content)

    def _note_trial(self, line: Line) -> None:
        opens, trial = line.table("opens"), line.get("trial")
        if line["type"] == "trial":
            self.trials[line["id"]] = line.get("name") or "?"
        elif opens and trial is not None:
            self.trials[trial] = str(opens.get("name") or line.get("name") or "?")


def _size_in(seal: Mapping[str, Any], journal: str) -> int:
    """Return how much of a journal counts: lines after the seal do not."""
    size = seal["journals"].get(journal, {}).get("size", 0)
    return int(size)
