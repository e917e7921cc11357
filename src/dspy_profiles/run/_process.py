"""Become the child, or stay beside it: terminal, streams, signals and exit code are its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dspy_profiles.run._command_line import NotExecutable, find_program

__all__ = ["accompany", "become", "end_as"]

# Signals that are sent to us and meant for the child. A terminal sends its own to both.
PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGINT", "SIGQUIT")
OF_TERMINAL = ("SIGINT", "SIGQUIT", "SIGWINCH")


def become(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Replace this process by a program; on Windows, wait for it and return its exit code."""
    with _starting(words, environ) as program:
        if sys.platform != "win32":
            _restore_signals()
            os.execve(program, list(words), dict(environ))  # noqa: S606 - what we are here for
        return wait_for([program, *words[1:]], environ)


def accompany(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program to its end, and return what `subprocess` calls its return code.

    It has the terminal and the streams, and gets the signals that are meant for it.
    """
    with _starting(words, environ) as program:
        if sys.platform == "win32":
            return wait_for([program, *words[1:]], environ)
        with subprocess.Popen(  # noqa: S603 - as above
            list(words),
            executable=program,
            env=dict(environ),
            preexec_fn=_restore_signals,  # noqa: PLW1509 - no thread of ours runs yet
        ) as child:
            before = _pass_on(child)
            try:
                return child.wait()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)


@contextmanager
def _starting(words: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the program's file, and flush our output: it comes before the program's."""
    program = find_program(words[0], environ)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it may be closed
            stream.flush()
    try:
        yield program
    except OSError as error:
        raise NotExecutable(f'"{words[0]}" cannot be run: {error.strerror}') from None


def end_as(code: int) -> int:
    """Return the child's exit code; if a signal has ended it, end this process by it, too."""
    if code >= 0 or sys.platform == "win32":
        return code
    if -code != signal.SIGKILL:  # which knows no handler
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code  # for a signal that ends no process


def _pass_on(child: "subprocess.Popen[bytes]") -> dict[int, Any]:
    """Pass signals on to the child, and return the handlers before."""

    def handler(number: int, _frame: object) -> None:
        if signal.Signals(number).name in OF_TERMINAL and _is_in_front():
            return
        child.send_signal(number)

    numbers = [signal.Signals[name] for name in PASSED_ON]
    return {number: signal.signal(number, handler) for number in numbers}


def _is_in_front() -> bool:
    """Return whether a terminal sends its signals to us, and so to the child."""
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def wait_for(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program, and wait until it has ended."""
    with subprocess.Popen(words, env=dict(environ)) as child:  # noqa: S603 - as above
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue  # the console interrupts the child, too, and its reaction counts


def _restore_signals() -> None:
    """Restore signals that Python ignores: they would stay ignored in the program."""
    for name in ("SIGPIPE", "SIGXFSZ"):  # by name: Windows has neither
        signal.signal(signal.Signals[name], signal.SIG_DFL)
