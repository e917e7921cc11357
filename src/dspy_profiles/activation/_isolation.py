"""DSPy's state before a test: settings, histories and cache, restored after it."""

from typing import Any

import dspy

from dspy_profiles import _dspy
from dspy_profiles.activation._session import SESSION, Pin
from dspy_profiles.calls import STAGES
from dspy_profiles.objects import cached_lms, reset_engines

__all__ = ["Configuration", "Isolation"]

_MISSING = object()
_MUTABLE = (list, dict)  # changed in place, where others are replaced


class Configuration:
    """The configuration at one moment: settings with their contents, overrides, the owner."""

    def __init__(self) -> None:
        self.settings = SESSION.unpinned_settings()
        self.settings.pop(STAGES, None)  # their owner removes them
        self.inside = {
            key: _Kept(value) for key, value in self.settings.items() if isinstance(value, _MUTABLE)
        }
        variable = _dspy.block_overrides()
        self.overrides = None if variable is None else variable.get()
        self.owner = _dspy.owner()

    def restore(self, pins: tuple[Pin, ...]) -> None:
        """Restore this configuration, and leave only these pins."""
        for kept in self.inside.values():
            kept.restore()
        now = SESSION.unpinned_settings()
        stages = {STAGES: now[STAGES]} if STAGES in now else {}
        SESSION.restore({**self.settings, **stages}, pins)
        variable = _dspy.block_overrides()
        if variable is not None and variable.get() is not self.overrides:
            variable.set(self.overrides)
        _dspy.set_owner(self.owner)

    def take_over(self, before: "Configuration") -> None:
        """Treat settings that were configured since `before` as part of this one."""
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
    """Start with an empty cache in memory; `end` restores the state before."""

    def __init__(self) -> None:
        self._pins: tuple[Pin, ...] | None = SESSION.pins
        self._before = Configuration()
        self._histories = [_Kept(each) for each in _histories(self._before)]
        self._cache = vars(dspy).get("cache", _MISSING)
        dspy.cache = dspy.clients.Cache(
            enable_disk_cache=False, enable_memory_cache=True, disk_cache_dir=None
        )
        reset_engines()

    def end(self, keep: Pin | None = None) -> None:
        """Restore everything, except for this pin. Safe to call twice."""
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
        """Treat settings that a wider fixture configured since `before` as part of the state."""
        self._before.take_over(before)


class _Kept:
    """A list or a table with its contents at one moment: it may be changed in place."""

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
        if not self._object and not self._inside:  # most histories, in most tests
            return True
        # By identity: an equal object is another one, and arrays do not compare.
        return _identities(self._object) == _identities(self._inside)


def _identities(value: list[Any] | dict[str, Any]) -> object:
    if isinstance(value, dict):
        return {key: id(each) for key, each in value.items()}
    return [*map(id, value)]


def _histories(configured: Configuration) -> list[list[Any]]:
    """Return DSPy's own history, and those of LMs that outlive a test."""
    lms = (*cached_lms(), dspy.settings.lm, configured.settings.get("lm"))
    found = (_dspy.history(), *(getattr(lm, "history", None) for lm in lms))
    return list({id(each): each for each in found if isinstance(each, list)}.values())
