"""Becoming the child: it has the terminal, the streams, the signals and the exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dspy_profiles.run._command_line import NotExecutable, find_program

__all__ = ["accompany", "become", "end_as"]

# What somebody sends to us and means for the child. The terminal tells both by itself.
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
    """Run a program and stay until it has ended; what `subprocess` calls its return code.

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
    """The program's file; what we have written so far comes before all that it writes."""
    program = find_program(words[0], environ)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it may be closed
            stream.flush()
    try:
        yield program
    except OSError as error:
        raise NotExecutable(f'"{words[0]}" cannot be run: {error.strerror}') from None


def end_as(code: int) -> int:
    """The exit code of a child as ours; one that a signal has ended ends us by it, too."""
    if code >= 0 or sys.platform == "win32":
        return code
    if -code != signal.SIGKILL:  # which knows no handler
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code  # where the signal was none that ends a process


def _pass_on(child: "subprocess.Popen[bytes]") -> dict[int, Any]:
    """Send the child what we are sent; the handlers that were there before."""

    def handler(number: int, _frame: object) -> None:
        if signal.Signals(number).name in OF_TERMINAL and _is_in_front():
            return
        child.send_signal(number)

    numbers = [signal.Signals[name] for name in PASSED_ON]
    return {number: signal.signal(number, handler) for number in numbers}


def _is_in_front() -> bool:
    """Whether a terminal sends its signals to us, and so to the child."""
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
                continue  # the console has told the child, too, and what it does about it counts


def _restore_signals() -> None:
    """Python ignores these for itself, and what is ignored stays so in a program it becomes."""
    for name in ("SIGPIPE", "SIGXFSZ"):  # by name: Windows, which never comes here, has neither
        signal.signal(signal.Signals[name], signal.SIG_DFL)
