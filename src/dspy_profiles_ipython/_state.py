"""The profile that this notebook has applied, and the state before it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspy_profiles.config import (
    SESSION_VARIABLE,
    are_locations_pinned,
    find_locations,
    locate,
    pin_locations,
    unpin_locations,
)

if TYPE_CHECKING:
    from dspy_profiles.activation import Configured, Prepared
    from dspy_profiles.config import Stamp
    from dspy_profiles.profiles import ResolvedProfile

__all__ = ["State", "look"]


def look() -> None:
    """Pin the files that count, found from the folder where this notebook started.

    A later chdir has no effect; new files are found.
    """
    is_below_run = SESSION_VARIABLE in os.environ  # it holds the folder where `run` started
    started = locate().cwd if are_locations_pinned() and not is_below_run else None
    pin_locations(find_locations(started))


class State:
    """The applied profile, at most one, with the handle that restores the state before it."""

    def __init__(self) -> None:
        self._before = locate() if are_locations_pinned() else None
        self._handle: Configured | None = None
        self._ready: Prepared | None = None
        self._overrides: Mapping[str, Any] = {}
        self._stamps: dict[Path, Stamp | None] = {}

    @property
    def profile(self) -> "ResolvedProfile | None":
        """The profile that a magic has applied, or None."""
        return None if self._handle is None else self._handle.profile

    def switch(self, name: str, overrides: Mapping[str, Any]) -> "ResolvedProfile":
        """Replace the applied profile. If that fails, nothing changes."""
        from dspy_profiles.activation import CACHE, configure
        from dspy_profiles.config import file_stamp

        ready = CACHE.get(name, overrides)  # raises before anything changes
        self.off()
        self._handle = configure(name, **overrides)
        self._ready, self._overrides = ready, overrides
        files = self._handle.profile.files  # after an error, read all files again
        self._stamps = {path: None if ready.reported else file_stamp(path) for path in files}
        return self._handle.profile

    def off(self) -> "ResolvedProfile | None":
        """Turn the profile off; return it, or None if no profile was applied."""
        handle = self._handle
        if handle is None:
            return None
        handle.restore()  # if it raises, as in another thread, the profile stays applied
        self._handle = self._ready = None
        return handle.profile

    def configured_since(self) -> list[str]:
        """Return the profile's keys that `dspy.configure` has set since."""
        from dspy_profiles import _dspy
        from dspy_profiles.activation import innermost_pin
        from dspy_profiles.profiles import ACTIVE

        config = _dspy.base_config()
        if self._ready is None or config is None or innermost_pin() is not None:
            return []
        values = self._ready.values
        return [key for key in values if key != ACTIVE and config.get(key) is not values[key]]

    def is_outdated(self) -> bool:
        """Return whether the profile's files have changed its values since.

        Raise ProfileError if the profile is not valid any more.
        """
        from dspy_profiles.config import file_stamp
        from dspy_profiles.profiles import Choice, Scene, resolve_choice

        applied = self.profile
        if applied is None:
            return False
        if all(file_stamp(path) == stamp for path, stamp in self._stamps.items()):
            return False
        choice = Choice(applied.name, applied.reason)
        now = resolve_choice(Scene.now(), choice, self._overrides)
        return now.values != applied.values

    def leave(self) -> None:
        """Restore the configuration, and the locations of files."""
        if self._before is None:
            unpin_locations()
        else:
            pin_locations(self._before)
        self.off()
