"""Whether a profile is fit to be activated, told without DSPy. Parent and child ask the same."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dspy_profiles import plugins, schema
from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import InvalidProfile, PlaintextSecret
from dspy_profiles.profiles import (
    CLIENT_KEYS,
    Choice,
    ResolvedProfile,
    Scene,
    is_offline,
    refuse_missing,
    resolve_choice,
)
from dspy_profiles.schema import Finding
from dspy_profiles.secrets import Secret, load_env_files

__all__ = ["refuse_missing_secrets", "refuse_plaintext", "resolve"]

# These are made when a program asks for them, and ask for their secrets then.
ON_DEMAND = frozenset({"lms", "embedder"})


def resolve(scene: Scene, choice: Choice, overrides: Mapping[str, Any]) -> ResolvedProfile:
    """The profile, sound as far as can be told from DSPy's source; `.env` is loaded for it."""
    load_env_files(scene.env_files)
    profile = resolve_choice(scene, choice, overrides)
    search = (scene.locations.cwd, scene.locations.root)
    faults = _faults(profile, search)
    if faults:  # unless a plugin knows better; to load plugins is only worth it here
        faults = _faults(profile, search, schemes=plugins.secret_schemes())
    if faults:
        first, *more = faults
        others = "".join(f"\n  and {fault.message} at {fault.where}" for fault in more)
        raise InvalidProfile(
            f'profile "{profile.name}": {first.message}{others}', first.hint, first.where
        )
    return profile


def refuse_plaintext(profile: ResolvedProfile) -> None:
    """Refuse an override with a secret in clear: an environment and `ps` show it to others."""
    found = [key for key, value in _values((), profile.values) if isinstance(value, Secret)]
    if found:
        keys = ", ".join(map(join_key, found))
        raise PlaintextSecret(
            f"{keys} is a secret, given in clear",
            hint=f"put it into .env and give a reference: --set '{join_key(found[0])}=${{NAME}}'",
            where="--set",
        )


def refuse_missing_secrets(profile: ResolvedProfile) -> None:
    """Refuse a profile of which a reference leads nowhere, all of them at once."""
    offline = is_offline(profile)

    def skip(key: KeyPath) -> bool:
        return key[0] in ON_DEMAND or (offline and key[0] == "lm" and key[-1] in CLIENT_KEYS)

    refuse_missing(profile, skip=skip)


def _faults(profile: ResolvedProfile, search: Sequence[Path], **more: Any) -> list[Finding]:
    findings = schema.check(profile, schema.descriptor(), search=search, **more)
    return [finding for finding in findings if finding.severity == "error"]


def _values(key: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _values((*key, name), item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(key, item)
    else:
        yield key, value
