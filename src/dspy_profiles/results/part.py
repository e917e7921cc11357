"""What one process of several has to say about an experiment: all that its DSPy does."""

import os
from pathlib import Path
from typing import Any

from dspy_profiles.activation import session
from dspy_profiles.results.book import begin_journal
from dspy_profiles.results.folder import FolderShelf
from dspy_profiles.results.recorder import Recorder
from dspy_profiles.results.shelf import Shelf
from dspy_profiles.results.spans import Span
from dspy_profiles.results.writing import Lines

__all__ = ["Part"]


class Part:
    """Hears of every thread from when it is made until it is closed."""

    def __init__(self, shelf: Shelf | Path, experiment_id: str, parent: int | None = None) -> None:
        shelf = FolderShelf(shelf) if isinstance(shelf, Path) else shelf
        self._journal = begin_journal(shelf, experiment_id, "process", parent)
        self._lines = Lines(self._journal)
        self._recorder = Recorder(self._lines)
        session.hear(self._recorder)

    @property
    def faults(self) -> dict[str, Any]:
        """How many of its calls could not be recorded as they should be, and why the first."""
        return self._recorder.faults

    def begin_test(self, name: str, details: dict[str, Any]) -> str:
        """From now on whatever is called belongs to this test; the name of its trial."""
        trial = self._lines.trial("test", name, None, None, details)
        self.go_on_with(trial)
        return trial

    def go_on_with(self, trial: str | None) -> None:
        """Have calls belong to this trial, or to none but their own."""
        spans = self._recorder.spans
        spans.root = None if trial is None else Span("", "test", None, trial, 0.0, 0.0, os.getpid())

    def end_test(self, trial: str, status: str, error: str | None, details: dict[str, Any]) -> None:
        self.go_on_with(None)
        self._lines.trial_end(trial, status, error=error, details=details)

    def close(self) -> None:
        """Stop listening. A second time does nothing."""
        session.unhear(self._recorder)
        self._recorder.is_closed = True
        self._journal.close()
