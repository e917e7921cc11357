"""The part of one process in an experiment of several: all that DSPy does in it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dspy_profiles.activation import CallbackOverlay, add_listener, remove_listener
from dspy_profiles.errors import StoreError
from dspy_profiles.results._ids import is_id
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.recording._callback import Recorder, active_recorders
from dspy_profiles.results.recording._experiment import begin_journal
from dspy_profiles.results.recording._lines import LineWriter
from dspy_profiles.results.recording._sinks import Sink
from dspy_profiles.results.recording._status import error_of, status_of

__all__ = ["WorkerJournal", "WorkerTrial", "take_part"]


def take_part(
    folder: Path | str,
    experiment_id: str,
    *,
    parent: int | None = None,
    sinks: Sequence[Sink] = (),
) -> "WorkerJournal":
    """Record the DSPy calls of this process into an experiment that another process records.

    `folder` is that of the experiment's store (`shared_folder`), and `parent` the id of the process
    that started this one. Recording begins at once, in all threads, and ends with the block:

        with take_part(folder, experiment_id) as part:
            with part.trial("example", "row 7", inputs={"question": "Why?"}) as trial:
                trial.outputs = program(question="Why?")

    Raises StoreError if the folder cannot be written.
    """
    if not is_id(experiment_id):
        raise StoreError(
            f"{experiment_id!r} is not the id of an experiment", hint="pass the id of a Recording"
        )
    return WorkerJournal(FolderStorage(Path(folder)), experiment_id, parent, sinks)


class WorkerTrial:
    """A trial while it runs. Set `outputs`, `score` and `details` before its block ends."""

    def __init__(self, trial: str) -> None:
        self.id = trial
        self.outputs: Any = None
        self.score: float | None = None
        self.details: dict[str, Any] = {}


class WorkerJournal:
    """Records all threads of this process, from its creation until it is closed."""

    def __init__(
        self,
        storage: JournalStorage,
        experiment_id: str,
        parent: int | None = None,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self._journal = begin_journal(storage, experiment_id, "process", parent)
        self._lines = LineWriter(self._journal, sinks)
        self._recorder = Recorder(self._lines)
        self._overlay: CallbackOverlay | None = None
        add_listener(self._recorder)

    def __enter__(self) -> Self:
        # A dspy.context that is open here has copied the callbacks before ours was added.
        if self._recorder not in active_recorders():
            self._overlay = CallbackOverlay(self._recorder)
            self._overlay.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._overlay is not None:
            self._overlay.__exit__(kind, error, traceback)
        self.close()

    @property
    def faults(self) -> dict[str, Any]:
        """The number of calls that could not be recorded correctly, and the first reason."""
        return self._recorder.faults.to_json()

    @contextmanager
    def trial(
        self,
        kind: str,
        name: str,
        *,
        parent: str | None = None,
        inputs: Any = None,
        details: Mapping[str, Any] | None = None,
    ) -> Iterator[WorkerTrial]:
        """Open a trial for the calls of this thread or task.

        Its end has the status of the block: an exception fails it, and passes through.
        """
        trial = WorkerTrial(self._lines.trial(kind, name, parent, inputs, details or {}))
        error: BaseException | None = None
        try:
            with self.within(trial.id):
                yield trial
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._lines.trial_end(
                trial.id,
                status_of(error),
                outputs=trial.outputs,
                error=error_of(error),
                score=trial.score,
                details=trial.details,
            )

    def within(self, trial: str | None) -> AbstractContextManager[None]:
        """Let the calls of this thread or task belong to a trial that is already open."""
        return self._recorder.trials.within(trial)

    def begin_test(self, name: str, details: Mapping[str, Any]) -> str:
        """Begin a trial for the calls of all threads; return its id."""
        trial = self._lines.trial("test", name, None, None, details)
        self.go_on_with(trial)
        return trial

    def go_on_with(self, trial: str | None) -> None:
        """Let the calls of all threads belong to this trial. None: to trials of their own."""
        self._recorder.trials.of_process = trial

    def end_test(self, trial: str, status: str, error: str | None, details: dict[str, Any]) -> None:
        self.go_on_with(None)
        self._lines.trial_end(trial, status, error=error, details=details)

    def close(self) -> None:
        """Stop recording. Safe to call twice."""
        remove_listener(self._recorder)
        self._recorder.is_closed = True
        self._lines.finish()
        self._journal.close()
