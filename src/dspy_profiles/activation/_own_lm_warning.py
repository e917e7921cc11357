"""A word where a program keeps an LM of its own: no profile says what that one calls."""

import warnings
import weakref
from typing import Any

import dspy

from dspy_profiles.calls import calling_line
from dspy_profiles.errors import ProfileWarning
from dspy_profiles.objects import is_built_for
from dspy_profiles.profiles import ACTIVE, ResolvedProfile

__all__ = ["warn_about_own_lm"]

_told: weakref.WeakSet[Any] = weakref.WeakSet()  # predictors: one in a loop is told of once


def warn_about_own_lm(lm: Any) -> None:
    """Warn if this LM is called because `set_lm`, or a program's file, gave it to a predictor."""
    predictor = (dspy.settings.caller_modules or [None])[-1]
    if getattr(predictor, "lm", None) is not lm or lm is None or lm is dspy.settings.lm:
        return
    profile: ResolvedProfile | None = dspy.settings.get(ACTIVE)
    if profile is None or not (profile.lm or profile.provider) or predictor in _told:
        return
    if is_built_for(profile, lm):  # one of its roles: that is what they are for
        return
    _told.add(predictor)
    where = calling_line()
    warnings.warn_explicit(
        f'profile "{profile.name}" does not reach this program: it keeps an LM of its own, '
        f"{lm.model}; set_lm(None) takes that from it",
        ProfileWarning,
        str(where.file) if where is not None else "<unknown>",
        (where.line if where is not None else None) or 1,
    )
