"""Recorded data: experiments, their trials, and the events of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, Self, cast, get_args

__all__ = [
    "STATUSES",
    "UNREADABLE",
    "VERSION",
    "Candidate",
    "Decision",
    "Event",
    "Experiment",
    "Fault",
    "Kind",
    "Score",
    "Status",
    "Trial",
    "TrialKind",
    "moment",
    "written",
]

VERSION = 1  # of the JSON form: increases if a field is removed, renamed or changes its meaning

Kind = Literal["module", "lm", "adapter", "tool", "evaluate", "compile", "decision", "score"]
TrialKind = Literal["call", "example", "candidate", "test"]
# The same for experiments, trials and events. "interrupted": its process ended first, or it was
# stopped. "skipped" is only for tests.
Status = Literal["running", "done", "failed", "interrupted", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)
UNREADABLE = "unreadable"  # only in lists: an experiment that cannot be read

TIMES = frozenset({"started", "ended"})
TEXT, TEXT_OR_NONE = (str,), (str, type(None))
# The types of fields in JSON, the same in all records.
TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("id", "experiment_id", "name", "status", "kind", "started"), TEXT),
    **dict.fromkeys(("hypothesis", "program", "profile", "ended", "error"), TEXT_OR_NONE),
    **dict.fromkeys(("parent_id", "trial_id"), TEXT_OR_NONE),
    **dict.fromkeys(("score", "cost"), (float, int, type(None))),
    **dict.fromkeys(("trials", "tokens"), (int,)),
    **dict.fromkeys(("details", "attributes"), (dict,)),
    **dict.fromkeys(("inputs", "outputs"), (object,)),
}
FIRST_YEAR, LAST_YEAR = 2, 9998  # no time zone leads out of those that Python has


class _Record:
    """Base of all records: conversion to JSON data and back."""

    def to_json(self) -> dict[str, Any]:
        """Return a table of the fields, with the version of the form."""
        record: dict[str, Any] = {"v": VERSION}
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            record[each.name] = written(value) if isinstance(value, datetime) else value
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Return the record of such a table. Ignores fields that a later version added.

        Raises TypeError or ValueError if it is not one.
        """
        known = vars(cls)["__dataclass_fields__"]  # `fields` would compute them for each record
        values: dict[str, Any] = {}
        for name, value in record.items():
            if name in known:
                if not isinstance(value, TYPES[name]):
                    raise TypeError(f"{name} is a {type(value).__name__}")
                is_time = name in TIMES and value is not None
                values[name] = moment(cast("str", value)) if is_time else value
        return cls(**values)


@dataclass(frozen=True)
class Experiment(_Record):
    """One recorded run.

    `score` is the mean of its trials' scores, otherwise the last score of the experiment itself.
    `cost` is None if the price of a call is not known.
    """

    id: str
    name: str
    hypothesis: str | None
    program: str | None
    profile: str | None
    status: str
    started: datetime
    ended: datetime | None = None
    score: float | None = None
    trials: int = 0
    cost: float | None = 0.0
    tokens: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial(_Record):
    """A test, an example of an evaluation, a candidate of an optimizer, or an outermost call."""

    id: str
    experiment_id: str
    name: str
    status: str
    score: float | None
    started: datetime
    ended: datetime | None = None
    inputs: Any = None
    outputs: Any = None
    error: str | None = None
    kind: str = "call"
    parent_id: str | None = None  # the candidate that an example was tried with
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event(_Record):
    """A call, a decision or a score. `attributes` depend on its kind."""

    id: str
    parent_id: str | None
    trial_id: str | None
    kind: str
    name: str
    started: datetime
    ended: datetime | None
    status: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The parts of a decision event."""

    strategy: str | None
    rationale: str | None
    action: str | None
    worker: str | None

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(*(event.attributes.get(each.name) for each in fields(cls)))


@dataclass(frozen=True)
class Score:
    """The parts of a score event. `value` is None if the metric did not return a number."""

    metric: str
    value: float | None

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(event.name, event.attributes.get("value"))


@dataclass(frozen=True)
class Candidate:
    """A program that an optimizer tried: instructions and demos of each predictor.

    `hash` is a hash of these. DSPy does not report what a candidate was made from: `parent` is the
    earlier candidate with which it has most in common, and `inferred` marks that.
    """

    hash: str
    predictors: Mapping[str, Any]
    parent: str | None
    inferred: bool

    @classmethod
    def of(cls, trial: Trial) -> Self:
        details = trial.details
        parent, inferred = details.get("parent"), bool(details.get("parent_inferred"))
        return cls(str(details.get("candidate")), trial.inputs or {}, parent, inferred)


@dataclass(frozen=True)
class Fault:
    """An error in recorded data, and its place."""

    kind: Literal["damaged", "tampered", "late", "open"]
    message: str
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def written(when: datetime) -> str:
    """Return a time in the form of all records: UTC, to the microsecond."""
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str | datetime) -> datetime:
    """Return the time of such a string. Without a zone, it is UTC. Raises ValueError."""
    when = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise ValueError(f"year {when.year} is out of range")
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when
