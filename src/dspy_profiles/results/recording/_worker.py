"""What one process of several has to say about an experiment: all that its DSPy does."""

import os
from pathlib import Path
from typing import Any

from dspy_profiles.activation import add_listener, remove_listener
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.recording._callback import Recorder
from dspy_profiles.results.recording._experiment import begin_journal
from dspy_profiles.results.recording._lines import JournalWriter
from dspy_profiles.results.recording._open_calls import Span

__all__ = ["WorkerJournal"]


class WorkerJournal:
    """Hears of every thread from when it is made until it is closed."""

    def __init__(
        self, shelf: JournalStorage | Path, experiment_id: str, parent: int | None = None
    ) -> None:
        shelf = FolderStorage(shelf) if isinstance(shelf, Path) else shelf
        self._journal = begin_journal(shelf, experiment_id, "process", parent)
        self._lines = JournalWriter(self._journal)
        self._recorder = Recorder(self._lines)
        add_listener(self._recorder)

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
        remove_listener(self._recorder)
        self._recorder.is_closed = True
        self._journal.close()
