"""The append-only file of one process. A line is written completely when `write` returns.

There is no queue: a killed process loses at most the line that it was writing.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Protocol
from weakref import WeakSet

import orjson

from dspy_profiles._control import without_control
from dspy_profiles._reading import open_regular
from dspy_profiles.results.journal._base import Durability, FirstLine

if sys.platform != "win32":
    import fcntl
else:
    import msvcrt

__all__ = ["FileJournal", "is_held"]

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
FAR = 2**40  # the byte that is locked instead of the file, on Windows


class _Keeper(Protocol):
    def keep(self, text: bytes, *, safely: bool = False) -> str: ...


class FileJournal:
    """A journal file. It is locked as long as its process lives, which shows dead processes."""

    def __init__(
        self, folder: Path, keeper: _Keeper, durability: Durability, first: FirstLine
    ) -> None:
        self._folder = folder
        self._keeper = keeper
        self._durability = durability
        self._first = first
        self._count = 0
        self.lost = 0
        self.why: str | None = None
        self._unreported = 0  # losses that no line reports yet
        self._file: int | None = None
        self._size = 0
        self._is_torn = False  # the last line is incomplete, and could not be removed
        self._lock = Lock()
        self._closed = False
        self._open()
        _open_journals.add(self)

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:
        with self._lock:
            if self._closed:
                return
            if self._unreported:
                line = self._loss_line() + line
            try:
                if self._file is None:
                    self._open()
                self._append(line)
                self._unreported = 0
                if self._durability == "event" or (is_trials_end and self._durability == "trial"):
                    os.fsync(self._file or 0)
            except OSError as error:
                self._unreported += 1
                self._lose(error)

    def keep(self, text: bytes) -> str | None:
        try:
            return self._keeper.keep(text, safely=self._durability != "process")
        except OSError as error:
            with self._lock:
                self._unreported += 1
                self._lose(error)
            return None

    def finish(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._file is not None:
                with suppress(OSError):
                    if self._unreported:
                        self._append(self._loss_line())
                with suppress(OSError):
                    os.fsync(self._file)

    def close(self) -> None:
        self.finish()
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def forked(self) -> None:
        """Release the parent's file and lock, in a forked child."""
        self._lock = Lock()  # a thread of the parent may have held the old one
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self.lost, self._unreported = 0, 0
        self.why = None

    def _open(self) -> None:
        while True:
            name = f"journal-{os.getpid()}-{self._count}.jsonl"
            self._count += 1
            with suppress(FileExistsError):  # an earlier process had the same id
                opened = os.open(self._folder / name, FLAGS, 0o644)
                break
        try:
            _hold(opened)  # before the first line: an empty file never counts as dead
            self._file, self._size, self._is_torn = opened, 0, False
            self._append(self._first(name))
        except BaseException:
            os.close(opened)
            self._file = None
            raise

    def _append(self, line: bytes) -> None:
        file, written = self._file or 0, 0
        if self._is_torn:
            line = b"\n" + line
        try:
            written = os.write(file, line)
            while written < len(line):
                written += os.write(file, line[written:])
        except OSError:
            if written:
                try:  # no other process writes this file: remove the incomplete line
                    os.ftruncate(file, self._size)
                except OSError:
                    self._size, self._is_torn = self._size + written, True
            raise
        self._size, self._is_torn = self._size + written, False

    def _loss_line(self) -> bytes:
        return orjson.dumps(
            {"type": "lost", "count": self._unreported, "why": self.why},
            option=orjson.OPT_APPEND_NEWLINE,
        )

    def _lose(self, error: OSError) -> None:
        self.lost += 1
        if self.why is None:
            self.why = error.strerror or str(error)
            with suppress(OSError, ValueError):
                text = (
                    f"dspy-profiles: the recording in {self._folder} is incomplete: {self.why}; "
                    "the program continues, and lost lines are counted\n"
                )
                sys.stderr.write(without_control(text))


def is_held(path: Path) -> bool:
    """Return whether the process that created this journal is alive."""
    try:
        with _opened(path) as file:
            return not _could_hold(file)
    except OSError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    if sys.platform != "win32":
        with open_regular(path, links=False) as file:
            yield file.fileno()
        return
    opened = os.open(path, os.O_RDWR)  # locking needs the right to write
    try:
        yield opened
    finally:
        os.close(opened)


if sys.platform != "win32":

    def _hold(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _could_hold(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

else:

    def _hold(file: int) -> None:
        os.lseek(file, FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)

    def _could_hold(file: int) -> bool:
        os.lseek(file, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
        except OSError:
            return False
        return True


_open_journals: WeakSet[FileJournal] = WeakSet()


def _after_fork() -> None:
    for each in list(_open_journals):
        each.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
