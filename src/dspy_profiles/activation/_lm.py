"""LMs and embedders of profiles, for code that passes them on itself."""

from collections.abc import Mapping
from typing import Any

from dspy_profiles.activation._block import current_profile
from dspy_profiles.activation._cache import CACHE
from dspy_profiles.activation._prepare import Prepared
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles import (
    SECTIONS,
    Overrides,
    ResolvedProfile,
    demand_trust,
    is_forced,
    override,
)

__all__ = ["embedder", "lm"]


def lm(name: str | None = None, role: str | None = None, **overrides: Any) -> Any:
    """Return the LM of a profile or of one of its roles. Default: the active profile.

    It is the same object for as long as its content, file and secrets are unchanged. Overrides are
    arguments of `dspy.LM`.

    >>> lm("prod"), lm("prod", temperature=0), lm(role="teacher")  # doctest: +SKIP
    """
    if role is not None and not isinstance(role, str):
        raise InvalidProfile(f"role must be a string, not {role!r}")
    overrides = Overrides(overrides)
    sections = Overrides()
    mistaken = [name for name in overrides if name in SECTIONS and name != "provider"]
    if mistaken:
        raise InvalidProfile(
            f"lm() takes arguments of dspy.LM, not the section {mistaken[0]}",
            hint='write lm("prod", temperature=0)',
        )
    if overrides:
        sections["lm" if role is None else "lms"] = overrides if role is None else {role: overrides}
    found = _profile(name, sections)
    from dspy_profiles.objects import build_lm, provider_of  # imports DSPy

    if isinstance(found, Prepared):
        found.provider = provider_of(found.profile)
        found = found.profile
    return build_lm(found, role)


def embedder(name: str | None = None, **overrides: Any) -> Any:
    """Return the embedder of a profile. Default: the active profile.

    >>> embedder("prod")(["a text"])  # doctest: +SKIP
    """
    overrides = Overrides(overrides)
    found = _profile(name, Overrides(embedder=overrides) if overrides else {})
    found = found.profile if isinstance(found, Prepared) else found
    from dspy_profiles.objects import build_embedder

    return build_embedder(found)


def _profile(name: str | None, overrides: Mapping[str, Any]) -> ResolvedProfile | Prepared:
    active = current_profile() if name is None and not is_forced() else None
    if active is not None:
        return override(active, overrides) if overrides else active
    found = CACHE.get(name, overrides, build=False)
    demand_trust(found.profile)
    return found
