"""A profile set by `dspy.configure`: for programs and notebooks that are set up once."""

import weakref
from collections.abc import Mapping
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles.activation._cache import CACHE
from dspy_profiles.activation._overlay import combined
from dspy_profiles.activation._prepare import Prepared
from dspy_profiles.activation._session import SESSION, Pin
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import Overrides, ResolvedProfile

__all__ = ["Configured", "configure"]

_MISSING = object()


class Configured:
    """The settings that `configure` changed, and the way back."""

    def __init__(
        self,
        ready: Prepared,
        before: dict[str, Any] | None = None,
        ours: Mapping[str, Any] | None = None,
        pin: Pin | None = None,
    ) -> None:
        self.profile: ResolvedProfile = ready.profile
        self.way_back = before or {}
        self._ours = ours or {}
        self._pin = pin

    def restore(self) -> None:
        """Restore the settings before; keep those that were configured since."""
        if self._pin is not None:
            self._pin.release()
        if not self.way_back:
            return
        config, later = _config(), _since(self)
        heirs = {
            key: next((handle for handle in later if key in handle.way_back), None)
            for key in self.way_back
        }
        back = {
            key: value
            for key, value in self.way_back.items()
            if heirs[key] is None and config.get(key, _MISSING) is self._ours[key]
        }
        if back:  # raises in a thread that may not configure, and changes nothing then
            _configure({k: v for k, v in back.items() if v is not _MISSING})
        for key, value in back.items():
            if value is _MISSING:
                config.pop(key, None)
        for key, heir in heirs.items():
            if heir is not None:  # it restores the values before ours now
                heir.way_back[key] = self.way_back[key]
        self.way_back = {}


# Weakly: a handle without a holder will not be restored.
_handles: list["weakref.ref[Configured]"] = []


def _since(handle: Configured) -> list[Configured]:
    alive = [(ref, found) for ref in _handles if (found := ref()) is not None]
    _handles[:] = [ref for ref, _ in alive]
    handles = [found for _, found in alive]
    return handles[handles.index(handle) + 1 :]


def configure(name: str | None = None, **overrides: Mapping[str, Any]) -> Configured:
    """Configure DSPy with a profile. `.restore()` of the returned handle undoes it.

    A profile that is named, or given by `DSPY_PROFILE`, is set by `dspy.configure`. The default
    profile fills only keys that are still at DSPy's default: the program's own `dspy.configure`
    wins, before as well as after.
    """
    overrides = Overrides(overrides)  # a printed frame must show no secret
    ready = CACHE.get(name, overrides)
    pinned = SESSION.innermost()
    if pinned is not None and pinned.ready is ready:  # no other profile was named
        return Configured(ready)
    # A named profile passes the pin; the default profile, the lowest level, stays beneath it.
    if pinned is not None and not ready.is_default:
        return Configured(ready, pin=SESSION.pin(ready))
    config = _config()
    values = dict(ready.values)
    if ready.is_default:
        values = {k: v for k, v in values.items() if _is_untouched(config, k)}
    if ready.callbacks:
        values["callbacks"] = combined(config["callbacks"], ready.callbacks)
    before = {key: config.get(key, _MISSING) for key in values}
    if values:
        _configure(values)
    if ready.is_default:
        _filled.update(values)
    handle = Configured(ready, before, values)
    _handles.append(weakref.ref(handle))
    return handle


_filled: dict[str, Any] = {}  # set by the default profile, which may set them again


def _config() -> dict[str, Any]:
    import dspy

    config: dict[str, Any] = _dspy.base_config() or dspy.settings.config
    return config


def _is_untouched(config: Mapping[str, Any], key: str) -> bool:
    if key in config and config[key] is _filled.get(key, _MISSING):
        return True
    defaults = _dspy.own_defaults()
    if key not in defaults:
        return key not in config
    current, default = config[key], defaults[key]
    return current is default or (type(current) is type(default) and bool(current == default))


def _configure(values: Mapping[str, Any]) -> None:
    import dspy

    try:
        dspy.configure(**values)
    except RuntimeError as error:  # from a second thread or task
        raise ProfileError(
            str(error), hint="use `with profile(…)` here: it holds for this thread or task"
        ) from None
