"""In the child, right after DSPy was imported: its profile is pinned beneath all that follows."""

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
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import (
    Choice,
    ResolvedProfile,
    Scene,
    is_forced,
    is_offline,
)
from dspy_profiles.run import _exit_code
from dspy_profiles.run.session import Session
from dspy_profiles.secrets import invalid_lines, redact, redacted_error

if TYPE_CHECKING:
    from dspy_profiles.calls.cassettes import Cassette

__all__ = ["Fault", "activate"]


class Fault(NamedTuple):
    """What kept the profile from being activated, and what the process is to end with."""

    text: str
    exit_code: int


def activate() -> Fault | None:
    """Activate the profile of the session that this process is part of."""
    try:
        _pin(Session.from_text(os.environ[SESSION_VARIABLE]))
    except ProfileError as error:
        return Fault(redact(str(error)), error.exit_code)
    except Exception as error:  # noqa: BLE001 - whatever it is, going on without the profile is worse
        said, _ = redacted_error(error)
        return Fault(f"the profile cannot be activated: {said}", ProfileError.exit_code)
    return None


def _pin(session: Session) -> None:
    if session.experiment is not None:
        _take_part(session.experiment, Path(str(session.folder)))
    if session.profile is None:
        return
    # Not by name: a forced session gives every name this profile, without the session's overrides.
    scene = Scene.now()
    choice = Choice(session.profile, session.reason)
    invalid_lines(scene.env_files)  # the parent has told of them
    ready = prepare(scene, choice, session.overrides)
    pin_session(ready, _show_put_aside)
    if standing := _standing(session, ready.profile):
        set_process_stages(standing)
    _exit_code.take_over()


def _standing(session: Session, profile: ResolvedProfile) -> Sequence[Stage]:
    """What all calls of this program pass, but where a block lays its own over it."""
    standing: list[Stage] = []
    if profile.provider.get("class") == "replay":
        from dspy_profiles.run._stages import SessionReplay

        standing.append(SessionReplay())
    if is_forced() and is_offline(profile):
        from dspy_profiles.run._stages import SessionGuard

        standing.append(SessionGuard("this program", "--force with an offline profile", FORCED))
    if session.cassette is not None:
        standing += _tape(session.cassette, session.mode, profile)
    return standing


def _take_part(experiment: str, folder: Path) -> None:
    """Write about the experiment until the program ends."""
    from dspy_profiles.results.recording import WorkerJournal

    atexit.register(WorkerJournal(folder, experiment, parent=os.getppid()).close)


def _tape(path: str, mode: str, profile: ResolvedProfile) -> Sequence[Stage]:
    """The cassette of this session; written when the program ends by itself."""
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
    """A fork of multiprocessing ends without what atexit has."""
    from multiprocessing import util

    def forked(cassette: "Cassette") -> None:
        cassette.discard()  # what the parent has recorded so far is the parent's to write
        util.Finalize(None, _save, args=(cassette,), exitpriority=0)

    util.register_after_fork(cassette, forked)


def _save(cassette: "Cassette") -> None:
    try:
        if _exit_code.has_ended_by_error() and cassette.mode in ("once", "all"):
            cassette.discard()  # half of a program's calls is not to stay
        else:
            cassette.save()
    except ProfileError as error:
        sys.stderr.write(f"dspy-profiles: error: {redact(str(error))}\n")


def _show_put_aside(profile: ResolvedProfile, key: str, file: str, line: int) -> None:
    sys.stderr.write(
        f"dspy-profiles: {file}:{line} configures {key}, which is put aside: `dspy-profiles run` "
        f'has this program on the profile "{profile.name}" ({profile.reason})\n'
    )
