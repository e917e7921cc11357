"""Which profile this notebook runs on, and how it was before."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspy_profiles import locations

if TYPE_CHECKING:
    from dspy_profiles.activation import Configured
    from dspy_profiles.activation.prepared import Prepared
    from dspy_profiles.document import Stamp
    from dspy_profiles.resolved import ResolvedProfile

__all__ = ["State", "look"]


def look() -> None:
    """Pin the files that count, as they are found now from where this notebook started.

    A later chdir changes nothing; a file that a cell has written since is seen.
    """
    is_below_run = locations.SESSION_VARIABLE in os.environ  # which knows where it started
    started = locations.current().cwd if locations.pinned() and not is_below_run else None
    locations.pin(locations.find(started))


class State:
    """At most one profile is applied at a time; its handle leads back to what was before it."""

    def __init__(self) -> None:
        self._before = locations.current() if locations.pinned() else None
        self._handle: Configured | None = None
        self._ready: Prepared | None = None
        self._overrides: Mapping[str, Any] = {}
        self._stamps: dict[Path, Stamp | None] = {}

    @property
    def profile(self) -> "ResolvedProfile | None":
        """The one that a magic has applied."""
        return None if self._handle is None else self._handle.profile

    def switch(self, name: str, overrides: Mapping[str, Any]) -> "ResolvedProfile":
        """Apply a profile in place of the one before; where that fails, all stays as it is."""
        from dspy_profiles import activation, document
        from dspy_profiles.activation.prepared import prepared

        ready = prepared(name, overrides)  # raises before anything is undone
        self.off()
        self._handle = activation.configure(name, **overrides)
        self._ready, self._overrides = ready, overrides
        files = self._handle.profile.files  # of one that stays as it was, none is as it was read
        self._stamps = {path: None if ready.told else document.stamp(path) for path in files}
        return self._handle.profile

    def off(self) -> "ResolvedProfile | None":
        """Go back to what was configured before; the profile that was applied, if one was."""
        handle = self._handle
        if handle is None:
            return None
        handle.restore()  # raises in a thread that may not: then it still is applied
        self._handle = self._ready = None
        return handle.profile

    def configured_since(self) -> list[str]:
        """What `dspy.configure` has set since, of what the profile sets."""
        from dspy_profiles import dspy_internals
        from dspy_profiles.activation import session
        from dspy_profiles.resolved import ACTIVE

        config = dspy_internals.base_config()
        if self._ready is None or config is None or session.innermost() is not None:
            return []
        values = self._ready.values
        return [key for key in values if key != ACTIVE and config.get(key) is not values[key]]

    def is_outdated(self) -> bool:
        """Whether the applied profile would be another one now, since a file of it has changed.

        Raises where it could not be applied any more.
        """
        from dspy_profiles import document
        from dspy_profiles.resolver import Choice, Scene, resolve_in

        applied = self.profile
        if applied is None:
            return False
        if all(document.stamp(path) == stamp for path, stamp in self._stamps.items()):
            return False
        choice = Choice(applied.name, applied.reason)
        now = resolve_in(Scene.now(), choice, self._overrides)
        return now.values != applied.values

    def leave(self) -> None:
        """Put back what was configured, and which files count."""
        if self._before is None:
            locations.unpin()
        else:
            locations.pin(self._before)
        self.off()
