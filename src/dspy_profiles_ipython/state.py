"""Which profile this notebook runs on, and how it was before."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspy_profiles import locations

if TYPE_CHECKING:
    from dspy_profiles.activation import Configured
    from dspy_profiles.resolved import ResolvedProfile

__all__ = ["State"]

Stamps = dict[Path, object]


class State:
    """At most one profile is applied at a time; its handle leads back to what was before it."""

    def __init__(self) -> None:
        self._located = locations.current() if locations.pinned() else None
        locations.pin(locations.find())  # a later chdir changes nothing
        self._handle: Configured | None = None
        self._stamps: Stamps = {}

    @property
    def profile(self) -> "ResolvedProfile | None":
        """The one that a magic has applied."""
        return None if self._handle is None else self._handle.profile

    def switch(self, name: str, overrides: Mapping[str, Any]) -> "ResolvedProfile":
        """Apply a profile in place of the one before; where that fails, all stays as it is."""
        from dspy_profiles import activation
        from dspy_profiles.activation.prepared import prepared

        prepared(name, overrides)  # raises before anything is undone
        self.off()
        self._handle = activation.configure(name, **overrides)
        self._stamps = _stamps(self._handle.profile.files)
        return self._handle.profile

    def off(self) -> "ResolvedProfile | None":
        """Go back to what was configured before; the profile that was applied, if one was."""
        if self._handle is None:
            return None
        handle, self._handle = self._handle, None
        handle.restore()
        return handle.profile

    def changed_files(self) -> list[Path]:
        """Files of the applied profile that were edited since."""
        now = _stamps(self._stamps)
        return [path for path, stamp in self._stamps.items() if now[path] != stamp]

    def leave(self) -> None:
        self.off()
        if self._located is None:
            locations.unpin()
        else:
            locations.pin(self._located)


def _stamps(paths: Any) -> Stamps:
    from dspy_profiles import document

    return {path: document.stamp(path) for path in paths}
