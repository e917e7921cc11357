"""Read and check the marks of a test. Errors have the place of the mark."""

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

__all__ = [
    "CassetteMark",
    "ProfileMark",
    "cassette_mark",
    "limits_of",
    "mark_errors",
    "profile_mark",
    "profile_marks",
]

PROFILE = "dspy_profile"
BUDGET = "dspy_budget"
CASSETTE = "dspy_cassette"
CASSETTE_EXAMPLE = '@pytest.mark.dspy_cassette(mode="once")'
PROFILE_EXAMPLE = '@pytest.mark.dspy_profile("mock", lm={"temperature": 0})'


@dataclass(frozen=True)
class ProfileMark:
    """A `dspy_profile` mark: names, or none; and overrides."""

    names: tuple[str, ...]
    is_none: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    node: Any = None
    mark: pytest.Mark | None = None

    @property
    def place(self) -> str | None:
        """The place of the mark, looked up only for an error: it takes reading the source."""
        return None if self.mark is None else _place_of(self.node, self.mark)


def profile_mark(node: Any) -> ProfileMark | None:
    """Return the nearest mark; if it has no names, with those of the next that has some."""
    nearest: ProfileMark | None = None
    for mark in profile_marks(node):
        if nearest is None:
            nearest = mark
        elif not nearest.names:
            nearest = replace(nearest, names=mark.names, is_none=mark.is_none)
        if nearest.names or nearest.is_none:
            break
    return nearest


def profile_marks(node: Any) -> Iterator[ProfileMark]:
    """Yield all `dspy_profile` marks, nearest first."""
    return (_profile(where, mark) for where, mark in node.iter_markers_with_node(PROFILE))


def mark_errors(node: Any) -> Iterator[str]:
    """Yield the error of each invalid mark, including those that a nearer one overrides."""
    for name, read in ((PROFILE, _profile), (CASSETTE, _cassette), (BUDGET, _limits)):
        for where, mark in node.iter_markers_with_node(name):
            try:
                read(where, mark)
            except ProfileError as error:
                yield str(error)


def limits_of(node: Any) -> Limits | None:
    """Return the limits of the nearest budget mark, or None."""
    nearest = next(iter(node.iter_markers_with_node(BUDGET)), None)
    return None if nearest is None else _limits(*nearest)


@dataclass(frozen=True)
class CassetteMark:
    """A `dspy_cassette` mark."""

    name: str | None = None
    mode: str | None = None
    match: tuple[str, ...] | None = None


def cassette_mark(node: Any) -> CassetteMark | None:
    """Return the nearest cassette mark, or None."""
    nearest = next(iter(node.iter_markers_with_node(CASSETTE)), None)
    return None if nearest is None else _cassette(*nearest)


def _cassette(where: Any, mark: pytest.Mark) -> CassetteMark:
    from dspy_profiles.calls.cassettes import checked_match, checked_mode

    with _at_mark(where, mark):
        positional = dict(zip(("name", "mode"), mark.args, strict=False))
        arguments: dict[str, Any] = {**positional, **mark.kwargs}
        unknown = arguments.keys() - {"name", "mode", "match"}
        if unknown or len(mark.args) > 2:  # noqa: PLR2004 - a name and a mode
            raise InvalidProfile(
                "dspy_cassette takes only name, mode and match", hint=CASSETTE_EXAMPLE
            )
        name, mode, match = (arguments.get(key) for key in ("name", "mode", "match"))
        if name is not None and (not isinstance(name, str) or not name.strip("./ ")):
            raise InvalidProfile(
                f"dspy_cassette: name must be a string, not {name!r}", hint=CASSETTE_EXAMPLE
            )
        return CassetteMark(
            name,
            None if mode is None else checked_mode(str(mode)),
            None if match is None else checked_match(match),
        )


def _limits(where: Any, mark: pytest.Mark) -> Limits:
    with _at_mark(where, mark):
        if mark.args or not mark.kwargs:
            raise InvalidProfile(
                "dspy_budget needs limits as keyword arguments",
                hint="@pytest.mark.dspy_budget(calls=5, usd=0.01)",
            )
        return Limits.checked(mark.kwargs)


def _profile(where: Any, mark: pytest.Mark) -> ProfileMark:
    with _at_mark(where, mark):
        names, overrides = mark.args, Overrides(mark.kwargs)
        is_none = names == (None,)
        if not is_none and not all(isinstance(name, str) and name for name in names):
            raise InvalidProfile(
                f"dspy_profile takes profile names, or only None, not {names!r}",
                hint=PROFILE_EXAMPLE,
            )
        if len(set(names)) < len(names):
            raise InvalidProfile("dspy_profile names a profile twice")
        if not names and not overrides:
            raise InvalidProfile("dspy_profile has no profile name", hint=PROFILE_EXAMPLE)
        if is_none and overrides:
            raise InvalidProfile("dspy_profile(None) cannot have overrides")
        if overrides:
            check_overrides(overrides, names[0] if names and not is_none else "")
        return ProfileMark(() if is_none else names, is_none, overrides, where, mark)


class _at_mark:  # noqa: N801 - it reads as a function: with _at_mark(node, mark): …
    """Give errors of a block the place of a mark."""

    def __init__(self, node: Any, mark: pytest.Mark) -> None:
        self._node, self._mark = node, mark

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ProfileError):
            place = _place_of(self._node, self._mark)
            raise type(error)(error.message, error.hint, place) from None


def _place_of(node: Any, mark: pytest.Mark) -> str:
    """Return the file and the line of a mark, or of the nearest line that is known."""
    path = Path(node.path)
    if isinstance(node, pytest.Package):
        path /= "__init__.py"
    shown = (
        path.relative_to(node.config.rootpath)
        if path.is_relative_to(node.config.rootpath)
        else path
    )
    return f"{shown}:{_line(node, path, mark)}"


def _line(node: Any, path: Path, mark: pytest.Mark) -> int:
    """Return the line of the decorator, of what it decorates, or of `pytestmark`."""
    try:
        if isinstance(node, pytest.Module | pytest.Package):
            lines = path.read_text("utf-8").splitlines()
            start, pattern = 0, rf"^pytestmark\b|mark\.{mark.name}\b"
        else:
            lines, start = inspect.getsourcelines(inspect.unwrap(node.obj))
            start, pattern = start - 1, rf"mark\.{mark.name}\b"
    except (OSError, TypeError, AttributeError):  # a generated item has no source
        return (getattr(node, "location", (None, None))[1] or 0) + 1
    matches = (number for number, text in enumerate(lines, start + 1) if re.search(pattern, text))
    return next(matches, start + 1)
