"""Lock a file against other writers. Those who wait get the lock in the order in which they came.

Where the system allows it, the lock is a `flock` of a file beside the target, and each waiter holds
one byte of that file by a lock of its own: its place in the queue. The kernel gives up both when a
process dies, so a killed process blocks no other.
"""

import errno
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dspy_profiles.config._write import write_failed
from dspy_profiles.errors import LockTimeout, Place

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["PATIENCE", "locked"]

PATIENCE = 30.0  # seconds with one holder, whose disk is slow on a loaded machine


@contextmanager
def locked(target: Path, timeout: float = PATIENCE) -> Iterator[None]:
    """Lock the file against all other writers; make its folders, and remove them if unused.

    `timeout` limits how long the lock stays with one holder while we wait: a queue that moves is
    waited for. Raise LockTimeout after that.

    The lock file lies beside the file, the one place that all users, containers and machines that
    can replace it share. The last one to leave removes it, so git never sees it.
    """
    beside = target.with_name(f".{target.name}.lock")
    made = list[Path]()
    try:
        with _failures(target, beside):
            _make_folders(target.parent, made)
            release = _acquired(beside, _Patience(timeout))
        try:
            yield
        finally:
            release()
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # it may be in use by now
                folder.rmdir()


@contextmanager
def _failures(target: Path, beside: Path) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        hint = "wait until it has finished, or end it, then run the command again"
        message = f"{target.name} is locked by another process"
        raise LockTimeout(message, f"{hint} (lock file: {beside})", Place(target)) from error
    except OSError as error:
        raise write_failed(target, error) from error


STALLED = 1.0  # seconds without a change: then the queue is not waited for, only the lock
NEXT, LATER = 0.001, 0.005  # seconds between two looks at the lock
_BYTE = struct.Struct("hhqqi")  # struct flock: type, whence, start, length, pid
_open = set[int]()  # descriptors of lock files in this process


class _Patience:
    """Counts the time without a change of the holder, which each holder notes in the lock file."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._since = time.monotonic()
        self._seen: tuple[int, int] | None = None

    def is_stalled(self) -> bool:
        return time.monotonic() - self._since > STALLED

    def wait(self, status: os.stat_result | None, *, is_next: bool) -> None:
        """Wait a moment. Raise TimeoutError if nothing has changed for too long."""
        seen = None if status is None else (status.st_ino, status.st_mtime_ns)
        now = time.monotonic()
        if seen != self._seen:
            if self._seen is not None:
                self._since = now
            self._seen = seen
        if now - self._since >= self._timeout:
            raise TimeoutError
        time.sleep(NEXT if is_next else LATER)


def _acquired(beside: Path, patience: _Patience) -> Callable[[], None]:
    """Wait for the lock. Return the function that releases it."""
    if fcntl is None:
        return _library_lock(beside, patience)
    while True:
        descriptor = _opened(beside)
        _open.add(descriptor)
        owner = os.getpid()

        def leave(descriptor: int = descriptor, owner: int = owner) -> None:
            if os.getpid() == owner:  # a fork has closed its copy
                _leave(descriptor, beside)

        try:
            if _is_turn(descriptor, beside, patience):
                with suppress(OSError):
                    os.utime(descriptor)  # for those who wait: the holder has changed
                return leave
        except OSError as error:
            leave()
            if error.errno == errno.ENOSYS:
                return _library_lock(beside, patience)
            raise
        except BaseException:
            leave()
            raise
        leave()


def _is_turn(descriptor: int, beside: Path, patience: _Patience) -> bool:
    """Wait for the lock of this file. Return False if the file was removed."""
    ticket = _ticket(descriptor)
    while _is_at(descriptor, beside):
        is_next = ticket == 0 or not _others(descriptor, 0, ticket)
        if (is_next or patience.is_stalled()) and _try_lock(descriptor):
            return _is_at(descriptor, beside)
        patience.wait(os.fstat(descriptor), is_next=is_next)
    return False


def _opened(beside: Path) -> int:
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW
    while True:
        with suppress(FileExistsError):
            descriptor = os.open(beside, flags | os.O_CREAT | os.O_EXCL, 0o666)
            with suppress(OSError):
                # Writable by all: a lock file that another user's killed process left must not
                # block us.
                os.fchmod(descriptor, 0o666)
            return descriptor
        with suppress(FileNotFoundError):  # removed in between
            return os.open(beside, flags)


def _is_at(descriptor: int, beside: Path) -> bool:
    """Return whether the open file is still the one beside the target."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(beside))
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _leave(descriptor: int, beside: Path) -> None:
    """Release the lock and the place in the queue; remove the file if no one else needs it."""
    with suppress(OSError):
        # While the lock is held: a process that has just opened the file sees that it is gone.
        if _try_lock(descriptor) and not _others(descriptor, 0, 0) and _is_at(descriptor, beside):
            beside.unlink()
    # Not only by `close`: a process that another thread is just starting may have a copy.
    with suppress(OSError):
        _byte_lock(descriptor, fcntl.F_UNLCK, 0, 0)
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    _open.discard(descriptor)
    os.close(descriptor)


def _ticket(descriptor: int) -> int:
    """Take a place behind all others: lock the byte behind the last locked one, and return it."""
    at = 0
    while True:
        end = _others(descriptor, at, 0)
        if end:
            at = max(at, end)
            continue
        try:
            _byte_lock(descriptor, fcntl.F_WRLCK, at, 1)
        except (BlockingIOError, PermissionError):
            continue  # another process was faster
        except OSError:
            return 0  # a file system without such locks: no queue
        return at


def _others(descriptor: int, start: int, length: int) -> int:
    """Return the end of a range in which another one has a place, or 0. Length 0: all behind."""
    if not hasattr(fcntl, "F_OFD_GETLK"):
        return 0
    try:
        sought = _BYTE.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        found = _BYTE.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, sought))
    except OSError:
        return 0
    return 0 if found[0] == fcntl.F_UNLCK else int(found[2] + found[3])


def _byte_lock(descriptor: int, kind: int, start: int, length: int) -> None:
    if hasattr(fcntl, "F_OFD_SETLK"):
        wanted = _BYTE.pack(kind, os.SEEK_SET, start, length, 0)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)


def _forget() -> None:
    """Close the copies that a fork has: they would keep the lock if the parent were killed."""
    while _open:
        with suppress(OSError):
            os.close(_open.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _library_lock(beside: Path, patience: _Patience) -> Callable[[], None]:
    """Wait for the lock where `flock` is missing. The order of those who wait is by chance."""
    from filelock import FileLock, SoftFileLock, Timeout

    lock = FileLock(beside, mode=0o666)
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            patience.wait(_status(beside), is_next=False)
    with suppress(OSError):
        os.utime(beside)

    def release() -> None:
        # Remove it while the lock is held: a waiting process sees by the link count that the file
        # is gone, and makes a new one. (A soft lock is the file itself.) Windows refuses.
        if not isinstance(lock, SoftFileLock):
            with suppress(OSError):
                beside.unlink()
        lock.release()

    return release


def _status(beside: Path) -> os.stat_result | None:
    try:
        return beside.stat()
    except OSError:
        return None


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        with suppress(FileExistsError):  # another process made it at the same time
            path.mkdir(mode=0o700)
            made.append(path)
