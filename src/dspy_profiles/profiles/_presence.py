"""Check whether references have values, by their names alone."""

import os
from collections.abc import Sequence

from dspy_profiles.config import KeyPath
from dspy_profiles.profiles._profile import ResolvedProfile
from dspy_profiles.profiles._resolve import Scene
from dspy_profiles.secrets import Reference, Secret, names_in_files, variables_in

__all__ = ["holds_plaintext", "presence"]


def presence(scene: Scene, found: ResolvedProfile, key: KeyPath) -> str:
    """Return a remark on a reference: where its variable is set, or that it is not."""
    value = _value(found, key)
    if isinstance(value, Secret):
        return "plaintext secret: dspy-profiles secrets move"
    if not isinstance(value, Reference):
        return ""
    names = variables_in(value)
    if not names:
        return ""
    files = names_in_files(scene.env_files)
    absent = [name for name in names if name not in os.environ and name not in files]
    missing = [name for name in absent if f"${{{name}:-" not in value]
    if missing:
        return _not_set(missing)
    if absent:
        return f"{_not_set(absent)}: fallback used"
    return "set in the environment" if all(name in os.environ for name in names) else "set in .env"


def _not_set(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not set"


def holds_plaintext(found: ResolvedProfile) -> bool:
    """Return whether one of the profile's files holds a plaintext secret."""
    return any(isinstance(_value(found, key), Secret) for key in found.secret_keys)


def _value(found: ResolvedProfile, key: KeyPath) -> object:
    value: object = found.values
    for part in key:
        value = value[part] if isinstance(value, dict) else None
    return value
