"""The child's side of `run`, right before DSPy is imported: set what DSPy reads while it is."""

import os

from dspy_profiles.config import SESSION_VARIABLE
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import Choice, Scene, resolve_choice, set_variables
from dspy_profiles.run.session import Session
from dspy_profiles.secrets import invalid_lines, warn_no_more

__all__ = ["set_held_variables"]


def set_held_variables() -> None:
    """Set the variables that the parent has held back, if code of the project runs by now.

    Errors are raised once DSPy is imported, where the profile is activated.
    """
    try:
        session = Session.from_text(os.environ[SESSION_VARIABLE])
        if not session.held or session.profile is None:
            return
        scene = Scene.now()
        invalid_lines(scene.env_files)
        warn_no_more()
        scene.load_env([])
        choice = Choice(session.profile, session.reason)
        set_variables(resolve_choice(scene, choice, session.overrides), [])
    except ProfileError:
        return
