"""Replace a file in one step: readers see the old content or the new, never half."""

import errno
import os
import stat as modes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dspy_profiles.config._document import Document
from dspy_profiles.errors import Place, WriteFailed

__all__ = ["replace_file", "write_atomically", "write_failed"]


@contextmanager
def write_atomically(  # noqa: PLR0913 - each writer guarantees what its readers need
    target: Path,
    *,
    new_mode: int = 0o600,
    unique: bool = False,
    sync: bool = True,
    overwrite: bool = True,
    accept: Callable[[Path], bool] | None = None,
    raw_errors: bool = False,
) -> Iterator[IO[bytes]]:
    """Open a draft beside the file; at the end of the block it replaces the file in one step.

    An error in the block removes the draft and leaves the file as it was. A link is followed. A
    file that exists keeps its mode and owner; a new one gets `new_mode`, less the umask.

    Without a lock, pass `unique`: else the draft has one name, so that a killed writer leaves one
    at most, which the next one clears. `accept` gets the complete draft, right before it replaces
    the file; if it returns False, the file stays. `overwrite=False` never replaces a file: if there
    is one, FileExistsError. `raw_errors` raises the OSError itself in place of WriteFailed.
    """
    real = Path(os.path.realpath(target))
    draft = real.with_name(f".{real.name}.{f'{os.getpid()}.{os.urandom(4).hex()}.' * unique}tmp")
    try:
        if not unique:
            draft.unlink(missing_ok=True)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            if os.name == "nt":  # a read-only file could not be renamed there
                new_mode |= modes.S_IWRITE
            with os.fdopen(os.open(draft, flags, new_mode), "wb") as file:
                yield file
                file.flush()
                _keep_mode(file.fileno(), real)
                if sync:
                    os.fsync(file.fileno())
            if accept is None or accept(draft):
                _place(draft, real, overwrite=overwrite)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
    except OSError as error:
        if raw_errors:
            raise
        raise write_failed(target, error) from error


def replace_file(document: Document, text: str) -> None:
    """Put `text` where the document was read from, under its lock, if it still is what was read.

    The file and its folder are synced: what is replaced stays so, even through a power failure.
    """
    target = document.path
    try:
        _check_writable(document)
    except OSError as error:
        raise write_failed(target, error) from error
    with write_atomically(target, accept=lambda _: _is_unchanged(document)) as file:
        file.write(text.encode(document.encoding))
    _sync_folder(target.parent)


def _check_writable(document: Document) -> None:
    """Raise OSError for a device, and for a file that is read-only."""
    if document.stamp is None:
        return
    if not modes.S_ISREG(document.path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if not os.access(document.path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only")


def _is_unchanged(document: Document) -> bool:
    if not document.unchanged():
        message = f"{document.path.name} was changed by another program while it was being edited"
        hint = "nothing was written: run the command again"
        raise WriteFailed(message, hint, Place(document.path))
    return True


def _keep_mode(draft: int, target: Path) -> None:
    if not hasattr(os, "fchmod"):
        return
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    with suppress(OSError):  # root keeps a user's file theirs; a user cannot give one away
        os.fchown(draft, old.st_uid, old.st_gid)
    os.fchmod(draft, modes.S_IMODE(old.st_mode))


def _place(draft: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        draft.replace(target)
        return
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: a second writer is unlikely at this moment
        if target.exists():
            raise FileExistsError(errno.EEXIST, "the file exists", str(target)) from None
        draft.replace(target)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # the file is in place; some systems cannot sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_failed(target: Path, error: OSError) -> WriteFailed:
    hint = {
        errno.ENOSPC: "free some disk space",
        errno.EDQUOT: "free some disk space: your quota is used up",
        errno.EROFS: "choose a file on a writable file system",
    }.get(error.errno or 0, "check the permissions of the file and its folder")
    why = error.strerror or str(error)
    if error.filename is not None and str(error.filename) != str(target):
        why += f" ({error.filename})"
    return WriteFailed(f"cannot write {target.name}: {why}", hint, Place(target))
