"""The block that records: it joins DSPy's context, and archives on exit."""

import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from dspy_profiles.errors import ProfileError
from dspy_profiles.results._ids import is_id
from dspy_profiles.results._model import Trial
from dspy_profiles.results.journal._base import Durability
from dspy_profiles.results.recording._experiment import ExperimentWriter, say
from dspy_profiles.results.recording._sinks import Sink
from dspy_profiles.results.store._find import BEFORE
from dspy_profiles.results.store._open import open_store
from dspy_profiles.results.store._protocol import Store

__all__ = ["Recording", "record"]


class record:  # noqa: N801 - it reads as a function: with record("name") as exp: …
    """Record what DSPy does in a `with` block as an experiment.

    >>> with record("tune-prompt", hypothesis="shorter is better") as exp:  # doctest: +SKIP
    ...     program(question="Why?")
    ...     exp.score("accuracy", 0.8)

    Archives it on exit. `program` is the program, or its name. `store` is a store or its URL; the
    default is the setting `store`. Events survive the death of the process; with `durability`
    "trial" or "event", also a power failure after each of these. Raises StoreError at its start if
    the store cannot be written.
    """

    def __init__(
        self,
        name: str,
        hypothesis: str | None = None,
        program: Any = None,
        store: Store | str | None = None,
        durability: Durability = "process",
    ) -> None:
        if durability not in ("process", "trial", "event"):
            raise ProfileError(
                f'durability is "{durability}"', hint="write process, trial or event"
            )
        untyped: Any = name  # callers may be untyped
        if not isinstance(untyped, str) or not untyped.strip() or BEFORE.fullmatch(untyped):
            raise ProfileError(
                f"{name!r} is not a name for an experiment",
                hint='write a name such as "tune-prompt"',
            )
        self._name = name
        self._hypothesis = hypothesis
        self._program = program
        self._store = store
        self._durability: Durability = durability
        self._entered: list[Recording] = []

    def __enter__(self) -> "Recording":
        store = self._store if isinstance(self._store, Store) else open_store(self._store)
        recording = Recording(store, self._name, self._durability)
        try:
            recording.begin(self._hypothesis, self._program)
        except BaseException:
            recording.abandon()
            raise
        self._entered.append(recording)
        return recording

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered.pop().end(error)

    async def __aenter__(self) -> "Recording":
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


class Recording:
    """One experiment while it is recorded. `sinks` get each line after the journal."""

    def __init__(
        self, store: Store, name: str, durability: Durability, sinks: Sequence[Sink] = ()
    ) -> None:
        from dspy_profiles.activation import CallbackOverlay  # imports DSPy
        from dspy_profiles.results.recording._callback import Recorder

        self._writer = ExperimentWriter(store, name, durability, sinks=sinks)
        self.id = self._writer.id
        self.name = name
        self.store = store
        self.tell: Callable[[str], None] = say  # prints the lines at its end
        self._recorder = Recorder(self._writer.lines)
        self._overlay = CallbackOverlay(self._recorder)

    def begin(self, hypothesis: str | None, program: Any) -> None:
        from dspy_profiles.activation import current_profile

        if program is not None and not isinstance(program, str):
            program = type(program).__name__
        self._writer.title(current_profile(), hypothesis, program)
        self._overlay.__enter__()

    def abandon(self) -> None:
        """Stop before anything was recorded. The experiment counts as interrupted."""
        self._recorder.is_closed = True
        self._writer.abandon()

    def decision(
        self,
        *,
        strategy: str | None = None,
        rationale: str | None = None,
        action: str | None = None,
        worker: str | None = None,
        trial: Trial | str | None = None,
        **more: Any,
    ) -> None:
        """Record why the program continues as it does.

        The decision belongs to the trial, if there is one, otherwise to the call that is running.
        """
        parts = {"strategy": strategy, "rationale": rationale, "action": action, "worker": worker}
        self._recorder.decision({**parts, **more}, self._trial_id(trial))

    def score(self, metric: str, value: Any, trial: Trial | str | None = None, **more: Any) -> None:
        """Record a number of the trial, or of the running one, or else of the experiment."""
        from dspy_profiles.results.recording._evaluations import number

        score = number(value)
        attributes = (
            {"value": score, **more} if score is not None else {"value": None, "given": value}
        )
        self._recorder.point("score", metric, attributes, self._trial_id(trial))

    def end(self, error: BaseException | None) -> None:
        """Leave DSPy's context, archive, print how to show the experiment. Never raises."""
        from dspy_profiles.results.recording._status import error_of, status_of

        self._overlay.__exit__(None, None, None)
        self._recorder.is_closed = True
        if os.getpid() != self._writer.process:  # a fork that leaves its parent's block
            self._writer.abandon()
            return
        self._writer.lines.finish()  # before faults are counted: a sink may fail now
        faults = self._recorder.faults.to_json()
        status = status_of(error)
        more: dict[str, Any] = {} if status == "done" else {"error": error_of(error)}
        if faults["count"]:
            more["faults"] = faults
        archived = self._writer.close(status, **more)
        for line in [] if archived is None else self._writer.closing_lines(archived, faults):
            self.tell(line)

    def _trial_id(self, trial: Trial | str | None) -> str | None:
        """Return the id of a trial. Raises ProfileError for anything else, or after the block."""
        if self._recorder.is_closed:
            raise ProfileError(
                f'the recording of "{self.name}" has ended', hint="call this inside its block"
            )
        trial_id: Any = trial.id if isinstance(trial, Trial) else trial  # callers may be untyped
        if trial_id is not None and not is_id(trial_id):
            hint = "pass a Trial, or its id: store.query_trials(exp.id) has them"
            raise ProfileError(f"{trial_id!r} is not a trial", hint=hint)
        return None if trial_id is None else str(trial_id)
