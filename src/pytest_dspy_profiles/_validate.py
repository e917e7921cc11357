"""Check marks and profiles of all tests before any of them runs."""

import unittest
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dspy_profiles import plugins, schema
from dspy_profiles.errors import InvalidProfile, ProfileError, ProfileNotFound
from dspy_profiles.objects import Content, content
from dspy_profiles.profiles import OVERRIDE_LAYER, Choice, resolve_choice
from pytest_dspy_profiles import _marks
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._select import candidates, parameter_of

__all__ = ["Checks"]


class Checks:
    """Checks each profile once, without DSPy and without its secrets."""

    def __init__(self, session_config: SessionConfig) -> None:
        self._config = session_config
        self._valid: set[tuple[str, Content]] = set()

    def session(self) -> None:
        """Raise a ProfileError if a profile of the session is invalid."""
        for name in self._config.named.names:
            self._profile(name, f"from {self._config.named.by}", self._config.overrides, None)

    def errors(self, item: pytest.Item) -> Iterator[str]:
        """Yield the errors in the marks of a test, or else in its profiles."""
        mark_errors = list(_marks.mark_errors(item))
        yield from mark_errors
        if mark_errors:
            return
        try:
            self._item(item)
        except ProfileError as error:
            yield str(error)

    def _item(self, item: pytest.Item) -> None:
        for mark in _marks.profile_marks(item):  # marks of a class are for its fixtures, too
            for name in mark.names:
                self._profile(name, "from a mark", mark.overrides, mark)
        choice, parameter = candidates(item, self._config), parameter_of(item)
        if choice.overrides and not choice.names:
            raise ProfileNotFound(
                "dspy_profile has overrides, but neither the mark nor the session names a profile",
                hint='@pytest.mark.dspy_profile("mock", …)',
                where=choice.place,
            )
        if parameter is not None:
            choice = choice.narrowed(parameter)
        for name in choice.names:
            self._profile(name, f"from {choice.by}", choice.overrides, choice.mark)
        if len(choice.names) > 1 and parameter is None and _takes_one_profile(item):
            raise ProfileError(
                f"{item.nodeid} cannot run once under each of {', '.join(choice.names)}: "
                "unittest and doctest items take one profile",
                hint='@pytest.mark.dspy_profile("mock")',
            )

    def _profile(
        self,
        name: str,
        reason: str,
        overrides: Mapping[str, Any],
        mark: _marks.ProfileMark | None,
    ) -> None:
        key = (name, content(overrides))
        if key in self._valid:
            return
        try:
            self._resolve(name, reason, overrides)
        except ProfileError as error:
            if mark is None or error.where not in (None, OVERRIDE_LAYER):
                raise
            raise type(error)(error.message, error.hint, mark.place) from None
        self._valid.add(key)

    def _resolve(self, name: str, reason: str, overrides: Mapping[str, Any]) -> None:
        profile = resolve_choice(self._config.scene, Choice(name, reason), overrides)
        schemes = plugins.secret_schemes()
        for problem in schema.check(profile, schema.descriptor(), schemes=schemes):
            if problem.severity == "error":
                message = f'profile "{name}": {problem.message}'
                raise InvalidProfile(message, problem.hint, problem.where)


def _takes_one_profile(item: pytest.Item) -> bool:
    """Return whether pytest cannot parametrize an item."""
    case = getattr(item, "cls", None)
    is_unittest = case is not None and issubclass(case, unittest.TestCase)
    return is_unittest or isinstance(item, pytest.DoctestItem)
