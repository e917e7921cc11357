"""Brings together what was recorded here and what the file holds by now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dspy_profiles.calls.cassettes._entries import Entry, Header, Tape, order_of
from dspy_profiles.calls.cassettes._format import Track, lines
from dspy_profiles.calls.cassettes._read import read
from dspy_profiles.calls.cassettes._write import PATIENCE, Stamp, replace, stamp_of
from dspy_profiles.config import locked
from dspy_profiles.errors import WriteFailed

__all__ = ["Added", "write"]


@dataclass
class Added:
    """What was recorded of one request: its answers, by how often it had been asked before."""

    kind: str
    request: dict[str, Any]
    responses: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def in_order(self) -> list[dict[str, Any]]:
        return [self.responses[ordinal] for ordinal in sorted(self.responses)]


@dataclass
class _Planned:
    """A line to be: one that there is, with answers added to it, or a new one."""

    order: tuple[str, ...]
    entry: Entry | None
    added: Added | None = None
    more: list[dict[str, Any]] = field(default_factory=list)

    def track(self) -> Track:
        if self.entry is not None:
            return Track(self.entry.kind, self.entry.request, [*self.entry.responses, *self.more])
        assert self.added is not None  # noqa: S101 - one of the two is there
        return Track(self.added.kind, self.added.request, self.more)


def write(  # noqa: PLR0913 - what was there, what came, and how to tell
    path: Path,
    header: Header,
    added: Mapping[str, Added],
    *,
    match: tuple[str, ...],
    opened: Tape,
    stamp: Stamp | None,
    afresh: bool,
) -> bool:
    """Add it to what stands there now, or put it in its place; says whether the file has changed.

    Where another process has recorded the same request meanwhile, its answers stay, and only those
    that it lacks go after them; afresh, the answers of this process take their place.
    """
    _make_folder(path)
    with locked(path, PATIENCE):
        now = stamp_of(path)
        if now == stamp:
            there = Tape(header) if afresh else opened
        else:
            there = Tape(header) if now is None else read(path, match)
        planned = _plan(there, added, opened, afresh=afresh)
        if now is not None and not any(each.more for each in planned):
            return False
        planned.sort(key=lambda each: each.order)
        return replace(path, lines(header, _tracks(planned)))


def _tracks(planned: list[_Planned]) -> Iterator[Track]:
    for each in planned:  # one at a time: none of them is parsed longer than it is written
        yield each.track()


def _plan(there: Tape, added: Mapping[str, Added], opened: Tape, *, afresh: bool) -> list[_Planned]:
    planned = {id(entry): _Planned(entry.order, entry) for entry in there.entries}
    new = []
    for key, recorded in added.items():
        ours = recorded.in_order
        entries = there.by_key.get(key, [])
        if afresh or not entries:
            for entry in entries:
                del planned[id(entry)]
            order = order_of(recorded.kind, recorded.request, key)
            new.append(_Planned(order, None, recorded, ours))
        else:
            # Ours come after those that the file had when it was opened.
            others = there.count(key) - opened.count(key)
            planned[id(entries[-1])].more = ours[max(others, 0) :]
    return [*planned.values(), *new]


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder {path.parent} could not be made: {error.strerror or error}"
        raise WriteFailed(message, "look at the rights of the folder above it") from error
