"""Select the profile of a test, or of a fixture of any scope."""

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
    "parameter_of",
    "parameter_of_fixture",
    "parametrize",
    "select",
]

FIXTURE = "dspy_profile"  # in a matrix, its parameter is the profile


@dataclass(frozen=True)
class ProfileChoice:
    """The selected profiles, where they were named, and their overrides."""

    names: tuple[str, ...] = ()
    by: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    mark: ProfileMark | None = None  # the nearest, if any

    @property
    def name(self) -> str:
        """The first name; empty if no profile is selected."""
        return self.names[0] if self.names else ""

    @property
    def place(self) -> str | None:
        return None if self.mark is None else self.mark.place

    def choice(self, name: str) -> Choice:
        return Choice(name, f"from {self.by}")

    def narrowed(self, parameter: str | None) -> "ProfileChoice":
        """Return a choice of one profile or none; in a matrix, of the parameter of the test."""
        if parameter is None:
            return self if len(self.names) <= 1 else replace(self, names=self.names[:1])
        by = self.by if parameter in self.names else "a parameter"
        return replace(self, names=(parameter,), by=by)


def candidates(node: Any, session_config: SessionConfig) -> ProfileChoice:
    """Return the profiles of the nearest mark, of a hook, or of the session, in this order."""
    mark = profile_mark(node)
    if mark is not None and (mark.names or mark.is_none):
        return ProfileChoice(mark.names, "a mark", mark.overrides, mark)
    overrides = mark.overrides if mark is not None else {}
    if isinstance(node, pytest.Item) and _has_hook(node.config):
        name = node.ihook.pytest_dspy_choose_profile(item=node)
        if name is not None:
            return ProfileChoice((name,), "pytest_dspy_choose_profile", overrides, mark)
    of_session = session_config.overrides
    overrides = _merged(of_session, overrides) if overrides else of_session
    return ProfileChoice(session_config.named.names, session_config.named.by, overrides, mark)


def _has_hook(config: pytest.Config) -> bool:
    """Return whether any plugin or conftest, in any folder, chooses profiles."""
    return bool(config.hook.pytest_dspy_choose_profile.get_hookimpls())


def _merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> Mapping[str, Any]:
    """Merge sections; a key of `upper` counts before the same key of `lower`."""
    return {
        section: {**lower.get(section, {}), **upper.get(section, {})}
        if isinstance(lower.get(section, upper.get(section)), Mapping)
        else upper.get(section, lower.get(section))
        for section in {**lower, **upper}
    }


def select(node: Any, session_config: SessionConfig, parameter: str | None) -> ProfileChoice:
    """Return the choice of one profile or none."""
    return candidates(node, session_config).narrowed(parameter)


def parameter_of(item: Any) -> str | None:
    """Return the profile of the matrix that a test was made for."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    value = params.get(FIXTURE)
    return value if isinstance(value, str) else None


def parameter_of_fixture(item: Any, fixture: Any) -> str | None:
    """Return the profile of the matrix for a fixture that is set up once for each."""
    value = parameter_of(item)
    if value is None:
        return None
    # Private: pytest has no public way to ask which fixtures a fixture requests.
    definitions = item._fixtureinfo.name2fixturedefs  # noqa: SLF001
    waiting, seen = list(fixture.argnames), set[str]()
    while waiting:
        name = waiting.pop()
        if name == FIXTURE:
            return value
        if name not in seen:
            seen.add(name)
            waiting += [arg for each in definitions.get(name, ()) for arg in each.argnames]
    return None


def parametrize(metafunc: pytest.Metafunc, session_config: SessionConfig) -> None:
    """Make a test for each profile, if there are several."""
    if _is_parametrized(metafunc):
        return
    try:
        names = candidates(metafunc.definition, session_config).names
    except ProfileError:  # reported with all other errors, once everything is collected
        return
    if len(names) > 1:
        if FIXTURE not in metafunc.fixturenames:
            metafunc.fixturenames.append(FIXTURE)
        metafunc.parametrize(FIXTURE, names, indirect=True, scope="session", ids=names)


def _is_parametrized(metafunc: pytest.Metafunc) -> bool:
    """Return whether the author of the test has parametrized it with profiles."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        argnames = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        names = argnames.split(",") if isinstance(argnames, str) else argnames
        if FIXTURE in map(str.strip, names):
            return True
    return False
