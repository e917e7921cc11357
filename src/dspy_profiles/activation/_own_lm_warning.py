"""The warning about a predictor with an LM of its own, which the profile does not replace."""

import warnings
import weakref
from typing import Any

import dspy

from dspy_profiles.calls import calling_line
from dspy_profiles.errors import ProfileWarning
from dspy_profiles.objects import is_built_for
from dspy_profiles.profiles import ACTIVE, ResolvedProfile

__all__ = ["warn_about_own_lm"]

_reported: weakref.WeakSet[Any] = weakref.WeakSet()  # predictors: each is reported once


def warn_about_own_lm(lm: Any) -> None:
    """Warn if `set_lm`, or a saved program, gave this LM to the predictor that calls it."""
    predictor = (dspy.settings.caller_modules or [None])[-1]
    if getattr(predictor, "lm", None) is not lm or lm is None or lm is dspy.settings.lm:
        return
    profile: ResolvedProfile | None = dspy.settings.get(ACTIVE)
    if profile is None or not (profile.lm or profile.provider) or predictor in _reported:
        return
    if is_built_for(profile, lm):  # one of the profile's roles
        return
    _reported.add(predictor)
    where = calling_line()
    warnings.warn_explicit(
        f'profile "{profile.name}" does not change this program: it has its own LM, {lm.model}; '
        "set_lm(None) removes it",
        ProfileWarning,
        str(where.file) if where is not None else "<unknown>",
        (where.line if where is not None else None) or 1,
    )
