"""The rows that all forms of a view show: trials, candidates, decisions, facts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dspy_profiles.display import (
    NOTHING,
    brief,
    count,
    counted,
    duration,
    money,
    number,
    on_one_line,
    readable,
    visible,
)
from dspy_profiles.results._model import UNREADABLE, Candidate, Decision, Event, Trial
from dspy_profiles.results.journal._usage import Spent, seconds_of
from dspy_profiles.results.views._describe import Part

__all__ = [
    "WRONG",
    "CandidateRow",
    "DecisionRow",
    "Fact",
    "TrialRow",
    "aside_of",
    "candidate_rows",
    "failed_first",
    "predictors",
    "took",
]

NAME = 120  # characters
WRONG = ("failed", "interrupted", UNREADABLE)  # statuses of errors


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its label."""

    label: str
    value: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial in the table. `number` counts the trials of the experiment, from 1."""

    number: int
    id: str
    name: str
    kind: str
    status: str
    score: float | None
    at: float  # seconds since the experiment began
    seconds: float | None
    spent: Spent
    error: str  # on one line
    asked: str
    answered: str
    parent: str  # the candidate that it was tried with
    is_inferred: bool  # its program was not observed

    @classmethod
    def of(
        cls, trial: Trial, number: int, began: datetime, spent: Spent, parent: str = ""
    ) -> "TrialRow":
        return cls(
            number,
            trial.id,
            on_one_line(trial.name, NAME),
            on_one_line(trial.kind, 20),
            on_one_line(trial.status, 20),
            trial.score,
            max(0.0, (trial.started - began).total_seconds()),
            seconds_of(trial),
            spent,
            "" if trial.error is None else on_one_line(trial.error),
            "" if trial.kind == "candidate" else brief(trial.inputs or ""),
            "" if trial.kind == "candidate" else brief(trial.outputs or ""),
            parent,
            trial.details.get("inferred") is True,
        )

    @property
    def is_wrong(self) -> bool:
        return self.status in WRONG

    def shown(self) -> dict[str, str]:
        """Return each column as text."""
        return {
            "number": count(self.number),
            "name": self.name,
            "kind": self.kind,
            "status": self.status,
            "score": number(self.score),
            "time": duration(self.seconds) if self.seconds is not None else self.status,
            **took(self.spent),
        }


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """One program that an optimizer tried."""

    trial: TrialRow
    hash: str
    parent: str
    is_inferred: bool  # the parent is the candidate with which it has most in common
    examples: int
    parts: Sequence[Part]

    @property
    def origin(self) -> str:
        if not self.parent:
            return ""
        return f"from {self.parent[:8]}{' (inferred)' if self.is_inferred else ''}"


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """Why the program continued as it did."""

    at: float
    strategy: str
    rationale: str
    action: str
    worker: str
    trial: TrialRow | None

    @classmethod
    def of(cls, event: Event, began: datetime, trial: TrialRow | None) -> "DecisionRow":
        decision = Decision.of(event)
        return cls(
            max(0.0, (event.started - began).total_seconds()),
            on_one_line(str(decision.strategy or event.name), NAME),
            _text(decision.rationale),
            _text(decision.action),
            _text(decision.worker),
            trial,
        )


def failed_first(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return rows with errors first: they are shown if there are too many."""
    return sorted(rows, key=lambda row: (not row.is_wrong, row.number))


def took(spent: Spent) -> dict[str, str]:
    """Return the usage of calls as text."""
    aside = [f"{count(n)} {word}" for n, word in aside_of(spent)]
    is_none = not spent.calls and not spent.cached
    return {
        "calls": f"{count(spent.calls)} ({', '.join(aside)})" if aside else count(spent.calls),
        "tokens": NOTHING if is_none else count(spent.tokens),
        "cost": NOTHING if is_none else money(spent.cost),
    }


def aside_of(spent: Spent) -> list[tuple[int, str]]:
    """Return how often the cache or a cassette answered."""
    return [(n, word) for n, word in ((spent.cached, "cached"), (spent.replayed, "replayed")) if n]


def candidate_rows(trials: Sequence[Trial], rows: Sequence[TrialRow]) -> list[CandidateRow]:
    """Return the rows of candidates, with their numbers of examples."""
    examples: dict[str, int] = {}
    for trial in trials:
        if trial.parent_id is not None:
            examples[trial.parent_id] = examples.get(trial.parent_id, 0) + 1
    return [
        _candidate(trial, row, examples.get(trial.id, 0))
        for trial, row in zip(trials, rows, strict=True)
        if trial.kind == "candidate"
    ]


def _candidate(trial: Trial, row: TrialRow, examples: int) -> CandidateRow:
    candidate = Candidate.of(trial)
    parent = "" if candidate.parent is None else on_one_line(str(candidate.parent), NAME)
    return CandidateRow(
        row,
        on_one_line(candidate.hash, NAME),
        parent,
        candidate.inferred,
        examples,
        predictors(trial),
    )


def predictors(trial: Trial) -> list[Part]:
    """Return the predictors of a candidate."""
    by_name = Candidate.of(trial).predictors
    if not isinstance(by_name, Mapping):
        return []
    return [part for name, each in by_name.items() for part in _predictor(name, each)]


def _predictor(name: str, predictor: Any) -> Iterable[Part]:
    label = on_one_line(str(name), NAME)
    if not isinstance(predictor, Mapping):
        yield Part(label, readable(predictor))
        return
    demos = predictor.get("demos")
    if predictor.get("instructions"):
        yield Part(label, readable(predictor["instructions"]), is_answer=True)
    if isinstance(demos, list) and demos:
        yield Part(counted(len(demos), "demo"), readable(demos))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) else brief(value)
