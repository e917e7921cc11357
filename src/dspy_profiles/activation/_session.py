"""A profile for a whole session: pinned beneath `dspy.configure`, so that it stays.

Every thread sees it, no spelling of `configure` displaces it, blocks inside of it win. What the
program configures meanwhile is put aside, and put back when the session ends.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dspy_profiles import _dspy, plugins
from dspy_profiles._locks import ProcessLock
from dspy_profiles.activation._cache import CACHE
from dspy_profiles.activation._overlay import added_up
from dspy_profiles.activation._prepare import Prepared
from dspy_profiles.profiles import ResolvedProfile

__all__ = [
    "Pin",
    "add_listener",
    "follow",
    "forget_pins",
    "innermost_pin",
    "pin_session",
    "pins",
    "remove_listener",
    "restore",
    "tell_on_stderr",
    "unpinned_settings",
]

# Called with the key that the program set, and the file and line where it did.
Notify = Callable[[ResolvedProfile, str, str, int], None]

_lock = ProcessLock()
_pins: list["Pin"] = []
_listeners: list[Any] = []  # callbacks that hear of every call, whatever is pinned
_aside: dict[str, Any] = {}  # what would be in force of the pinned keys, were there no pins
_MISSING = object()
# Whatever stood in DSPy's settings because of a pin, or because there was none. A dspy.context
# copies it with everything else, and then cannot tell it from what the program named.
_stood: dict[str, dict[int, Any]] = {}


class Pin:
    """One profile that is pinned; the latest one wins."""

    def __init__(self, ready: Prepared, notify: Notify) -> None:
        self.ready = ready
        self.notify = notify
        self.values = ready.values
        self._told: set[tuple[str, int]] = set()

    @property
    def profile(self) -> ResolvedProfile:
        return self.ready.profile

    def release(self) -> None:
        """End the session. A second time does nothing."""
        with _lock:
            if self not in _pins:
                return
            _pins.remove(self)
            _settle({*self.values, "callbacks"})
            CACHE.set_session(_pins[0].ready if _pins else None)
        plugins.manager().hook.dspy_profiles_deactivated(profile=self.profile)

    def tell(self, key: str) -> None:
        """Say, once for each place, that what the program sets there is put aside."""
        frame = sys._getframe(1)  # noqa: SLF001 - the caller's line is what has to be told
        while frame.f_back is not None and _is_plumbing(frame.f_globals.get("__name__", "")):
            frame = frame.f_back
        place = (frame.f_code.co_filename, frame.f_lineno)
        if place not in self._told:
            self._told.add(place)
            self.notify(self.profile, key, *place)


def tell_on_stderr(profile: ResolvedProfile, key: str, file: str, line: int) -> None:
    """One line for whoever reads the terminal."""
    sys.stderr.write(
        f"dspy-profiles: {file}:{line} configures {key}, but this session runs on the profile "
        f'"{profile.name}" ({profile.reason}); that is put aside until it ends\n'
    )


def pin_session(ready: Prepared, notify: Notify = tell_on_stderr) -> Pin:
    """Pin a profile until it is released. Pins in pins are released from the inside out."""
    config = _dspy.base_config()
    if config is None:
        raise _dspy.unfit("keeps its settings where a session cannot be pinned")
    if ready.built is None:  # else the pin would be empty, and nobody would know
        ready.build()
    with _lock:
        made = Pin(ready, notify)
        _take_over(config, {*made.values, "callbacks"})
        _pins.append(made)
        _settle({*made.values, "callbacks"})
        CACHE.set_session(_pins[0].ready)
    plugins.manager().hook.dspy_profiles_activated(profile=ready.profile)
    return made


def add_listener(callback: Any) -> None:
    """Have a callback of DSPy's hear of the whole process, until `unhear`.

    What the program configures comes beside it, not in its place.
    """
    config = _dspy.base_config()
    if config is None:
        raise _dspy.unfit("keeps its settings where nothing can be recorded")
    with _lock:
        _take_over(config, {"callbacks"})
        _listeners.append(callback)
        _settle({"callbacks"})


def remove_listener(callback: Any) -> None:
    """End it. A second time does nothing."""
    with _lock:
        if callback in _listeners:
            _listeners.remove(callback)
            _settle({"callbacks"})


def innermost_pin() -> Pin | None:
    """The pin that is in force, if any."""
    return _pins[-1] if _pins else None


def follow(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """These overrides, with what a dspy.context has only copied as it is in force now.

    It copies every setting when it is entered: a pin that is changed since would stay hidden.
    """
    config = _dspy.base_config() or {}
    copied = {
        key: _in_force(key) if key in _aside else config.get(key, _MISSING)
        for key, values in _stood.items()
        if key in overrides and id(overrides[key]) in values
    }
    now = {**overrides, **copied}
    return {key: value for key, value in now.items() if value is not _MISSING}


def forget_pins() -> None:
    """No context that is open was entered under a pin: nothing has to be told apart any more."""
    if not _pins:
        _stood.clear()


def unpinned_settings() -> dict[str, Any]:
    """What the program itself has configured: DSPy's settings without any pin."""
    config = _dspy.base_config() or {}
    with _lock:
        found = {**config, **_aside}
        for key in [key for key, value in _aside.items() if value is _MISSING]:
            del found[key]
    return found


def restore(values: Mapping[str, Any], pins: Sequence[Pin]) -> None:
    """Make this what the program has configured; of the pins, leave only these."""
    for extra in [p for p in reversed(_pins) if p not in pins]:
        extra.release()
    config = _dspy.base_config()
    if config is None:
        return
    with _lock:
        for key in config.keys() - values.keys() - _aside.keys():
            dict.pop(config, key)
        dict.update(config, {key: value for key, value in values.items() if key not in _aside})
        if not _aside:
            return
        aside = {key: values.get(key, _MISSING) for key in _aside}
        changed = {key for key, value in aside.items() if value is not _aside[key]}
        _aside.update(aside)
        _settle({*changed, "callbacks"})  # a list that may have grown in place


def pins() -> tuple[Pin, ...]:
    """Those that are in force, outermost first."""
    return tuple(_pins)


def _take_over(config: dict[str, Any], keys: set[str]) -> None:
    """From now on these keys of DSPy's settings are ours to settle."""
    if not _aside:
        config.__class__ = _pinned_class(type(config))
    for key in keys - _aside.keys():
        _aside[key] = config.get(key, _MISSING)
        _stood.setdefault(key, {})[id(_aside[key])] = _aside[key]


def _settle(keys: set[str]) -> None:
    """Make these keys of DSPy's settings what the pins, or what is put aside, say."""
    config = _dspy.base_config()
    assert config is not None  # noqa: S101 - else nothing would be pinned
    for key in keys:
        value = _in_force(key)
        _stood.setdefault(key, {})[id(value)] = value
        if value is _MISSING:
            dict.pop(config, key, None)
        else:
            dict.__setitem__(config, key, value)
        if not (any(key in p.values for p in _pins) or (key == "callbacks" and _is_held())):
            _aside.pop(key, None)
    if not _aside:
        config.__class__ = type(config).__mro__[1]


def _in_force(key: str) -> Any:
    if key == "callbacks":
        ours, theirs = _own_callbacks(), _aside[key]
        return added_up(theirs, ours) if ours else theirs
    return next((p.values[key] for p in reversed(_pins) if key in p.values), _aside[key])


def _is_held() -> bool:
    return bool(_pins or _listeners)


def _own_callbacks() -> list[Any]:
    """Callbacks of the pins, and those that hear of everything."""
    return [*_listeners, *(callback for p in _pins for callback in p.ready.callbacks)]


def _put(config: dict[str, Any], key: str, value: Any) -> None:
    """What `dspy.configure` comes down to, while something is pinned."""
    with _lock:
        if key not in _aside or config is not _dspy.base_config():  # a copy of it
            dict.__setitem__(config, key, value)
        elif key == "callbacks":
            _aside[key] = [callback for callback in value if callback not in _own_callbacks()]
            _settle({key})
        else:
            _aside[key] = value
            if _in_force(key) is not value:
                _pins[-1].tell(key)


def _pinned_class(plain: type) -> type:
    return type(f"Pinned{plain.__name__}", (plain,), {"__setitem__": _put, "__slots__": ()})


def _is_plumbing(module: str) -> bool:
    return module.startswith(("dspy_profiles.", "dspy.dsp.utils."))
