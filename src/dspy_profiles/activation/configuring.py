"""A profile by `dspy.configure`: for programs and notebooks that set things up once."""

from collections.abc import Mapping
from typing import Any

from dspy_profiles import dspy_internals
from dspy_profiles.activation import session
from dspy_profiles.activation.prepared import Prepared, prepared
from dspy_profiles.errors import ProfileError
from dspy_profiles.resolved import ACTIVE, ResolvedProfile
from dspy_profiles.resolver import Overrides

__all__ = ["Configured", "configure"]

_MISSING = object()


class Configured:
    """What `configure` did, and the way back."""

    def __init__(self, ready: Prepared, before: dict[str, Any], ours: dict[str, Any]) -> None:
        self.profile: ResolvedProfile = ready.profile
        self._before = before
        self._ours = ours
        self._pin: session.Pin | None = None

    def restore(self) -> None:
        """Put back what was configured before, but for what was configured since."""
        if self._pin is not None:
            self._pin.release()
            return
        config = dspy_internals.base_config() or {}
        still = [k for k in self._before if config.get(k, _MISSING) is self._ours[k]]
        back = {k: self._before.pop(k) for k in still}
        self._before = {}
        _configure({k: v for k, v in back.items() if v is not _MISSING})
        for key in (k for k, v in back.items() if v is _MISSING):
            config.pop(key, None)


def configure(name: str | None = None, **overrides: Mapping[str, Any]) -> Configured:
    """Configure DSPy with a profile; `.restore()` of what it returns undoes it.

    A profile that is named, or given by `DSPY_PROFILE`, is set by `dspy.configure`. The default
    profile fills only the keys that nobody has set: the program's own `dspy.configure` wins,
    before as well as after.
    """
    ready = prepared(name, Overrides(overrides))
    if session.innermost() is not None:  # our own doors pass the pin
        handle = Configured(ready, {}, {})
        handle._pin = session.pin(ready)  # noqa: SLF001
        return handle
    import dspy

    config = dspy_internals.base_config() or dspy.settings.config
    values = dict(ready.values)
    if ready.is_default:
        values = {k: v for k, v in values.items() if _is_untouched(config, k)}
    if ready.callbacks:
        there = config["callbacks"]
        values["callbacks"] = [*there, *(c for c in ready.callbacks if c not in there)]
    before = {key: config.get(key, _MISSING) for key in values}
    _configure(values)
    return Configured(ready, before, values)


def _is_untouched(config: Mapping[str, Any], key: str) -> bool:
    if key == ACTIVE:
        return True
    defaults = dspy_internals.own_defaults()
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
