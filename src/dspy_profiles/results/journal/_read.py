"""Reads journals line by line. A damaged line is reported with its place; the others count."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

import orjson

from dspy_profiles._reading import DEEPEST, is_too_deep
from dspy_profiles.results._ids import is_hash
from dspy_profiles.results._model import Event, Fault, Trial, moment, written
from dspy_profiles.results.journal._base import JournalStorage

__all__ = ["Line", "Spans", "complete", "content_of", "lines_of", "parsed_json", "whole"]

# The types of lines, and the fields that each must have.
REQUIRED: dict[str, tuple[str, ...]] = {
    "journal": (),
    "experiment": ("started",),
    "trial": ("id", "started"),
    "trial.end": ("id", "ended"),
    "begin": ("id", "started"),
    "end": ("id", "ended"),
    "event": ("id", "started"),
    "lost": ("count",),
}
MOST = 2**53  # lines that are lost: more than any process can write
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
TABLES = ("attributes", "details")  # of a record: they stay tables
Tell = Callable[[Fault], None]
Record = TypeVar("Record", Event, Trial)


@dataclass(frozen=True, slots=True)
class Line:
    """One line that could be read, and its place."""

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
        """Return a field that is a table; an empty one if it is missing."""
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
    """Yield the lines of one journal that contain `only`; report damaged ones to `tell`.

    An incomplete last line is not damaged: its process was killed while it wrote it.
    """
    place, number, torn = storage.place(experiment_id, name), 0, 0
    for raw in storage.lines(experiment_id, name, start, end):
        number += 1
        begin, start = start, start + len(raw)
        if torn:  # an incomplete line, which is not the last one
            tell(Fault("damaged", "the line has no end", f"{place}:{torn}"))
            torn = 0
        if not raw.endswith(b"\n"):
            torn = number
            continue
        if only not in raw or raw == b"\n":
            continue
        try:
            content = content_of(raw)
        except ValueError as error:
            message = f"not a line of a journal: {error}"
            tell(Fault("damaged", message, f"{place}:{number}"))
        else:
            yield Line(name, number, begin, start, content)


def content_of(raw: bytes) -> dict[str, Any]:
    """Return the content of a line. Raises ValueError if it is not one of a journal."""
    content = parsed_json(raw)
    kind = content.get("type") if isinstance(content, dict) else None
    required = REQUIRED.get(kind) if isinstance(kind, str) else None
    if required is None:
        raise ValueError("unknown type")
    for key in required:
        if content.get(key) is None:
            raise ValueError(f"{key} is missing")
    for key, value in content.items():
        expected = FIELDS.get(key)
        if value is not None and expected is not None and not isinstance(value, expected):
            raise ValueError(f"{key} is a {type(value).__name__}")
    for key in ("started", "ended"):
        if content.get(key) is not None:
            content[key] = written(moment(content[key]))
    if kind == "lost" and not 0 <= content["count"] <= MOST:
        raise ValueError("count is out of range")
    if content.get("kind") == "score" and not isinstance(_value(content), Number | None):
        raise ValueError("its value is not a number")
    return cast("dict[str, Any]", content)


def parsed_json(text: bytes | str) -> Any:
    """Return JSON data. Raises ValueError, also if it nests too deeply to be written again."""
    data = orjson.loads(text)
    raw = text.encode() if isinstance(text, str) else text
    brackets = raw.count(b"[") + raw.count(b"{")  # fast, and nearly always few
    if brackets > DEEPEST and is_too_deep(data, brackets):
        raise ValueError("tables and lists are nested too deeply")
    return data


def _value(score: dict[str, Any]) -> Any:
    return (score.get("attributes") or {}).get("value")


class Spans:
    """Combines the two lines of each event. Holds only those that are open."""

    def __init__(self, unfinished: str) -> None:
        self._open: dict[str, Line] = {}
        self._unfinished = unfinished  # the status of events without an end

    def take(self, line: Line) -> Event | None:
        """Return the event that this line completes."""
        kind = line["type"]
        if kind == "begin":
            self._open[line["id"]] = line
        elif kind == "event":
            return self._event(line, line)
        elif kind == "end":
            begun = self._open.pop(line["id"], None)
            return self._event(line if begun is None else begun, line)
        return None

    def unfinished(self, line: Line) -> Event | None:
        """Return the event that this line begins, as it is until it ends."""
        return self._event(line, None) if line["type"] == "begin" else None

    def rest(self) -> Iterator[Event]:
        """Yield the events that have begun and not ended."""
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
            datetime.fromisoformat(started),  # both are as `content_of` has written them
            None if until is None else datetime.fromisoformat(until),
            self._unfinished if ended is None else ended.get("status") or "done",
            attributes,
        )


def complete(record: Record, storage: JournalStorage) -> Record:
    """Return a trial or an event with its long texts."""
    values: dict[str, Any] = {name: whole(value, storage) for name, value in vars(record).items()}
    for name in TABLES:
        if isinstance(values.get(name), str):  # a reference in the place of a table
            values[name] = {}
    return type(record)(**values)


def whole(value: Any, storage: JournalStorage) -> Any:
    """Return JSON data with its long texts, which are kept apart."""
    if isinstance(value, Mapping):
        table = value.get("$table")
        if isinstance(table, Mapping) and len(value) == 1:  # its keys are data
            return {"$table": {key: whole(item, storage) for key, item in table.items()}}
        name = value.get("$blob")
        if isinstance(name, str) and len(value) == 2:  # noqa: PLR2004 - name and size
            found = storage.blob(name) if is_hash(name) else None
            return {"$missing": name} if found is None else found.decode(errors="replace")
        return {key: whole(item, storage) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item, storage) for item in value]
    return value
