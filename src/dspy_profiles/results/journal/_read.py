"""Reads journals back, line by line: what is damaged is told with its place, the rest counts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import orjson

from dspy_profiles.results._model import Event, Fault, Trial, moment, written
from dspy_profiles.results.journal._base import JournalStorage

__all__ = ["Line", "Spans", "complete", "lines_of", "whole"]

# The types of lines, and what each has to have.
NEEDED: dict[str, tuple[str, ...]] = {
    "journal": (),
    "experiment": ("started",),
    "trial": ("id", "started"),
    "trial.end": ("id", "ended"),
    "begin": ("id", "started"),
    "end": ("id", "ended"),
    "event": ("id", "started"),
    "lost": ("count",),
}
Number = int | float
TEXTS = (
    *("id", "trial", "parent", "kind", "name", "started", "ended", "status", "error"),
    *("hypothesis", "program", "profile"),
)
FIELDS: dict[str, Any] = {
    **dict.fromkeys(TEXTS, str),
    **dict.fromkeys(("attributes", "opens", "details"), dict),
    "count": int,
    "score": Number,
}
Tell = Callable[[Fault], None]
Record = TypeVar("Record", Event, Trial)


@dataclass(frozen=True, slots=True)
class Line:
    """One line that could be read, and where it stands."""

    journal: str
    number: int
    start: int
    end: int
    content: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def get(self, key: str) -> Any:
        return self.content.get(key)

    def table(self, key: str) -> dict[str, Any]:
        """A field that is a table; empty where it is not there."""
        return self.content.get(key) or {}


def lines_of(  # noqa: PLR0913, PLR0917 - a part of a journal has a beginning and an end
    storage: JournalStorage,
    experiment_id: str,
    name: str,
    tell: Tell,
    start: int = 0,
    end: int | None = None,
    only: bytes = b"",
) -> Iterator[Line]:
    """The lines of one journal, of those with `only` in them.

    One that is torn off at the end is what its process was just writing when it was killed: nobody
    was told that it is kept.
    """
    place, number, torn = storage.place(experiment_id, name), 0, 0
    for raw in storage.lines(experiment_id, name, start, end):
        number += 1
        begin, start = start, start + len(raw)
        if torn:  # a line without an end, and it was not the last
            tell(Fault("damaged", "this line has no end", f"{place}:{torn}"))
            torn = 0
        if not raw.endswith(b"\n"):
            torn = number
            continue
        if only not in raw or raw == b"\n":
            continue
        try:
            content = _checked(orjson.loads(raw))
        except (ValueError, OverflowError) as error:
            message = f"this is no line of a journal: {error}"
            tell(Fault("damaged", message, f"{place}:{number}"))
        else:
            yield Line(name, number, begin, start, content)


def _checked(found: Any) -> dict[str, Any]:
    """The content of a line, if every field is what it should be; a ValueError says what is not."""
    kind = found.get("type") if isinstance(found, dict) else None
    needed = NEEDED.get(kind) if isinstance(kind, str) else None
    if needed is None:
        raise ValueError("it is of no known type")
    for key in needed:
        if found.get(key) is None:
            raise ValueError(f"{key} is not there")
    for key, value in found.items():
        expected = FIELDS.get(key)
        if value is not None and expected is not None and not isinstance(value, expected):
            raise ValueError(f"{key} is a {type(value).__name__}")
    for key in ("started", "ended"):
        if found.get(key) is not None:
            found[key] = written(moment(found[key]))
    if found.get("kind") == "score" and not isinstance(_value(found), Number | None):
        raise ValueError("its value is no number")
    return cast("dict[str, Any]", found)


def _value(score: dict[str, Any]) -> Any:
    return (score.get("attributes") or {}).get("value")


class Spans:
    """Puts the two lines of each event together. Holds those that are open, and no others."""

    def __init__(self, unfinished: str) -> None:
        self._open: dict[str, Line] = {}
        self._unfinished = unfinished  # the status of what has no end

    def take(self, line: Line) -> Event | None:
        """The event that this line completes."""
        kind = line["type"]
        if kind == "begin":
            self._open[line["id"]] = line
        elif kind == "event":
            return self._event(line, line)
        elif kind == "end":
            begun = self._open.pop(line["id"], None)
            return self._event(line if begun is None else begun, line)
        return None

    def rest(self) -> Iterator[Event]:
        """What was begun and never ended."""
        for line in self._open.values():
            yield self._event(line, None)
        self._open.clear()

    def _event(self, begun: Line, ended: Line | None) -> Event:
        started = begun.get("started") or begun["ended"]
        attributes = begun.table("attributes")
        if ended is not None and ended is not begun:
            attributes = {**attributes, **ended.table("attributes")}
        until = None if ended is None else ended.get("ended") or started
        return Event(
            begun["id"],
            begun.get("parent"),
            begun.get("trial"),
            begun.get("kind") or "module",
            begun.get("name") or "?",
            moment(started),
            None if until is None else moment(until),
            self._unfinished if ended is None else ended.get("status") or "done",
            attributes,
        )


def complete(record: Record, storage: JournalStorage) -> Record:
    """A trial or an event with its long texts."""
    return type(record)(**{name: whole(value, storage) for name, value in vars(record).items()})


def whole(value: Any, storage: JournalStorage) -> Any:
    """JSON data with its long texts put back from where they are kept."""
    if isinstance(value, Mapping):
        table = value.get("$table")
        if isinstance(table, Mapping) and len(value) == 1:  # what it has is no such text itself
            return {"$table": {key: whole(item, storage) for key, item in table.items()}}
        name = value.get("$blob")
        if isinstance(name, str) and len(value) == 2:  # noqa: PLR2004 - name and size
            found = storage.blob(name) if name.isalnum() else None
            return {"$missing": name} if found is None else found.decode(errors="replace")
        return {key: whole(item, storage) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item, storage) for item in value]
    return value
