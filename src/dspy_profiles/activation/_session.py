"""A profile for a whole session: pinned beneath `dspy.configure`, so that it stays.

Every thread sees it, no spelling of `configure` replaces it, blocks inside of it win. Settings that
the program configures meanwhile are kept, and come back when the session ends.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from dspy_profiles import _dspy, plugins
from dspy_profiles._locks import ProcessLock
from dspy_profiles.activation._cache import CACHE
from dspy_profiles.activation._overlay import combined
from dspy_profiles.activation._prepare import Prepared
from dspy_profiles.display import visible
from dspy_profiles.profiles import ResolvedProfile

__all__ = [
    "SESSION",
    "Pin",
    "Session",
    "add_listener",
    "innermost_pin",
    "pin_session",
    "remove_listener",
    "warn_on_stderr",
]

# Called with the key that the program set, and the file and line of that statement.
Notify = Callable[[ResolvedProfile, str, str, int], None]

IN_FORCE = "dspy_profile_pins"  # the key of a snapshot, among DSPy's own settings
_MISSING = object()


class Snapshot:
    """The values of pinned keys at one moment.

    It stands among DSPy's settings while something is pinned. A `dspy.context` copies it with
    everything else: so a value that the context copied can be told from one that it named.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def __deepcopy__(self, _memo: object) -> "Snapshot":
        return self  # it is compared by identity of its values

    def __reduce__(self) -> tuple[type["Snapshot"], tuple[dict[str, Any]]]:
        return Snapshot, ({},)  # in another process nothing is pinned by it


class Pin:
    """One pinned profile; the latest one wins."""

    def __init__(self, session: "Session", ready: Prepared, notify: Notify) -> None:
        self._session = session
        self.ready = ready
        self.values = ready.values
        self._notify = notify
        self._reported: set[tuple[str, int]] = set()

    @property
    def profile(self) -> ResolvedProfile:
        return self.ready.profile

    def release(self) -> None:
        """Unpin the profile. Safe to call twice."""
        self._session.release(self)

    def report(self, key: str) -> None:
        """Report, once per place, that the profile overrides what the program sets there."""
        frame = sys._getframe(1)  # noqa: SLF001 - the line of the caller is what helps
        while frame.f_back is not None and _is_plumbing(frame.f_globals.get("__name__", "")):
            frame = frame.f_back
        place = (frame.f_code.co_filename, frame.f_lineno)
        if place not in self._reported:
            self._reported.add(place)
            self._notify(self.profile, key, *place)


def warn_on_stderr(profile: ResolvedProfile, key: str, file: str, line: int) -> None:
    """Print one line for the reader of the terminal."""
    text = (
        f"dspy-profiles: warning: {file}:{line} sets {key}, but profile "
        f'"{profile.name}" ({profile.reason}) overrides it\n'
    )
    sys.stderr.write(visible(text))


class Session:
    """The pins and listeners of this process, and what the program itself has configured."""

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._pins: list[Pin] = []
        self._listeners: list[Any] = []  # callbacks that see every call, whatever is pinned
        # Of the pinned keys: what would be in force without pins, and what was there before them.
        self._aside: dict[str, Any] = {}
        self._before: dict[str, Any] = {}

    def pin(self, ready: Prepared, notify: Notify = warn_on_stderr) -> Pin:
        """Pin a profile until it is released. Nested pins are released from the inside out."""
        config = _dspy.base_config()
        if config is None:
            raise _dspy.unfit("keeps its settings where a session cannot be pinned")
        if ready.built is None:  # else the pin would be empty, without a word
            ready.build()
        with self._lock:
            pin = Pin(self, ready, notify)
            self._take_over(config, {*pin.values, "callbacks"})
            self._pins.append(pin)
            self._settle({*pin.values, "callbacks"})
            CACHE.set_session(self._pins[0].ready)
        plugins.manager().hook.dspy_profiles_activated(profile=ready.profile)
        return pin

    def release(self, pin: Pin) -> None:
        """Unpin a profile. Safe to call twice."""
        with self._lock:
            if pin not in self._pins:
                return
            self._pins.remove(pin)
            self._settle({*pin.values, "callbacks"})
            CACHE.set_session(self._pins[0].ready if self._pins else None)
        plugins.manager().hook.dspy_profiles_deactivated(profile=pin.profile)

    def add_listener(self, callback: Any) -> None:
        """Add a callback that sees every call of the process, beside the program's own."""
        config = _dspy.base_config()
        if config is None:
            raise _dspy.unfit("keeps its settings where nothing can be recorded")
        with self._lock:
            self._take_over(config, {"callbacks"})
            self._listeners.append(callback)
            self._settle({"callbacks"})

    def remove_listener(self, callback: Any) -> None:
        """Remove a callback. Safe to call twice."""
        with self._lock:
            if callback in self._listeners:
                self._listeners.remove(callback)
                self._settle({"callbacks"})

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pins in force, outermost first."""
        return tuple(self._pins)

    def innermost(self) -> Pin | None:
        """Return the pin that wins, if any."""
        return self._pins[-1] if self._pins else None

    def refreshed(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return overrides in which values that a `dspy.context` copied are those of now.

        It copies every setting when it is entered, so a pin that has changed since stays hidden.
        """
        config = _dspy.base_config() or {}
        snapshot = overrides.get(IN_FORCE)
        # A key that was not pinned when the context copied it may be pinned now.
        copied = {**self._before, **(snapshot.values if snapshot is not None else {})}
        now = {
            key: self._in_force(key) if key in self._aside else config.get(key, _MISSING)
            for key, value in copied.items()
            if key in overrides and overrides[key] is value
        }
        if snapshot is not None:
            now[IN_FORCE] = config.get(IN_FORCE, _MISSING)
        found = {**overrides, **now}
        return {key: value for key, value in found.items() if value is not _MISSING}

    def unpinned_settings(self) -> dict[str, Any]:
        """Return what the program itself has configured: DSPy's settings without any pin."""
        config = _dspy.base_config() or {}
        with self._lock:
            found = {**config, **self._aside}
            found.pop(IN_FORCE, None)
            for key in [key for key, value in self._aside.items() if value is _MISSING]:
                del found[key]
        return found

    def restore(self, values: Mapping[str, Any], pins: Sequence[Pin]) -> None:
        """Make these values what the program has configured, and leave only these pins."""
        for extra in [pin for pin in reversed(self._pins) if pin not in pins]:
            extra.release()
        config = _dspy.base_config()
        if config is None:
            return
        with self._lock:
            for key in config.keys() - values.keys() - self._aside.keys() - {IN_FORCE}:
                dict.pop(config, key)
            own = {key: value for key, value in values.items() if key not in self._aside}
            dict.update(config, own)
            if not self._aside:
                return
            aside = {key: values.get(key, _MISSING) for key in self._aside}
            changed = {key for key, value in aside.items() if value is not self._aside[key]}
            self._aside.update(aside)
            self._settle({*changed, "callbacks"})  # a list that may have grown in place

    def put(self, config: dict[str, Any], key: str, value: Any) -> None:
        """Set one key as `dspy.configure` does, while something is pinned."""
        with self._lock:
            if key not in self._aside or config is not _dspy.base_config():  # a copy of it
                dict.__setitem__(config, key, value)
            elif key == "callbacks":
                ours = self._own_callbacks()
                self._aside[key] = [callback for callback in value if callback not in ours]
                self._settle({key})
            else:
                self._aside[key] = value
                if self._in_force(key) is not value:
                    self._pins[-1].report(key)

    def _take_over(self, config: dict[str, Any], keys: set[str]) -> None:
        """Take charge of these keys of DSPy's settings."""
        if not self._aside:
            config.__class__ = _pinned_class(type(config))
        for key in keys - self._aside.keys():
            self._aside[key] = self._before[key] = config.get(key, _MISSING)

    def _settle(self, keys: set[str]) -> None:
        """Set these keys of DSPy's settings to what the pins, or else the program, say."""
        config = _dspy.base_config()
        assert config is not None  # noqa: S101 - else nothing would be pinned
        for key in keys:
            value = self._in_force(key)
            if value is _MISSING:
                dict.pop(config, key, None)
            else:
                dict.__setitem__(config, key, value)
            if not self._is_taken(key):
                self._aside.pop(key, None)
                self._before.pop(key, None)
        if self._aside:
            now = {key: config.get(key, _MISSING) for key in self._aside}
            dict.__setitem__(config, IN_FORCE, Snapshot(now))
        else:
            dict.pop(config, IN_FORCE, None)
            config.__class__ = type(config).__mro__[1]

    def _is_taken(self, key: str) -> bool:
        if key == "callbacks":
            return bool(self._pins or self._listeners)
        return any(key in pin.values for pin in self._pins)

    def _in_force(self, key: str) -> Any:
        if key == "callbacks":
            ours, theirs = self._own_callbacks(), self._aside[key]
            return combined(theirs, ours) if ours else theirs
        winners = (pin.values[key] for pin in reversed(self._pins) if key in pin.values)
        return next(winners, self._aside[key])

    def _own_callbacks(self) -> list[Any]:
        """Return the listeners, and the callbacks of the pins."""
        return [*self._listeners, *(callback for p in self._pins for callback in p.ready.callbacks)]


SESSION = Session()
pin_session, innermost_pin = SESSION.pin, SESSION.innermost
add_listener, remove_listener = SESSION.add_listener, SESSION.remove_listener


@cache
def _pinned_class(plain: type) -> type:
    def put(config: dict[str, Any], key: str, value: Any) -> None:
        SESSION.put(config, key, value)

    return type(f"Pinned{plain.__name__}", (plain,), {"__setitem__": put, "__slots__": ()})


def _is_plumbing(module: str) -> bool:
    return module.startswith(("dspy_profiles.", "dspy.dsp.utils."))
