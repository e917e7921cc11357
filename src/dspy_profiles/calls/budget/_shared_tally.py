"""The sums of calls, tokens and dollars in one small file, shared by processes."""

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from dspy_profiles._locks import ProcessLock

if sys.platform != "win32":
    import fcntl

__all__ = ["Slots", "Spent", "Tally"]

RECORD = struct.Struct("<QQd")


class Spent(NamedTuple):
    """A sum of calls, tokens and dollars."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0


class Slots:
    """The file while it is locked: one sum per place."""

    def __init__(self, file: int) -> None:
        self._file = file

    def __getitem__(self, place: int) -> Spent:
        os.lseek(self._file, place * RECORD.size, os.SEEK_SET)
        record = os.read(self._file, RECORD.size)
        return Spent(*RECORD.unpack(record)) if len(record) == RECORD.size else Spent()

    def __setitem__(self, place: int, spent: Spent) -> None:
        os.lseek(self._file, place * RECORD.size, os.SEEK_SET)
        os.write(self._file, RECORD.pack(*spent))


class Tally:
    """The file of sums. Each process opens it by the same path, until `close`.

    The system's record lock is used if there is one. It belongs to the process, so it also holds
    between parent and child after a fork. It takes microseconds, a lock file hundreds of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._lock = ProcessLock()
        self._portable = FileLock(f"{path}.lock") if sys.platform == "win32" else None

    @contextmanager
    def locked(self) -> Iterator[Slots]:
        """Yield the sums; no other thread or process reads or writes them meanwhile."""
        with self._lock:
            self._acquire()
            try:
                yield Slots(self._file)
            finally:
                self._release()

    def close(self) -> None:
        os.close(self._file)

    def _acquire(self) -> None:
        if sys.platform != "win32":
            fcntl.lockf(self._file, fcntl.LOCK_EX)
        elif self._portable is not None:
            self._portable.acquire()

    def _release(self) -> None:
        if sys.platform != "win32":
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        elif self._portable is not None:
            self._portable.release()
