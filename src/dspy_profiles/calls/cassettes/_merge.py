"""Merge new responses with what the file contains by now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dspy_profiles.calls.cassettes._file import (
    PATIENCE,
    Contents,
    Entry,
    Header,
    Recording,
    Stamp,
    lines,
    order_of,
    replace,
    stamp_of,
)
from dspy_profiles.calls.cassettes._read import read
from dspy_profiles.config import locked
from dspy_profiles.errors import WriteFailed

__all__ = ["Added", "write"]


@dataclass
class Added:
    """New responses to one request, by the number of equal requests before each."""

    kind: str
    request: dict[str, Any]
    responses: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def in_order(self) -> list[dict[str, Any]]:
        return [self.responses[ordinal] for ordinal in sorted(self.responses)]


@dataclass
class _Planned:
    """A line to write: an entry of the file with more responses, or a new one."""

    order: tuple[str, ...]
    entry: Entry | None
    added: Added | None = None
    more: list[dict[str, Any]] = field(default_factory=list)

    def recording(self) -> Recording:
        if self.entry is not None:
            responses = [*self.entry.responses, *self.more]
            return Recording(self.entry.kind, self.entry.request, responses)
        assert self.added is not None  # noqa: S101 - one of the two is set
        return Recording(self.added.kind, self.added.request, self.more)


def write(  # noqa: PLR0913 - the old state, the new responses, and how to compare them
    path: Path,
    header: Header,
    added: Mapping[str, Added],
    *,
    match: tuple[str, ...],
    opened: Contents,
    stamp: Stamp | None,
    afresh: bool,
) -> bool:
    """Add responses to the file, or replace it; return whether it has changed.

    `opened` and `stamp` are its state when it was opened. If another process has recorded the same
    request since then, its responses stay, and those that it lacks are added after them. `afresh`,
    the responses of this process replace them.
    """
    _make_folder(path)
    with locked(path, PATIENCE):
        now = stamp_of(path)
        if now == stamp:
            current = Contents(header) if afresh else opened
        else:
            current = Contents(header) if now is None else read(path, match)
        planned = _plan(current, added, opened, afresh=afresh)
        if now is not None and not any(each.more for each in planned):
            return False
        planned.sort(key=lambda each: each.order)
        return replace(path, lines(header, _recordings(planned)))


def _recordings(planned: list[_Planned]) -> Iterator[Recording]:
    for each in planned:  # one at a time: none stays parsed longer than it takes to write it
        yield each.recording()


def _plan(
    current: Contents, added: Mapping[str, Added], opened: Contents, *, afresh: bool
) -> list[_Planned]:
    planned = {id(entry): _Planned(entry.order, entry) for entry in current.entries}
    new = []
    for key, recorded in added.items():
        ours = recorded.in_order
        entries = current.by_key.get(key, [])
        if afresh or not entries:
            for entry in entries:
                del planned[id(entry)]
            order = order_of(recorded.kind, recorded.request, key)
            new.append(_Planned(order, None, recorded, ours))
        else:
            # Ours follow those that the file had when it was opened.
            others = current.count(key) - opened.count(key)
            planned[id(entries[-1])].more = ours[max(others, 0) :]
    return [*planned.values(), *new]


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"folder {path.parent} cannot be created: {error.strerror or error}"
        raise WriteFailed(message, "check the permissions of the parent folder") from error
