"""The active profile: which one is pinned, and which stages calls pass."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
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
from dspy_profiles.config import (
    Locations,
    are_locations_pinned,
    locate,
    pin_locations,
    unpin_locations,
)
from dspy_profiles.errors import ProfileError, ProfileWarning
from dspy_profiles.objects import Content, content
from dspy_profiles.profiles import FORCE_VARIABLE, NAME_VARIABLE, ResolvedProfile
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._scopes import Scope
from pytest_dspy_profiles._select import ProfileChoice

__all__ = ["ActiveProfile"]


class ActiveProfile:
    """The one profile that is pinned for all threads; the next one replaces it."""

    def __init__(self, session_config: SessionConfig) -> None:
        self.pin: Pin | None = None
        self._config = session_config
        self._prepared: dict[tuple[str, Content], Prepared | ProfileError] = {}
        self._reported: set[tuple[str, int]] = set()

    @contextmanager
    def session(self) -> Iterator[None]:
        """Let the process use the session's files, stages and forced profile, until the end."""
        forced = self._config.named.names[0] if self._config.forced else None
        variables = {FORCE_VARIABLE: "1", NAME_VARIABLE: forced} if forced else {}
        with _pinned_locations(self._config.scene.locations), _variables(variables):
            stages = set_process_stages(())
            try:
                yield
            finally:
                self.switch(None, None)
                set_process_stages(stages)

    def prepared(self, choice: ProfileChoice) -> Prepared | None:
        """Return the chosen profile with its objects, built once; None if none is chosen."""
        if not choice.names:
            return None
        (name,) = choice.names
        key = (name, content(choice.overrides))
        result = self._prepared.get(key)
        if result is None:
            result = self._prepared[key] = self._prepare(name, choice)
        if isinstance(result, ProfileError):
            raise result.with_traceback(None)
        return result

    def _prepare(self, name: str, choice: ProfileChoice) -> Prepared | ProfileError:
        try:
            prepared = prepare(self._config.scene, choice.choice(name), choice.overrides)
            prepared.build()
        except ProfileError as error:
            return error
        return prepared

    def switch(self, prepared: Prepared | None, scope: Scope | None) -> None:
        """Make a profile active for the process, and let calls pass the stages of a scope."""
        if (None if self.pin is None else self.pin.ready) is not prepared:
            if self.pin is not None:
                self.pin.release()
            self.pin = None if prepared is None else pin_session(prepared, self._warn)
        set_process_stages(scope.stages if scope is not None else ())

    def stages(
        self, scope: Scope, *, only_over_others: bool = False
    ) -> AbstractContextManager[None]:
        """Let calls in a block belong to a scope, also in threads that copy its context."""
        return stages_for_block(scope.stages, only_over_others=only_over_others)

    def active(self) -> ResolvedProfile | None:
        """Return the profile that the program sees as active."""
        return current_profile()

    def _warn(self, profile: ResolvedProfile, key: str, file: str, line: int) -> None:
        if (file, line) in self._reported:
            return
        self._reported.add((file, line))
        warnings.warn_explicit(
            f'{key} is set here, but profile "{profile.name}" ({profile.reason}) overrides it: '
            "use dspy.context(…) or `with profile(…)`, or mark the test dspy_profile(None)",
            ProfileWarning,
            file,
            line,
            module=Path(file).stem,
        )


@contextmanager
def _pinned_locations(locations: Locations) -> Iterator[None]:
    """Use the files that this session read, even if code changes the current folder."""
    before = locate() if are_locations_pinned() else None
    pin_locations(locations)
    try:
        yield
    finally:
        if before is None:
            unpin_locations()
        else:
            pin_locations(before)


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
