"""Receivers of what is recorded: the journal first, then any others."""

from collections.abc import Sequence
from typing import Any, Protocol

from dspy_profiles.results.recording._json import clean

__all__ = ["Faults", "Sink", "Sinks"]


class Sink(Protocol):
    """Receiver of the lines that one process records. A journal is one.

    A line is an object of the journal's format, redacted, with its line feed. The lines of one call
    come in order. Both methods are called by any thread, and the program waits for them: put slow
    work on a queue. If one raises, that is counted as a fault, and the other sinks get the line. In
    a fork, the child's copy is called.
    """

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:
        """Take one line. `is_trials_end`: a trial ends with it."""

    def finish(self) -> None:
        """Expect no more lines."""


class Faults:
    """Count of the errors of the recording itself, with the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: str | None = None

    def add(self, error: Exception) -> None:
        self.count += 1
        if self.first is None:
            self.first = clean(f"{type(error).__name__}: {error}")

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "first": self.first}


class Sinks:
    """Several sinks, called one after the other."""

    def __init__(self, sinks: Sequence[Sink], faults: Faults) -> None:
        self._sinks = tuple(sinks)
        self._faults = faults
        self._is_finished = False

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:
        for sink in self._sinks:
            try:
                sink.write(line, is_trials_end=is_trials_end)
            except Exception as error:  # noqa: BLE001 - the program and the other sinks go on
                self._faults.add(error)

    def finish(self) -> None:
        """Finish each of them. Safe to call twice."""
        if self._is_finished:
            return
        self._is_finished = True
        for sink in self._sinks:
            try:
                sink.finish()
            except Exception as error:  # noqa: BLE001
                self._faults.add(error)
