"""A session as an experiment of the results: each test is one of its trials."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from dspy_profiles.profiles import Choice, resolve_choice
from dspy_profiles.results.recording import ExperimentWriter, shared_folder
from dspy_profiles.results.store import open_store
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._failures import STATUS, outcome_after

if TYPE_CHECKING:
    from dspy_profiles.results.recording import WorkerJournal

__all__ = ["SessionExperiment", "TrialRecord", "TrialRecorder", "add_report"]

NAME = "pytest"
STATUS_OF_EXIT = {0: "done", 2: "interrupted", 5: "done"}  # all other exit codes: failed


class SessionExperiment:
    """The experiment of this session, in the one process that archives it."""

    def __init__(self, session_config: SessionConfig, *, has_workers: bool) -> None:
        url = str(session_config.store)
        store = open_store(url)
        if has_workers:
            shared_folder(store)  # raises if workers cannot write to this store
        self._writer = ExperimentWriter(store, NAME)
        # The words of the command line, unless they may contain a password.
        self.place = self._writer.store.url if "://" in url else url
        names = session_config.named.names
        profile = None
        if len(names) == 1:
            choice = Choice(names[0], f"from {session_config.named.by}")
            profile = resolve_choice(session_config.scene, choice, session_config.overrides)
        self._writer.title(profile, details={"profiles": list(names)} if len(names) > 1 else None)
        self.lines: list[str] = []

    def for_worker(self) -> dict[str, str]:
        """Return what a worker of xdist needs to record its tests."""
        return {"id": self._writer.id, "folder": str(shared_folder(self._writer.store))}

    def recorder(self) -> "TrialRecorder":
        from dspy_profiles.results.recording import WorkerJournal

        return TrialRecorder(WorkerJournal(self._writer.store.storage, self._writer.id))

    def close(
        self, exit_code: int, stopped_by: BaseException | None, faults: Mapping[str, Any]
    ) -> None:
        """Archive the experiment; afterwards `lines` show how to look at it."""
        from dspy_profiles.results.recording import error_of

        more: dict[str, Any] = {} if stopped_by is None else {"error": error_of(stopped_by)}
        if faults["count"]:
            more["faults"] = dict(faults)
        archived = self._writer.close(STATUS_OF_EXIT.get(exit_code, "failed"), **more)
        if archived is not None:
            self.lines = self._writer.closing_lines(archived, faults)


@dataclass
class TrialRecord:
    """One test, as far as its reports have come in."""

    trial: str
    outcome: str = "interrupted"
    duration: float = 0.0
    error: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class TrialRecorder:
    """Records the tests of this process, and to which of them each call belongs."""

    def __init__(self, journal: "WorkerJournal") -> None:
        self._journal = journal

    @classmethod
    def of_worker(cls, place: Mapping[str, str]) -> Self:
        from dspy_profiles.results.recording import take_part

        return cls(take_part(place["folder"], place["id"]))

    @property
    def faults(self) -> dict[str, Any]:
        return self._journal.faults

    @contextmanager
    def test(self, name: str, profile: str | None) -> Iterator[TrialRecord]:
        """Record one test from its setup to its end, including reruns."""
        record = TrialRecord(self._journal.begin_test(name, {"profile": profile}))
        try:
            yield record
        finally:
            details = {
                "outcome": record.outcome,
                "duration": round(record.duration, 6),
                **record.details,
            }
            status = STATUS.get(record.outcome, "interrupted")
            self._journal.end_test(record.trial, status, record.error, details)

    def attribute_to(self, trial: str | None) -> None:
        """Let calls belong to a test from now on, or to none: those of a wider fixture."""
        self._journal.go_on_with(trial)

    def close(self) -> None:
        self._journal.close()


def add_report(record: TrialRecord, report: Any, error: BaseException | None) -> None:
    """Add one more phase of a test."""
    from dspy_profiles.results.recording import error_of

    if report.when == "setup":
        record.error = None
        record.details.pop("reason", None)
    record.outcome = outcome_after(record.outcome, report)
    record.duration += report.duration
    if report.failed and record.error is None:
        record.error = error_of(error)
    elif report.skipped:
        record.details["reason"] = getattr(report, "wasxfail", None) or str(error or "")
