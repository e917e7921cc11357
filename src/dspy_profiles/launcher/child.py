"""In the child, right after DSPy was imported: its profile is pinned beneath all that follows."""

import os
import sys
from typing import NamedTuple

from dspy_profiles.activation.prepared import Prepared, watch_of
from dspy_profiles.activation.session import pin
from dspy_profiles.errors import ProfileError
from dspy_profiles.imports import make_importable
from dspy_profiles.launcher import readiness
from dspy_profiles.launcher.session import Session
from dspy_profiles.locations import SESSION_VARIABLE
from dspy_profiles.resolved import ResolvedProfile
from dspy_profiles.resolver import Choice, Scene
from dspy_profiles.secrets import redact, retold

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


def _tell(profile: ResolvedProfile, key: str, file: str, line: int) -> None:
    sys.stderr.write(
        f"dspy-profiles: {file}:{line} configures {key}, which is put aside: `dspy-profiles run` "
        f'has this program on the profile "{profile.name}" ({profile.reason})\n'
    )
