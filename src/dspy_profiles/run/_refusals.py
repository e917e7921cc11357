"""Refused calls: each process of a session reports them, and `run` ends with 1 for them.

A program can catch the error of a refused call, or leave it in a future that it never reads. Its
own exit code then says nothing, so `run` stays until the program has ended, and reads the report.
"""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from dspy_profiles._reading import MEGABYTE, read_regular
from dspy_profiles.calls import refusal_in
from dspy_profiles.display import visible
from dspy_profiles.errors import ProfileError
from dspy_profiles.secrets import redact

__all__ = ["REFUSALS", "Refusals", "exit_code", "new_report"]

FAILED = 1
LARGEST = 64 * MEGABYTE


class Refusals:
    """The refused calls of this process. Only the first one is reported."""

    def __init__(self) -> None:
        self.has_ended_by_error = False  # an error that the program did not catch has ended it
        self._report: Path | None = None
        self._is_reported = False
        self._lock = threading.Lock()

    def begin(self, report: Path | None) -> None:
        """Report to this file, and show an uncaught refusal as one line instead of a traceback."""
        self._report = report
        hook, thread_hook = sys.excepthook, threading.excepthook

        def show(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            self.has_ended_by_error = True
            if not self._show(error):
                hook(kind, error, trace)

        def show_of_thread(args: threading.ExceptHookArgs) -> None:
            if not self._show(args.exc_value):  # the program goes on without that thread
                thread_hook(args)

        sys.excepthook = show
        threading.excepthook = show_of_thread
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def note(self, error: ProfileError) -> None:
        """Report a refused call, unless this process has reported one."""
        with self._lock:
            if self._is_reported:
                return
            self._is_reported = True
        self._write(error, shown=False)

    def _show(self, error: BaseException | None) -> bool:
        """Print the error of ours that this one carries, and return whether it carries one."""
        refusal = refusal_in(error)
        if refusal is None:
            return False
        _print(str(refusal.error))
        self._write(refusal.error, shown=True)
        return True

    def _write(self, error: ProfileError, *, shown: bool) -> None:
        """Append one line by one write: other processes append to the same file."""
        if self._report is None:
            return
        text = redact(str(error))
        line = json.dumps({"error": text, "shown": shown}) + "\n"
        try:
            with self._report.open("ab", buffering=0) as file:
                file.write(line.encode())
        except OSError:
            if not shown:  # `run` will not know of it: the reader of the terminal does
                _print(text)

    def _forked(self) -> None:
        """Report a forked child's first refusal too: that of its parent is another one."""
        self.has_ended_by_error = self._is_reported = False
        self._lock = threading.Lock()


REFUSALS = Refusals()


def new_report() -> Path:
    """Create a report for the processes of a session."""
    handle, name = tempfile.mkstemp(prefix="dspy-profiles-", suffix=".jsonl")
    os.close(handle)
    return Path(name)


def exit_code(report: Path | None, code: int) -> int:
    """Return the exit code of a run, and print the refusal that no process has shown.

    A program that failed by itself keeps its code.
    """
    if report is None:
        return code
    refusals = list(_refusals(report))
    if not refusals:
        return code
    if not any(refusal["shown"] for refusal in refusals):
        _print(refusals[0]["error"])
    return code or FAILED


def _refusals(report: Path) -> Iterator[dict[str, Any]]:
    """Yield the refusals in a report. A killed process may have left half a line."""
    try:
        lines = read_regular(report, LARGEST).splitlines()
    except OSError:  # the program may remove it
        return
    for line in lines:
        try:
            refusal = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(refusal, dict) and isinstance(refusal.get("error"), str):
            yield {"shown": False, **refusal}


def _print(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(visible(f"dspy-profiles: error: {text}\n"))
