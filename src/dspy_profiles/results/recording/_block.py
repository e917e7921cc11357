"""The block that records: it joins DSPy's context, and archives when it is left."""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

from dspy_profiles.errors import ProfileError
from dspy_profiles.results._ids import is_id
from dspy_profiles.results._model import Trial
from dspy_profiles.results.journal._base import Durability
from dspy_profiles.results.recording._experiment import ExperimentWriter, say
from dspy_profiles.results.store._find import BEFORE
from dspy_profiles.results.store._open import open_store
from dspy_profiles.results.store._protocol import Store

__all__ = ["Recording", "record"]


class record:  # noqa: N801 - it reads as a function: with record("name") as exp: …
    """Record what DSPy does in a block; leaving it archives.

    >>> with record("tune-prompt", hypothesis="shorter is better") as exp:  # doctest: +SKIP
    ...     program(question="Why?")
    ...     exp.score("accuracy", 0.8)

    `program` is the name of what is tried, or the program itself. `store` is a store or its URL;
    without it the setting `store`. `durability`: what is written survives the end of its process in
    any case, and a power cut after each "trial" or each "event" too.
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
        given: Any = name  # whatever a caller gives
        if not isinstance(given, str) or not given.strip() or BEFORE.fullmatch(given):
            raise ProfileError(
                f"an experiment cannot be called {name!r}",
                hint='give it a name such as "tune-prompt"',
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
    """One experiment while it is recorded."""

    def __init__(self, store: Store, name: str, durability: Durability) -> None:
        from dspy_profiles.activation import CallbackOverlay  # imports DSPy
        from dspy_profiles.results.recording._callback import Recorder

        self._book = ExperimentWriter(store, name, durability)
        self.id = self._book.id
        self.name = name
        self.store = store
        self.tell: Callable[[str], None] = say  # where the lines at its end go
        self._recorder = Recorder(self._book.lines)
        self._joined = CallbackOverlay(self._recorder)

    def begin(self, hypothesis: str | None, program: Any) -> None:
        from dspy_profiles.activation import current_profile

        if program is not None and not isinstance(program, str):
            program = type(program).__name__
        self._book.title(current_profile(), hypothesis, program)
        self._joined.__enter__()

    def abandon(self) -> None:
        """Stop before anything was recorded; what there is of it counts as interrupted."""
        self._recorder.is_closed = True
        self._book.journal.close()

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
        """Keep why the program goes on as it does.

        It stands where it was made: in the call that is under way, or in the trial that is named.
        """
        said = {"strategy": strategy, "rationale": rationale, "action": action, "worker": worker}
        self._point("decision", str(strategy or action or "decision"), trial, {**said, **more})

    def score(self, metric: str, value: Any, trial: Trial | str | None = None, **more: Any) -> None:
        """Keep a number: of the trial that is named or under way, else of the experiment."""
        from dspy_profiles.results.recording._evaluations import number

        found = number(value)
        said = {"value": found, **more} if found is not None else {"value": None, "given": value}
        self._point("score", metric, trial, said)

    def end(self, error: BaseException | None) -> None:
        """Leave DSPy's context, close the journal, archive, say how to look at it. Never raises."""
        from dspy_profiles.results.recording._callback_base import error_of, status_of

        self._joined.__exit__(None, None, None)
        self._recorder.is_closed = True
        if os.getpid() != self._book.process:  # a fork that leaves its parent's block
            self._book.journal.close()
            return
        status = status_of(error)
        more: dict[str, Any] = {} if status == "done" else {"error": error_of(error)}
        faults = self._recorder.faults
        if faults["count"]:
            more["faults"] = faults
        done = self._book.close(status, **more)
        for line in [] if done is None else self._book.closing_lines(done, faults):
            self.tell(line)

    def _point(self, kind: str, name: str, trial: Trial | str | None, said: dict[str, Any]) -> None:
        if self._recorder.is_closed:
            raise ProfileError(
                f'"{self.name}" is not recorded any more', hint="do this inside its block"
            )
        named: Any = trial.id if isinstance(trial, Trial) else trial  # whatever a caller gives
        if named is not None and not is_id(named):
            hint = "a Trial, or its id: store.query_trials(exp.id) has them"
            raise ProfileError(f"{named!r} is no trial", hint=hint)
        try:
            around, _ = self._recorder.spans.around()
            parent = None if around is None or trial is not None else around.id or None
            if trial is None:
                named = None if around is None else around.trial
            self._book.lines.point(kind, name, parent, named, said)
        except Exception as error:  # noqa: BLE001 - a fault of ours does not stop the program
            self._recorder.failed(error)
