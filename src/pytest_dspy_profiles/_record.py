"""A session as an experiment of the results: each test is a trial of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from dspy_profiles.profiles import Choice, resolve_choice
from dspy_profiles.results.recording import ExperimentWriter, shared_folder
from dspy_profiles.results.store import open_store
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._outcomes import STATUS, outcome_after

if TYPE_CHECKING:
    from dspy_profiles.results.recording import WorkerJournal

__all__ = ["SessionBook", "TrialRecord", "TrialRecorder", "add_report"]

NAME = "pytest"
ENDS = {0: "done", 2: "interrupted", 5: "done"}  # pytest's exit codes; all others have failed


class SessionBook:
    """The one process that says what is recorded, and archives it: xdist's controller, or all."""

    def __init__(self, asked: SessionConfig, *, has_workers: bool) -> None:
        url = str(asked.store)
        store = open_store(url)
        if has_workers:
            shared_folder(store)  # tells where they cannot write
        self._book = ExperimentWriter(store, NAME)
        # As it was given, unless there may be a password in it.
        self.place = self._book.store.url if "://" in url else url
        names = asked.named.names
        profile = None
        if len(names) == 1:
            choice = Choice(names[0], f"from {asked.named.by}")
            profile = resolve_choice(asked.scene, choice, asked.overrides)
        self._book.title(profile, details={"profiles": list(names)} if len(names) > 1 else None)
        self.lines: list[str] = []

    def for_worker(self) -> dict[str, str]:
        """What another process has to know to take part."""
        return {"id": self._book.id, "folder": str(shared_folder(self._book.store))}

    def witness(self) -> "TrialRecorder":
        from dspy_profiles.results.recording import WorkerJournal

        return TrialRecorder(WorkerJournal(self._book.store.storage, self._book.id))

    def close(
        self, exit_code: int, stopped_by: BaseException | None, faults: Mapping[str, Any]
    ) -> None:
        """Archive what has been recorded; `lines` then say how to look at it."""
        from dspy_profiles.results.recording import error_of

        more: dict[str, Any] = {} if stopped_by is None else {"error": error_of(stopped_by)}
        if faults["count"]:
            more["faults"] = dict(faults)
        done = self._book.close(ENDS.get(exit_code, "failed"), **more)
        if done is not None:
            self.lines = self._book.closing_lines(done, faults)


@dataclass
class TrialRecord:
    """One test, as far as its reports have come in."""

    trial: str
    outcome: str = "interrupted"
    duration: float = 0.0
    error: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class TrialRecorder:
    """Where tests are run: hears what they call, and says which test it was for."""

    def __init__(self, part: "WorkerJournal") -> None:
        self._part = part

    @classmethod
    def of_worker(cls, place: Mapping[str, str]) -> Self:
        from dspy_profiles.results.recording import take_part

        return cls(take_part(place["folder"], place["id"]))

    @property
    def faults(self) -> dict[str, Any]:
        return self._part.faults

    @contextmanager
    def test(self, name: str, profile: str | None) -> Iterator[TrialRecord]:
        """One test from its set-up to its end, however often it is run again."""
        told = TrialRecord(self._part.begin_test(name, {"profile": profile}))
        try:
            yield told
        finally:
            details = {"outcome": told.outcome, "duration": round(told.duration, 6), **told.details}
            status = STATUS.get(told.outcome, "interrupted")
            self._part.end_test(told.trial, status, told.error, details)

    def hear_for(self, trial: str | None) -> None:
        """What is called from now on belongs to this test; a wider fixture belongs to none."""
        self._part.go_on_with(trial)

    def close(self) -> None:
        self._part.close()


def add_report(told: TrialRecord, report: Any, error: BaseException | None) -> None:
    """One phase more of a test."""
    from dspy_profiles.results.recording import error_of

    if report.when == "setup":
        told.error = None
        told.details.pop("reason", None)
    told.outcome = outcome_after(told.outcome, report)
    told.duration += report.duration
    if report.failed and told.error is None:
        told.error = error_of(error)
    elif report.skipped:
        told.details["reason"] = getattr(report, "wasxfail", None) or str(error or "")
