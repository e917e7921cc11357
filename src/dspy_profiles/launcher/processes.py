"""Becoming the child: it has the terminal, the streams, the signals and the exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from dspy_profiles.launcher.commands import NotExecutable, find_program

__all__ = ["become"]


def become(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Replace this process by a program; on Windows, wait for it and return its exit code."""
    program = find_program(words[0], environ)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it may be closed
            stream.flush()
    try:
        if sys.platform == "win32":
            return wait_for([program, *words[1:]], environ)
        _restore_signals()
        os.execve(program, list(words), dict(environ))  # noqa: S606 - running it is what we are for
    except OSError as error:
        raise NotExecutable(f'"{words[0]}" cannot be run: {error.strerror}') from None


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
    for name in ("SIGPIPE", "SIGXFSZ"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_DFL)
