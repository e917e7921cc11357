"""Puts a cassette in its place: the old one or the new one, never half of either."""

import filecmp
from collections.abc import Iterable
from pathlib import Path

from dspy_profiles.config import write_atomically

__all__ = ["PATIENCE", "Stamp", "replace", "stamp_of"]

PATIENCE = 60.0  # seconds for others to write theirs
Stamp = tuple[int, int, int]


def stamp_of(path: Path) -> Stamp | None:
    """What tells one state of a file from the next; None where there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError:  # who reads it says what is wrong with it
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def replace(path: Path, lines: Iterable[bytes]) -> bool:
    """Write these lines to the file, under its lock; return False if they are there already."""
    before = stamp_of(path)
    # A file for the repository: as readable as one that an editor makes.
    with write_atomically(path, new_mode=0o666, accept=lambda draft: _differs(draft, path)) as file:
        file.writelines(lines)
    return stamp_of(path) != before


def _differs(draft: Path, path: Path) -> bool:
    return not (path.exists() and filecmp.cmp(draft, path, shallow=False))
