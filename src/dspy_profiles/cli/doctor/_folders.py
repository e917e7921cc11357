"""Whether the caches can be written to: DSPy's own, and ours."""

import os
from collections.abc import Iterator
from pathlib import Path

from dspy_profiles.cli.doctor._fault import Fault
from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.schema import cache_folder
from dspy_profiles.secrets import expand_user

__all__ = ["unwritable"]

CACHE_VARIABLE = "DSPY_CACHEDIR"


def unwritable(profile: ResolvedProfile) -> Iterator[Fault]:
    """A warning for each: both go on without, DSPy with a cache that ends with the process."""
    own = profile.env.get(CACHE_VARIABLE)
    named = os.environ.get(CACHE_VARIABLE) or (own if isinstance(own, str) else None)
    theirs = Path(named) if named else expand_user("~/.dspy_cache")
    right = "give yourself the right to write there"
    folders = [("DSPy's cache", theirs, f"{right}, or name another folder in {CACHE_VARIABLE}")]
    ours = cache_folder()
    if ours is not None:
        folders.append(("the cache of dspy-profiles", Path(ours), right))
    for whose, folder, hint in folders:
        if "${" not in str(folder) and not _is_writable(folder):
            message = f"{whose} cannot be written to: {folder}"
            yield Fault("warning", message, hint, None, profile.name)


def _is_writable(folder: Path) -> bool:
    """Whether it is a folder to write to, or could be made. Nothing is made to find out."""
    for path in (folder, *folder.parents):
        if os.path.lexists(path):
            return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    return False
