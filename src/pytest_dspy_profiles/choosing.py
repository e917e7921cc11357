"""Which profile a test, or a fixture of some scope, is to run under."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from dspy_profiles.errors import ProfileError, ProfileNotFound
from dspy_profiles.resolver import Choice
from pytest_dspy_profiles.asked import Asked
from pytest_dspy_profiles.marks import limits_of, profile_mark

__all__ = [
    "FIXTURE",
    "Chosen",
    "candidates",
    "chosen",
    "faults",
    "name_for",
    "parameter_of",
    "parametrize",
]

FIXTURE = "dspy_profile"  # the one whose parameter is the profile, in a matrix


@dataclass(frozen=True)
class Chosen:
    """The profiles that apply, who said so, and what is overridden in them."""

    names: tuple[str, ...] = ()
    by: str = ""
    place: str = ""  # where the mark stands, if one chose
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def choice(self, name: str) -> Choice:
        return Choice(name, f"from {self.by}")


def candidates(node: Any, asked: Asked) -> Chosen:
    """The nearest mark, a hook's answer, the session's: the first that is there."""
    mark = profile_mark(node)
    if mark is not None and (mark.names or mark.is_none):
        return Chosen(mark.names, "a mark", mark.place, mark.overrides)
    overrides = mark.overrides if mark is not None else {}
    if isinstance(node, pytest.Item):
        hooked = node.ihook.pytest_dspy_choose_profile(item=node)
        if hooked is not None:
            return Chosen((hooked,), "pytest_dspy_choose_profile", "", overrides)
    return Chosen(asked.named.names, asked.named.by, "", _merged(asked.overrides, overrides))


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sections of both; where both have a key, the other's counts."""
    return {
        section: {**one.get(section, {}), **other.get(section, {})}
        if isinstance(one.get(section, other.get(section)), Mapping)
        else other.get(section, one.get(section))
        for section in {**one, **other}
    }


def chosen(node: Any, asked: Asked, parameter: str | None) -> Chosen:
    """One profile or none: of a matrix, the parameter of the test."""
    found = candidates(node, asked)
    if parameter is not None:
        return replace(found, names=(parameter,))
    return replace(found, names=found.names[:1])


def parameter_of(item: Any) -> str | None:
    """The profile that a test of a matrix was made for."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    value = params.get(FIXTURE)
    return value if isinstance(value, str) else None


def name_for(item: Any, asked: Asked) -> str | None:
    """The name of a test's profile, for reports."""
    names = chosen(item, asked, parameter_of(item)).names
    return names[0] if names else None


def parametrize(metafunc: pytest.Metafunc, asked: Asked) -> None:
    """Make a test for each profile, where there are several."""
    if _chooses_itself(metafunc):
        return
    try:
        names = candidates(metafunc.definition, asked).names
    except ProfileError:  # told with all other faults, once everything is collected
        return
    if len(names) > 1:
        if FIXTURE not in metafunc.fixturenames:
            metafunc.fixturenames.append(FIXTURE)
        metafunc.parametrize(FIXTURE, names, indirect=True, scope="session", ids=names)


def _chooses_itself(metafunc: pytest.Metafunc) -> bool:
    """Whether the test is parametrized with profiles by its own author."""
    given = (mark.args[0] for mark in metafunc.definition.iter_markers("parametrize") if mark.args)
    return any(
        FIXTURE in (names if isinstance(names, list | tuple) else names.split(","))
        for names in given
    )


def faults(item: pytest.Item, asked: Asked) -> str | None:
    """What is wrong with the marks of a test, in one text."""
    try:
        _check(item, asked)
    except ProfileError as error:
        return str(error)
    return None


def _check(item: pytest.Item, asked: Asked) -> None:
    found, parameter = candidates(item, asked), parameter_of(item)
    mark = profile_mark(item)
    limits_of(item)
    if mark is not None and mark.overrides and not found.names:
        raise ProfileNotFound(
            "dspy_profile overrides a profile, but names none, and the session has none",
            hint='name it: @pytest.mark.dspy_profile("mock", …)',
            where=mark.place,
        )
    for name in found.names if parameter is None else (parameter,):
        place = f" at {found.place}" if found.place else ""
        asked.scene.catalog.get(name, f"from {found.by}{place}")
    if len(found.names) > 1 and parameter is None and _cannot_repeat(item):
        raise ProfileError(
            f"{item.nodeid} cannot run once under each of {', '.join(found.names)}: "
            "unittest and doctest items take one profile",
            hint='mark it with one: @pytest.mark.dspy_profile("mock")',
        )


def _cannot_repeat(item: pytest.Item) -> bool:
    from _pytest.unittest import TestCaseFunction

    return isinstance(item, pytest.DoctestItem | TestCaseFunction)
