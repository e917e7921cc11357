"""A file under its lock, and its replacement in one step: the old text or the new, never half."""

import errno
import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dspy_profiles.config._document import Document
from dspy_profiles.errors import LockTimeout, Place, WriteFailed

__all__ = ["locked", "replace_file"]


@contextmanager
def locked(target: Path, timeout: float) -> Iterator[None]:
    """Keep every other writer of this file out. Folders that it needs are made, and go if unused.

    The lock file stands beside the file, the one place that all users, containers and machines
    who can replace it have in common, and it is gone when the lock is: nothing to keep out of git.
    """
    from filelock import FileLock, SoftFileLock, Timeout

    beside = target.with_name(f".{target.name}.lock")
    made = list[Path]()
    # Open to all: one that another user's killed process left behind must not keep us out.
    lock = FileLock(beside, mode=0o666)
    try:
        try:
            _make_folders(target.parent, made)
            lock.acquire(timeout=timeout, poll_interval=0.01)
        except Timeout as error:
            hint = f"try again when it is done (its lock is {beside})"
            message = "another process has been writing this file for too long"
            raise LockTimeout(message, hint, Place(target)) from error
        except OSError as error:
            raise _failed(target, error) from error
        try:
            yield
        finally:
            # While the lock is held: who waits for a file that is gone is told so by its link
            # count, and takes a new one. (A soft lock is the file itself.) Windows keeps it.
            if not isinstance(lock, SoftFileLock):
                with suppress(OSError):
                    beside.unlink()
            lock.release()
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # one that is in use by now
                folder.rmdir()


def replace_file(document: Document, text: str) -> None:
    """Put `text` where the document was read from, under its lock; what was there survives a fault.

    The draft has one name, so a killed writer leaves one at most, and the next one clears it.
    """
    target = document.path
    draft = target.with_name(f".{target.name}.tmp")
    try:
        old = _writable(document)
        draft.unlink(missing_ok=True)
        try:
            _fill(draft, text.encode(document.encoding), old)
            _check_unchanged(document)
            draft.replace(target)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        raise _failed(target, error) from error
    _sync_folder(target.parent)


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        with suppress(FileExistsError):  # made by somebody else at the same time
            each.mkdir(mode=0o700)
            made.append(each)


def _writable(document: Document) -> os.stat_result | None:
    """The file's owner and mode; a file that may not be written is not replaced either."""
    if document.stamp is None:
        return None
    status = document.path.stat()
    if not modes.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if not os.access(document.path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only")
    return status


def _check_unchanged(document: Document) -> None:
    if not document.unchanged():
        message = "this file was changed by somebody else while it was being edited"
        raise WriteFailed(message, "nothing was written: run it again", Place(document.path))


def _fill(draft: Path, content: bytes, old: os.stat_result | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        if old is not None and hasattr(os, "fchmod"):
            with suppress(OSError):  # root keeps a user's file theirs; a user cannot give one away
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fchmod(file.fileno(), modes.S_IMODE(old.st_mode))
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # the file is in place; some systems cannot sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _failed(target: Path, error: OSError) -> WriteFailed:
    hint = {
        errno.ENOSPC: "make room on the disk",
        errno.EDQUOT: "make room: your quota is used up",
        errno.EROFS: "choose a file on a file system that can be written",
    }.get(error.errno or 0, "look at the rights of the file and of its folder")
    why = error.strerror or str(error)
    if error.filename is not None and str(error.filename) != str(target):
        why += f" ({error.filename})"
    return WriteFailed(f"this file could not be written: {why}", hint, Place(target))
