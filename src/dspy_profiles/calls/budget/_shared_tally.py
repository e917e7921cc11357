"""What was spent, in one small file that the processes of a session share."""

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
        found = os.read(self._file, RECORD.size)
        return Spent(*RECORD.unpack(found)) if len(found) == RECORD.size else Spent()

    def __setitem__(self, place: int, spent: Spent) -> None:
        os.lseek(self._file, place * RECORD.size, os.SEEK_SET)
        os.write(self._file, RECORD.pack(*spent))


class Tally:
    """Opens the file for as long as the session lasts.

    A record lock of the system is used where there is one: it belongs to the process, so it holds
    between parent and child after a fork too, and costs microseconds where a lock file costs
    hundreds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._lock = ProcessLock()
        self._portable = FileLock(f"{path}.lock") if sys.platform == "win32" else None

    @contextmanager
    def locked(self) -> Iterator[Slots]:
        """The sums, which nobody else reads or writes meanwhile."""
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
