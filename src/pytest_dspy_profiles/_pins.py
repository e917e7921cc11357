"""What is in force: the profile that is pinned, and the stages that calls pass."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dspy_profiles.activation import (
    Pin,
    Prepared,
    current_profile,
    pin_session,
    prepare,
    set_process_stages,
    stages_for_block,
)
from dspy_profiles.config import are_locations_pinned, locate, pin_locations, unpin_locations
from dspy_profiles.errors import ProfileError, ProfileWarning
from dspy_profiles.objects import Content, content
from dspy_profiles.profiles import FORCE_VARIABLE, NAME_VARIABLE, ResolvedProfile
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._scopes import Scope
from pytest_dspy_profiles._select import ProfileChoice

__all__ = ["ActiveProfile"]


class ActiveProfile:
    """One profile at a time is pinned, for all threads; the next one takes its place."""

    def __init__(self, asked: SessionConfig) -> None:
        self._asked = asked
        self._ready: dict[tuple[str, Content], Prepared | ProfileError] = {}
        self.pin: Pin | None = None
        self._told: set[tuple[str, int]] = set()
        self._environ = {name: os.environ.get(name) for name in (FORCE_VARIABLE, NAME_VARIABLE)}
        self._located = locate() if are_locations_pinned() else None
        pin_locations(asked.scene.locations)
        if asked.forced:
            os.environ[FORCE_VARIABLE] = "1"
            os.environ[NAME_VARIABLE] = asked.named.names[0]
        self._stages_before = set_process_stages(())

    def ready(self, chosen: ProfileChoice) -> Prepared | None:
        """The chosen profile with its objects; None where none is chosen. Made once."""
        if not chosen.names:
            return None
        (name,) = chosen.names
        key = (name, content(chosen.overrides))
        found = self._ready.get(key)
        if found is None:
            found = self._ready[key] = self._made(name, chosen)
        if isinstance(found, ProfileError):
            raise found.with_traceback(None)
        return found

    def _made(self, name: str, chosen: ProfileChoice) -> Prepared | ProfileError:
        try:
            made = prepare(self._asked.scene, chosen.choice(name), chosen.overrides)
            made.build()
        except ProfileError as error:
            return error
        return made

    def switch(self, ready: Prepared | None, scope: Scope | None) -> None:
        """Have this profile in force, and calls belong to this scope, wherever nothing else is."""
        if (None if self.pin is None else self.pin.ready) is not ready:
            if self.pin is not None:
                self.pin.release()
            self.pin = None if ready is None else pin_session(ready, self._warn)
        set_process_stages(scope.stages if scope is not None else ())

    @contextmanager
    def laid(self, scope: Scope, *, only_over_others: bool = False) -> Iterator[None]:
        """Also for what copies a context: calls from in here belong to the scope for good."""
        with stages_for_block(scope.stages, only_over_others=only_over_others):
            yield

    def active(self) -> ResolvedProfile | None:
        """What the program sees as active, here and now."""
        return current_profile()

    def leave(self) -> None:
        """Put back what was before the session."""
        self.switch(None, None)
        set_process_stages(self._stages_before)
        if self._located is None:
            unpin_locations()
        else:
            pin_locations(self._located)
        for name, value in self._environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _warn(self, profile: ResolvedProfile, key: str, file: str, line: int) -> None:
        if (file, line) in self._told:
            return
        self._told.add((file, line))
        warnings.warn_explicit(
            f'{key} is configured while the profile "{profile.name}" ({profile.reason}) is in '
            "effect: that is put aside. Use `with profile(…)` or dspy.context(…) here, or mark "
            "the test dspy_profile(None)",
            ProfileWarning,
            file,
            line,
            module=Path(file).stem,
        )
