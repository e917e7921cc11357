"""In the child, right after DSPy was imported: its profile is pinned beneath all that follows."""

import os
import sys
import threading
from types import TracebackType
from typing import NamedTuple

from dspy_profiles import resolver
from dspy_profiles.activation import stages
from dspy_profiles.activation.prepared import Prepared, watch_of
from dspy_profiles.activation.session import pin
from dspy_profiles.calls import held_in
from dspy_profiles.errors import ProfileError
from dspy_profiles.guard import Guard
from dspy_profiles.imports import make_importable
from dspy_profiles.launcher import readiness
from dspy_profiles.launcher.session import Session
from dspy_profiles.locations import SESSION_VARIABLE
from dspy_profiles.resolved import ResolvedProfile
from dspy_profiles.resolver import Choice, Scene
from dspy_profiles.secrets import redact, retold

__all__ = ["Fault", "activate"]

HINT = "code that names its own LM knows nothing of profiles: give it the active one, lm()"


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
        said, _ = retold(error)
        return Fault(f"the profile cannot be activated: {said}", ProfileError.exit_code)
    return None


def _pin(session: Session) -> None:
    # Not by name: a forced session gives every name this profile, without the session's overrides.
    scene = Scene.now()
    choice = Choice(session.profile, session.reason)
    profile = readiness.resolve(scene, choice, session.overrides)
    readiness.set_variables(profile)
    make_importable((scene.locations.cwd, scene.locations.root))
    ready = Prepared(profile, is_default=False, watch=watch_of(profile, scene))
    ready.build()
    pin(ready, _tell)
    if resolver.is_forced() and resolver.is_offline(profile):
        stages.stand((Guard("this program", "--force with an offline profile", HINT),))
    _show_what_is_held()


def _show_what_is_held() -> None:
    """What was held back on its way past DSPy is an error of ours when it comes out: one line."""
    hook, thread_hook = sys.excepthook, threading.excepthook

    def shown(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if (held := held_in(error)) is None:
            hook(kind, error, trace)
        else:
            sys.stderr.write(f"dspy-profiles: error: {redact(str(held.error))}\n")

    def shown_of_thread(args: threading.ExceptHookArgs) -> None:
        if held_in(args.exc_value) is None or args.exc_value is None:
            thread_hook(args)
        else:
            shown(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = shown
    threading.excepthook = shown_of_thread


def _tell(profile: ResolvedProfile, key: str, file: str, line: int) -> None:
    sys.stderr.write(
        f"dspy-profiles: {file}:{line} configures {key}, which is put aside: `dspy-profiles run` "
        f'has this program on the profile "{profile.name}" ({profile.reason})\n'
    )
