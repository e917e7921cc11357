"""What was held back comes out at the end of a program: as one line, and as its exit code."""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn

from dspy_profiles.calls import refusal_in
from dspy_profiles.errors import ProfileError
from dspy_profiles.secrets import redact

__all__ = ["has_ended_by_error", "note", "take_over"]

FAILED = 1


class _Verdict:
    """Whether calls of this session were refused, whoever has caught that, and whether it was told.

    A program can catch what was held back, or leave it in a future that nobody asks.
    """

    def __init__(self) -> None:
        self.error: ProfileError | None = None  # the first
        self.is_told = False
        self.uncaught: BaseException | None = None  # what ended this program, if something did
        self.code: object = None  # what it has asked to end with
        self._lock = threading.Lock()

    def note(self, error: ProfileError) -> None:
        with self._lock:
            if self.error is not None:
                return
            self.error = error
        _follow_exit()

    def show(self, error: BaseException | None) -> bool:
        """Show the error of ours that this one carries, if it does."""
        held = refusal_in(error)
        if held is not None:
            self.is_told = True
            _tell(held.error)
        return held is not None

    def forked(self) -> None:
        """What the parent was refused is the parent's to tell."""
        self.__init__()  # type: ignore[misc]


class _Last:
    """Goes when Python takes its modules apart: only then can an exit code still be changed.

    What others have given to atexit is done by then, and the streams are flushed.
    """

    def __del__(
        self,
        is_over: Callable[[], bool] = sys.is_finalizing,
        end: Callable[[int], NoReturn] = os._exit,
    ) -> None:
        if is_over():
            end(FAILED)


_verdict = _Verdict()
_last: list[_Last] = []


def take_over() -> None:
    """What was held back on its way past DSPy is an error of ours when it comes out: one line."""
    hook, thread_hook = sys.excepthook, threading.excepthook

    def shown(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _verdict.uncaught = error
        if not _verdict.show(error):
            hook(kind, error, trace)

    def shown_of_thread(args: threading.ExceptHookArgs) -> None:
        if not _verdict.show(args.exc_value):  # the program goes on without that thread
            thread_hook(args)

    sys.excepthook = shown
    threading.excepthook = shown_of_thread
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_verdict.forked)


def note(error: ProfileError) -> None:
    """A call of this session was refused: whoever catches that, it is told at the end."""
    _verdict.note(error)


def has_ended_by_error() -> bool:
    """Whether something that nobody caught has ended the program."""
    return _verdict.uncaught is not None


@atexit.register  # before the others that the session has: it is called after them
def _close() -> None:
    if _verdict.error is None:
        return
    if not _verdict.is_told:
        _tell(_verdict.error)
    if _verdict.uncaught is None and _verdict.code in (None, 0):
        _last.append(_Last())


def _follow_exit() -> None:
    """From now on notice what the program ends with: nothing tells it when it has."""
    leave = sys.exit

    def leaving(status: object = None, /) -> NoReturn:
        _verdict.code = status
        leave(status)  # type: ignore[arg-type]

    sys.exit = leaving


def _tell(error: ProfileError) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"dspy-profiles: error: {redact(str(error))}\n")
