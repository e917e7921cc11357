"""The marks of a test, read and checked; what is wrong with one is told with its place."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.config import Limits
from dspy_profiles.errors import InvalidProfile, ProfileError
from dspy_profiles.profiles import Overrides, check_overrides
from pytest_dspy_profiles._packages import INIT

__all__ = [
    "CassetteMark",
    "ProfileMark",
    "cassette_mark",
    "limits_of",
    "profile_mark",
    "profile_marks",
    "unreadable",
]

PROFILE = "dspy_profile"
BUDGET = "dspy_budget"
CASSETTE = "dspy_cassette"
TAPED = '@pytest.mark.dspy_cassette(mode="once")'
EXAMPLE = '@pytest.mark.dspy_profile("mock", lm={"temperature": 0})'


@dataclass(frozen=True)
class ProfileMark:
    """What the nearest mark says: under these names, or under none; and what they override."""

    names: tuple[str, ...]
    is_none: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    node: Any = None
    mark: pytest.Mark | None = None

    @property
    def place(self) -> str | None:
        """Looked for only where it has to be told: it takes reading the source."""
        return None if self.mark is None else _place_of(self.node, self.mark)


def profile_mark(node: Any) -> ProfileMark | None:
    """The nearest; one that only overrides takes its names from the next that has some."""
    found: ProfileMark | None = None
    for read in profile_marks(node):
        if found is None:
            found = read
        elif not found.names:
            found = replace(found, names=read.names, is_none=read.is_none)
        if found.names or found.is_none:
            break
    return found


def profile_marks(node: Any) -> Iterator[ProfileMark]:
    """All of them, nearest first."""
    return (_read(where, mark) for where, mark in node.iter_markers_with_node(PROFILE))


def unreadable(node: Any) -> Iterator[str]:
    """What is wrong with each mark of ours, also with those that others stand before."""
    for name, read in ((PROFILE, _read), (CASSETTE, _cassette), (BUDGET, _limits)):
        for where, mark in node.iter_markers_with_node(name):
            try:
                read(where, mark)
            except ProfileError as error:
                yield str(error)


def limits_of(node: Any) -> Limits | None:
    """What the nearest budget mark allows."""
    found = next(iter(node.iter_markers_with_node(BUDGET)), None)
    return None if found is None else _limits(*found)


@dataclass(frozen=True)
class CassetteMark:
    """What the nearest mark says."""

    name: str | None = None
    mode: str | None = None
    match: tuple[str, ...] | None = None


def cassette_mark(node: Any) -> CassetteMark | None:
    """The nearest one, checked."""
    found = next(iter(node.iter_markers_with_node(CASSETTE)), None)
    return None if found is None else _cassette(*found)


def _cassette(where: Any, mark: pytest.Mark) -> CassetteMark:
    from dspy_profiles.calls.cassettes import checked_match, checked_mode

    with _faulty(where, mark):
        by_place = dict(zip(("name", "mode"), mark.args, strict=False))
        given: dict[str, Any] = {**by_place, **mark.kwargs}
        unknown = given.keys() - {"name", "mode", "match"}
        if unknown or len(mark.args) > 2:  # noqa: PLR2004 - a name and a mode
            raise InvalidProfile("dspy_cassette takes name, mode and match", hint=TAPED)
        name, mode, match = (given.get(key) for key in ("name", "mode", "match"))
        if name is not None and (not isinstance(name, str) or not name.strip("./ ")):
            raise InvalidProfile(f"a cassette is named by a text, not by {name!r}", hint=TAPED)
        return CassetteMark(
            name,
            None if mode is None else checked_mode(str(mode)),
            None if match is None else checked_match(match),
        )


def _limits(where: Any, mark: pytest.Mark) -> Limits:
    with _faulty(where, mark):
        if mark.args or not mark.kwargs:
            raise InvalidProfile(
                "dspy_budget takes limits by name",
                hint="@pytest.mark.dspy_budget(calls=5, usd=0.01)",
            )
        return Limits.checked(mark.kwargs)


def _read(where: Any, mark: pytest.Mark) -> ProfileMark:
    with _faulty(where, mark):
        names, overrides = mark.args, Overrides(mark.kwargs)
        is_none = names == (None,)
        if not is_none and not all(isinstance(name, str) and name for name in names):
            raise InvalidProfile(
                f"dspy_profile takes names of profiles, or None alone, not {names!r}", hint=EXAMPLE
            )
        if len(set(names)) < len(names):
            raise InvalidProfile("dspy_profile names a profile twice")
        if not names and not overrides:
            raise InvalidProfile("dspy_profile names no profile", hint=EXAMPLE)
        if is_none and overrides:
            raise InvalidProfile("dspy_profile(None) has nothing to override")
        if overrides:
            check_overrides(overrides, names[0] if names and not is_none else "")
        return ProfileMark(() if is_none else names, is_none, overrides, where, mark)


class _faulty:  # noqa: N801 - it reads as a phrase: with _faulty(node, mark): …
    """Errors of ours in here are told with the place of the mark."""

    def __init__(self, node: Any, mark: pytest.Mark) -> None:
        self._node, self._mark = node, mark

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ProfileError):
            place = _place_of(self._node, self._mark)
            raise type(error)(error.message, error.hint, place) from None


def _place_of(node: Any, mark: pytest.Mark) -> str:
    """The file of a mark and, as near as it can be known, its line."""
    path = Path(node.path)
    if isinstance(node, pytest.Package):
        path /= INIT
    shown = (
        path.relative_to(node.config.rootpath)
        if path.is_relative_to(node.config.rootpath)
        else path
    )
    return f"{shown}:{_line(node, path, mark)}"


def _line(node: Any, path: Path, mark: pytest.Mark) -> int:
    """That of the decorator, or of what it decorates; of `pytestmark` in a module."""
    try:
        if isinstance(node, pytest.Module | pytest.Package):
            lines = path.read_text("utf-8").splitlines()
            start, pattern = 0, rf"^pytestmark\b|mark\.{mark.name}\b"
        else:
            lines, start = inspect.getsourcelines(inspect.unwrap(node.obj))
            start, pattern = start - 1, rf"mark\.{mark.name}\b"
    except (OSError, TypeError, AttributeError):  # no source: a generated or a foreign item
        return (getattr(node, "location", (None, None))[1] or 0) + 1
    found = (number for number, text in enumerate(lines, start + 1) if re.search(pattern, text))
    return next(found, start + 1)
