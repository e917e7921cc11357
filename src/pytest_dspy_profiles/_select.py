"""Which profile a test, or a fixture of some scope, is to run under."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import Choice
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._marks import ProfileMark, profile_mark

__all__ = [
    "FIXTURE",
    "ProfileChoice",
    "candidates",
    "chosen",
    "name_for",
    "parameter_of",
    "parametrize",
]

FIXTURE = "dspy_profile"  # the one whose parameter is the profile, in a matrix


@dataclass(frozen=True)
class ProfileChoice:
    """The profiles that apply, who said so, and what is overridden in them."""

    names: tuple[str, ...] = ()
    by: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    mark: ProfileMark | None = None  # the nearest, if any

    @property
    def place(self) -> str | None:
        return None if self.mark is None else self.mark.place

    def choice(self, name: str) -> Choice:
        return Choice(name, f"from {self.by}")


def candidates(node: Any, asked: SessionConfig) -> ProfileChoice:
    """The nearest mark, a hook's answer, the session's: the first that is there."""
    mark = profile_mark(node)
    if mark is not None and (mark.names or mark.is_none):
        return ProfileChoice(mark.names, "a mark", mark.overrides, mark)
    overrides = mark.overrides if mark is not None else {}
    if isinstance(node, pytest.Item) and _has_choosers(node.config):
        hooked = node.ihook.pytest_dspy_choose_profile(item=node)
        if hooked is not None:
            return ProfileChoice((hooked,), "pytest_dspy_choose_profile", overrides, mark)
    overrides = _merged(asked.overrides, overrides) if overrides else asked.overrides
    return ProfileChoice(asked.named.names, asked.named.by, overrides, mark)


def _has_choosers(config: pytest.Config) -> bool:
    """Whether any plugin or conftest, wherever it stands, has this hook."""
    return bool(config.hook.pytest_dspy_choose_profile.get_hookimpls())


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sections of both; where both have a key, the other's counts."""
    return {
        section: {**one.get(section, {}), **other.get(section, {})}
        if isinstance(one.get(section, other.get(section)), Mapping)
        else other.get(section, one.get(section))
        for section in {**one, **other}
    }


def chosen(node: Any, asked: SessionConfig, parameter: str | None) -> ProfileChoice:
    """One profile or none: of a matrix, the parameter of the test."""
    found = candidates(node, asked)
    names = found.names[:1] if parameter is None else (parameter,)
    return found if names == found.names else replace(found, names=names)


def parameter_of(item: Any) -> str | None:
    """The profile that a test of a matrix was made for."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    value = params.get(FIXTURE)
    return value if isinstance(value, str) else None


def name_for(item: Any, asked: SessionConfig) -> str | None:
    """The name of a test's profile, for reports."""
    names = chosen(item, asked, parameter_of(item)).names
    return names[0] if names else None


def parametrize(metafunc: pytest.Metafunc, asked: SessionConfig) -> None:
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
    for mark in metafunc.definition.iter_markers("parametrize"):
        given = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        names = given.split(",") if isinstance(given, str) else given
        if FIXTURE in map(str.strip, names):
            return True
    return False
