"""Whether what tests ask for can be: told before any of them runs, all of it at once."""

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
    """Looks at each profile once, without DSPy and without its secrets."""

    def __init__(self, asked: SessionConfig) -> None:
        self._asked = asked
        self._sound: set[tuple[str, Content]] = set()

    def session(self) -> None:
        """Raises a ProfileError where a profile of the session cannot be."""
        for name in self._asked.named.names:
            self._profile(name, f"from {self._asked.named.by}", self._asked.overrides, None)

    def faults(self, item: pytest.Item) -> Iterator[str]:
        """What is wrong with the marks of a test, and with the profiles that it asks for."""
        unreadable = list(_marks.unreadable(item))
        yield from unreadable
        if unreadable:
            return
        try:
            self._item(item)
        except ProfileError as error:
            yield str(error)

    def _item(self, item: pytest.Item) -> None:
        for mark in _marks.profile_marks(item):  # those of a class are for its fixtures, too
            for name in mark.names:
                self._profile(name, "from a mark", mark.overrides, mark)
        found, parameter = candidates(item, self._asked), parameter_of(item)
        if found.overrides and not found.names:
            raise ProfileNotFound(
                "dspy_profile overrides a profile, but names none, and the session has none",
                hint='name it: @pytest.mark.dspy_profile("mock", …)',
                where=found.place,
            )
        for name in found.names if parameter is None else (parameter,):
            self._profile(name, f"from {found.by}", found.overrides, found.mark)
        if len(found.names) > 1 and parameter is None and _cannot_repeat(item):
            raise ProfileError(
                f"{item.nodeid} cannot run once under each of {', '.join(found.names)}: "
                "unittest and doctest items take one profile",
                hint='mark it with one: @pytest.mark.dspy_profile("mock")',
            )

    def _profile(
        self,
        name: str,
        reason: str,
        overrides: Mapping[str, Any],
        mark: _marks.ProfileMark | None,
    ) -> None:
        key = (name, content(overrides))
        if key in self._sound:
            return
        try:
            self._resolve(name, reason, overrides)
        except ProfileError as error:
            if mark is None or error.where not in (None, OVERRIDE_LAYER):
                raise
            raise type(error)(error.message, error.hint, mark.place) from None
        self._sound.add(key)

    def _resolve(self, name: str, reason: str, overrides: Mapping[str, Any]) -> None:
        profile = resolve_choice(self._asked.scene, Choice(name, reason), overrides)
        schemes = plugins.secret_schemes()
        for fault in schema.check(profile, schema.descriptor(), schemes=schemes):
            if fault.severity == "error":
                raise InvalidProfile(f'profile "{name}": {fault.message}', fault.hint, fault.where)


def _cannot_repeat(item: pytest.Item) -> bool:
    from _pytest.unittest import TestCaseFunction

    return isinstance(item, pytest.DoctestItem | TestCaseFunction)
