"""DSPy's state as it was: settings, histories and cache, put back after a test."""

from collections.abc import Mapping
from typing import Any

import dspy

from dspy_profiles import build, dspy_internals
from dspy_profiles.activation import session
from dspy_profiles.calls import STAGES

__all__ = ["Configuration", "Isolation"]

_MISSING = object()


class Isolation:
    """Begins with an empty cache that is in memory alone; `end` puts all back that was before."""

    def __init__(self) -> None:
        self._pins: tuple[session.Pin, ...] | None = session.pins()
        configured = session.beneath()
        self._settings = _kept(configured)
        self._variable = dspy_internals.block_overrides()
        self._overrides = None if self._variable is None else self._variable.get()
        self._owner = dspy_internals.owner()
        self._histories = [_Kept(each) for each in _histories(configured)]
        self._cache = vars(dspy).get("cache", _MISSING)
        dspy.cache = dspy.clients.Cache(
            enable_disk_cache=False, enable_memory_cache=True, disk_cache_dir=None
        )
        build.start_engines_afresh()

    def end(self, keep: session.Pin | None = None) -> None:
        """Put everything back, but for this pin. A second time does nothing."""
        if self._pins is None:
            return
        pins = self._pins if keep is None else (*self._pins, keep)
        settings = {key: value.as_it_was() for key, value in self._settings.items()}
        if STAGES in (now := session.beneath()):  # whoever stands them takes them away
            settings[STAGES] = now[STAGES]
        session.put_back(settings, pins)
        if self._variable is not None and self._variable.get() is not self._overrides:
            self._variable.set(self._overrides)
        dspy_internals.set_owner(self._owner)
        for history in _histories(settings):
            history.clear()
        for kept in self._histories:
            kept.as_it_was()
        if self._cache is _MISSING:
            vars(dspy).pop("cache", None)
        else:
            dspy.cache = self._cache
        self._pins = None

    def keep(self, before: "Configuration") -> None:
        """Count what was configured since as having been there: a wider fixture has done it."""
        now = session.beneath()
        for key in {*now, *before.settings}:
            if key == STAGES:
                continue
            value, was = now.get(key, _MISSING), before.settings.get(key)
            if was is not None and was.is_as_it_was(value):
                continue
            if value is _MISSING:
                self._settings.pop(key, None)
            else:
                self._settings[key] = _Kept(value)
        if self._variable is not None and before.overrides is self._overrides:
            self._overrides = self._variable.get()
        if before.owner == self._owner:
            self._owner = dspy_internals.owner()


class Configuration:
    """What is configured at one moment, to find out what a fixture changes."""

    def __init__(self) -> None:
        variable = dspy_internals.block_overrides()
        self.settings = _kept(session.beneath())
        self.overrides = None if variable is None else variable.get()
        self.owner = dspy_internals.owner()


class _Kept:
    """A value, and what was in it if it is a list or a table that may be changed in place."""

    __slots__ = ("_inside", "object")

    def __init__(self, value: Any) -> None:
        self.object = value
        self._inside = value.copy() if isinstance(value, list | dict) else None

    def as_it_was(self) -> Any:
        if isinstance(self.object, list):
            self.object[:] = self._inside or ()
        elif self._inside is not None and not _holds_the_same(self.object, self._inside):
            self.object.clear()
            self.object.update(self._inside)
        return self.object

    def is_as_it_was(self, value: object) -> bool:
        return value is self.object and _holds_the_same(value, self._inside)


def _holds_the_same(one: Any, other: Any) -> bool:
    # By identity: what is equal may be another object, and an array knows no equal.
    if isinstance(one, dict):
        return {k: id(v) for k, v in one.items()} == {k: id(v) for k, v in other.items()}
    return not isinstance(one, list) or [*map(id, one)] == [*map(id, other)]


def _kept(settings: Mapping[str, Any]) -> dict[str, _Kept]:
    return {key: _Kept(value) for key, value in settings.items() if key != STAGES}


def _histories(configured: Mapping[str, Any]) -> list[list[Any]]:
    """DSPy's own history, and those of the LMs that outlive a test."""
    lms = (*build.kept_lms(), dspy.settings.lm, configured.get("lm"))
    found = (dspy_internals.history(), *(getattr(lm, "history", None) for lm in lms))
    return list({id(each): each for each in found if isinstance(each, list)}.values())
