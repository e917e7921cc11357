"""The child's side of `run`: right after DSPy is imported, pin the session's profile."""

import atexit
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dspy_profiles.activation import pin_session, prepare, set_process_stages
from dspy_profiles.calls import FORCED, Stage
from dspy_profiles.config import SESSION_VARIABLE
from dspy_profiles.display import visible
from dspy_profiles.errors import ProfileError, Untrusted
from dspy_profiles.profiles import (
    Choice,
    ResolvedProfile,
    Scene,
    is_forced,
    is_offline,
)
from dspy_profiles.run._refusals import REFUSALS
from dspy_profiles.run.session import Session
from dspy_profiles.secrets import invalid_lines, redacted_error, warn_no_more

if TYPE_CHECKING:
    from dspy_profiles.calls.cassettes import Cassette

__all__ = ["Fault", "activate"]


class Fault(NamedTuple):
    """The error that kept the profile from being activated, and the exit code for it."""

    text: str
    exit_code: int


def activate() -> Fault | None:
    """Activate the profile of the session that this process is part of."""
    try:
        session = Session.from_text(os.environ[SESSION_VARIABLE])
        try:
            _pin(session)
        except Untrusted as error:
            from dspy_profiles.run._asking import is_allowed  # rarely needed

            if not is_allowed(error):
                raise
            _pin(session)
    except ProfileError as error:
        return Fault(visible(str(error)), error.exit_code)
    except Exception as error:  # noqa: BLE001 - to go on without the profile is worse
        message, _ = redacted_error(error)
        return Fault(visible(f"the profile cannot be activated: {message}"), ProfileError.exit_code)
    return None


def _pin(session: Session) -> None:
    if session.experiment is not None:
        _take_part(session.experiment, Path(str(session.folder)))
    if session.profile is None:
        return
    # Not by name: a forced session gives every name this profile, without the session's overrides.
    scene = Scene.now()
    choice = Choice(session.profile, session.reason)
    invalid_lines(scene.env_files)  # the parent has reported them
    warn_no_more()
    ready = prepare(scene, choice, session.overrides)
    pin_session(ready)
    if stages := _stages(session, ready.profile):
        set_process_stages(stages)
    REFUSALS.begin(None if session.report is None else Path(session.report))


def _stages(session: Session, profile: ResolvedProfile) -> Sequence[Stage]:
    """Return the stages for calls of this program, except in blocks with stages of their own."""
    stages: list[Stage] = []
    if profile.provider.get("class") == "replay":
        from dspy_profiles.run._stages import SessionReplay

        stages.append(SessionReplay())
    if is_forced() and is_offline(profile):
        from dspy_profiles.run._stages import SessionGuard

        stages.append(SessionGuard("this program", "--force with an offline profile", FORCED))
    if session.cassette is not None:
        stages += _cassette_stages(session.cassette, session.mode, profile)
    return stages


def _take_part(experiment: str, folder: Path) -> None:
    """Record this process as part of the experiment, until the program ends."""
    from dspy_profiles.results.recording import take_part

    atexit.register(take_part(folder, experiment, parent=os.getppid()).close)


def _cassette_stages(path: str, mode: str, profile: ResolvedProfile) -> Sequence[Stage]:
    """Return the stage of the session's cassette, which is written when the program ends."""
    from dspy_profiles.calls.cassettes import Cassette
    from dspy_profiles.run._stages import SessionPlayer

    shown = shlex.quote(os.path.relpath(path))
    command = f"dspy-profiles run --cassette {shown} --cassettes new -- …"
    cassette = Cassette(path, mode, profile=profile.fingerprint, command=command)
    atexit.register(_save, cassette)
    if cassette.recording:
        _save_in_forks(cassette)
    return () if mode == "off" else (SessionPlayer(cassette),)


def _save_in_forks(cassette: "Cassette") -> None:
    """Save what a fork of multiprocessing recorded: such a fork runs no atexit functions."""
    from multiprocessing import util

    def forked(cassette: "Cassette") -> None:
        cassette.discard()  # the parent writes what it has recorded so far
        util.Finalize(None, _save, args=(cassette,), exitpriority=0)

    util.register_after_fork(cassette, forked)


def _save(cassette: "Cassette") -> None:
    try:
        if REFUSALS.has_ended_by_error and cassette.mode in ("once", "all"):
            cassette.discard()  # half of a program's calls is no cassette
        else:
            cassette.save()
    except ProfileError as error:
        sys.stderr.write(visible(f"dspy-profiles: error: {error}\n"))
