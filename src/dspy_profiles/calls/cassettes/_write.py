"""Puts a cassette in its place: the old one or the new one, never half of either."""

import filecmp
import os
import stat as modes
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dspy_profiles.errors import Place, WriteFailed

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
    """Write these lines there, under the file's lock; False if they stand there already."""
    draft = path.with_name(f".{path.name}.tmp")  # one name: a killed writer leaves one at most
    try:
        draft.unlink(missing_ok=True)
        try:
            _fill(draft, lines, path)
            changed = not (path.exists() and filecmp.cmp(draft, path, shallow=False))
            if changed:
                draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
    except OSError as error:
        message = f"this cassette could not be written: {error.strerror or error}"
        hint = "look at the rights of the file and of its folder, and at the room on the disk"
        raise WriteFailed(message, hint, Place(path)) from error
    return changed


def _fill(draft: Path, lines: Iterable[bytes], path: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # A file for the repository: as readable as what an editor makes.
    with os.fdopen(os.open(draft, flags, 0o666), "wb") as file:
        file.writelines(lines)
        file.flush()
        if path.exists() and hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), modes.S_IMODE(path.stat().st_mode))
        os.fsync(file.fileno())
