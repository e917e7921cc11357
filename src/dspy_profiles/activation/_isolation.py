"""DSPy's state as it was: settings, histories and cache, put back after a test."""

from typing import Any

import dspy

from dspy_profiles import _dspy
from dspy_profiles.activation import _session
from dspy_profiles.calls import STAGES
from dspy_profiles.objects import cached_lms, reset_engines

__all__ = ["Configuration", "Isolation"]

_MISSING = object()
_MUTABLE = (list, dict)  # changed in place, where others are replaced


class Configuration:
    """What is configured at one moment: settings with what is in them, overrides, the owner."""

    def __init__(self) -> None:
        self.settings = _session.unpinned_settings()
        self.settings.pop(STAGES, None)  # whoever stands them takes them away
        self.inside = {
            key: _Kept(value) for key, value in self.settings.items() if isinstance(value, _MUTABLE)
        }
        variable = _dspy.block_overrides()
        self.overrides = None if variable is None else variable.get()
        self.owner = _dspy.owner()

    def restore(self, pins: tuple[_session.Pin, ...]) -> None:
        """Have this configured again, and of the pins only these in force."""
        for kept in self.inside.values():
            kept.restore()
        now = _session.unpinned_settings()
        stages = {STAGES: now[STAGES]} if STAGES in now else {}
        _session.restore({**self.settings, **stages}, pins)
        variable = _dspy.block_overrides()
        if variable is not None and variable.get() is not self.overrides:
            variable.set(self.overrides)
        _dspy.set_owner(self.owner)

    def take_over(self, before: "Configuration") -> None:
        """Count what was configured since `before` as having been there."""
        now = Configuration()
        for key in {*now.settings, *before.settings}:
            if before.is_still(key, now.settings.get(key, _MISSING)):
                continue
            for of, news in ((self.settings, now.settings), (self.inside, now.inside)):
                of.pop(key, None)
                of.update({key: news[key]} if key in news else {})
        if before.overrides is self.overrides:
            self.overrides = now.overrides
        if before.owner == self.owner:
            self.owner = now.owner

    def is_still(self, key: str, value: object) -> bool:
        kept = self.inside.get(key)
        return value is self.settings.get(key, _MISSING) and (kept is None or kept.is_as_it_was())


class Isolation:
    """Begins with an empty cache that is in memory alone; `end` puts all back that was before."""

    def __init__(self) -> None:
        self._pins: tuple[_session.Pin, ...] | None = _session.pins()
        self._before = Configuration()
        self._histories = [_Kept(each) for each in _histories(self._before)]
        self._cache = vars(dspy).get("cache", _MISSING)
        dspy.cache = dspy.clients.Cache(
            enable_disk_cache=False, enable_memory_cache=True, disk_cache_dir=None
        )
        reset_engines()

    def end(self, keep: _session.Pin | None = None) -> None:
        """Put everything back, but for this pin. A second time does nothing."""
        if self._pins is None:
            return
        self._before.restore(self._pins if keep is None else (*self._pins, keep))
        for history in _histories(self._before):
            history.clear()
        for kept in self._histories:
            kept.restore()
        if self._cache is _MISSING:
            vars(dspy).pop("cache", None)
        else:
            dspy.cache = self._cache
        self._pins = None

    def keep(self, before: Configuration) -> None:
        """Count what was configured since as having been there: a wider fixture has done it."""
        self._before.take_over(before)


class _Kept:
    """A list or a table, and what was in it: it may be changed in place."""

    __slots__ = ("_inside", "_object")

    def __init__(self, value: list[Any] | dict[str, Any]) -> None:
        self._object = value
        self._inside = value.copy()

    def restore(self) -> None:
        if self.is_as_it_was():
            return
        self._object.clear()
        if isinstance(self._object, dict):
            self._object.update(self._inside)
        else:
            self._object.extend(self._inside)

    def is_as_it_was(self) -> bool:
        # By identity: what is equal may be another object, and an array knows no equal.
        return _identities(self._object) == _identities(self._inside)


def _identities(value: list[Any] | dict[str, Any]) -> object:
    if isinstance(value, dict):
        return {key: id(each) for key, each in value.items()}
    return [*map(id, value)]


def _histories(configured: Configuration) -> list[list[Any]]:
    """DSPy's own history, and those of the LMs that outlive a test."""
    lms = (*cached_lms(), dspy.settings.lm, configured.settings.get("lm"))
    found = (_dspy.history(), *(getattr(lm, "history", None) for lm in lms))
    return list({id(each): each for each in found if isinstance(each, list)}.values())
