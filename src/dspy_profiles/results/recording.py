"""The block that records: it joins DSPy's context, and archives when it is left."""

import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import Any

import orjson

from dspy_profiles.errors import ProfileError
from dspy_profiles.results import archive
from dspy_profiles.results.ids import new_id
from dspy_profiles.results.model import VERSION, Experiment, Trial
from dspy_profiles.results.shelf import Durability
from dspy_profiles.results.store import Store, open_store
from dspy_profiles.results.writing import Lines, now

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
        from dspy_profiles.activation.joining import Joined  # imports DSPy
        from dspy_profiles.results.recorder import Recorder

        self.id = new_id()
        self.name = name
        self.store = store
        self._process = os.getpid()
        self._journal = store.shelf.begin(self.id, durability, self._first_line)
        self._lines = Lines(self._journal)
        self._recorder = Recorder(self._lines)
        self._joined = Joined(self._recorder)

    def begin(self, hypothesis: str | None, program: Any) -> None:
        from dspy_profiles.activation import current_profile
        from dspy_profiles.results.circumstances import circumstances

        profile = current_profile()
        if program is not None and not isinstance(program, str):
            program = type(program).__name__
        content = {
            "v": VERSION,
            "id": self.id,
            "name": self.name,
            "hypothesis": hypothesis,
            "program": program,
            "profile": None if profile is None else profile.name,
            "details": circumstances(profile),
        }
        self._lines.experiment(content)
        self._joined.__enter__()

    def abandon(self) -> None:
        """Stop before anything was recorded; what there is of it counts as interrupted."""
        self._recorder.is_closed = True
        self._journal.close()

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
        from dspy_profiles.results.evaluations import number

        found = number(value)
        said = {"value": found, **more} if found is not None else {"value": None, "given": value}
        self._point("score", metric, trial, said)

    def end(self, error: BaseException | None) -> None:
        """Leave DSPy's context, close the journal, archive, say how to look at it. Never raises."""
        self._joined.__exit__(None, None, None)
        self._recorder.is_closed = True
        self._journal.close()
        if os.getpid() != self._process:  # a fork that leaves its parent's block
            return
        try:
            self._archive(error)
        except Exception as failure:  # noqa: BLE001 - the program's own result is what counts
            message = failure.message if isinstance(failure, ProfileError) else str(failure)
            _say(
                f'"{self.name}" is recorded but not archived: {message}; '
                "dspy-profiles results recover does it later"
            )

    def _archive(self, error: BaseException | None) -> None:
        from dspy_profiles.results.hearing import error_of, status_of

        recorder = self._recorder
        more: dict[str, Any] = {"ended": now(), "lost": self._journal.lost}
        status = status_of(error)
        if status != "done":
            more["error"] = error_of(error)
        if recorder.faults:
            more["faults"] = {"count": recorder.faults, "first": recorder.first_fault}
        archive.seal(self.store.shelf, self.id, status, **more)
        self._tell(self.store.archive_experiment(self))

    def _tell(self, done: Experiment) -> None:
        trials = f"{done.trials} trial{'' if done.trials == 1 else 's'}"
        score = "" if done.score is None else f", score {done.score:.4g}"
        _say(f'recorded "{self.name}": {trials}{score}; dspy-profiles trace {self.id}')
        if self._journal.lost:
            _say(f"{self._journal.lost} of its lines were lost: {self._journal.why}")
        if self._recorder.faults:
            _say(
                f"{self._recorder.faults} of its calls could not be recorded as they should be: "
                f"{self._recorder.first_fault}"
            )

    def _point(self, kind: str, name: str, trial: Trial | str | None, said: dict[str, Any]) -> None:
        if self._recorder.is_closed:
            raise ProfileError(
                f'"{self.name}" is not recorded any more', hint="say it in the block"
            )
        try:
            around, _ = self._recorder.spans.around()
            parent = None if around is None or trial is not None else around.id
            if trial is None:
                trial = None if around is None else around.trial
            name_of_trial = trial.id if isinstance(trial, Trial) else trial
            self._lines.point(kind, name, parent, name_of_trial, said)
        except Exception as error:  # noqa: BLE001 - a fault of ours does not stop the program
            self._recorder.failed(error)

    def _first_line(self, journal: str) -> bytes:
        line = {
            "type": "journal",
            "v": VERSION,
            "experiment": self.id,
            "journal": journal,
            "pid": os.getpid(),
            "parent_pid": None if os.getpid() == self._process else self._process,
            "started": now(),
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _say(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # closed, or none at all
        sys.stderr.write(f"dspy-profiles: {text}\n")
