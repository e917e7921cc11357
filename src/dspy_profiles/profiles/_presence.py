"""Whether what a reference leads to is there: a look at names, never at values."""

import os
from collections.abc import Sequence

from dspy_profiles.config import KeyPath
from dspy_profiles.profiles._profile import ResolvedProfile
from dspy_profiles.profiles._resolve import Scene
from dspy_profiles.secrets import Reference, Secret, names_in, variables_in

__all__ = ["holds_plaintext", "presence"]


def presence(scene: Scene, found: ResolvedProfile, key: KeyPath) -> str:
    """Of a value that refers to something, whether that is there, in words."""
    value = _value(found, key)
    if isinstance(value, Secret):
        return "a secret in clear: dspy-profiles secrets move"
    if not isinstance(value, Reference):
        return ""
    names = variables_in(value)
    if not names:
        return ""
    files = names_in(scene.env_files)
    absent = [name for name in names if name not in os.environ and name not in files]
    missing = [name for name in absent if f"${{{name}:-" not in value]
    if missing:
        return _not_set(missing)
    if absent:
        return f"{_not_set(absent)}: the fallback holds"
    return "set in the environment" if all(name in os.environ for name in names) else "set in .env"


def _not_set(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not set"


def holds_plaintext(found: ResolvedProfile) -> bool:
    """Whether a secret stands in clear in one of the profile's files."""
    return any(isinstance(_value(found, key), Secret) for key in found.secret_keys)


def _value(found: ResolvedProfile, key: KeyPath) -> object:
    value: object = found.values
    for part in key:
        value = value[part] if isinstance(value, dict) else None
    return value
