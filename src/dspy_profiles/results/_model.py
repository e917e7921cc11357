"""What a record consists of: experiments, their trials, and what happened in these. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, Self, get_args

__all__ = [
    "STATUSES",
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

VERSION = 1  # of the JSON form: goes up when a field is removed, renamed or gets another meaning

Kind = Literal["module", "lm", "adapter", "tool", "evaluate", "compile", "decision", "score"]
TrialKind = Literal["call", "example", "candidate", "test"]
# The same words for experiments, trials and events. "interrupted": its process ended before it did,
# or somebody stopped it. "skipped" is for tests alone.
Status = Literal["running", "done", "failed", "interrupted", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)

TIMES = frozenset({"started", "ended"})


class _Record:
    """What all of them can do: become JSON data, and come back from it."""

    def to_json(self) -> dict[str, Any]:
        """One table, its fields by their names, with the version of the form."""
        record: dict[str, Any] = {"v": VERSION}
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            record[each.name] = written(value) if isinstance(value, datetime) else value
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """What `to_json` gave. Fields that a later version has added are passed over."""
        known = vars(cls)["__dataclass_fields__"]  # `fields` would work them out for each record
        values = {name: value for name, value in record.items() if name in known}
        return cls(**{k: moment(v) if k in TIMES and v else v for k, v in values.items()})


@dataclass(frozen=True)
class Experiment(_Record):
    """One recorded session.

    `score` is the mean of its trials' scores; where no trial has one, the last that was given to
    the experiment as a whole. `cost` is None where the price of a call is not known.
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
    """One unit: a test, an example of an evaluation, an optimizer's candidate, or a root call."""

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
    """One span or decision. `attributes` hold what is known of its kind."""

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
    """An event of that kind, by its parts."""

    strategy: str | None
    rationale: str | None
    action: str | None
    worker: str | None

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(*(event.attributes.get(each.name) for each in fields(cls)))


@dataclass(frozen=True)
class Score:
    """An event of that kind. `value` is None where the metric gave no number."""

    metric: str
    value: float | None

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(event.name, event.attributes.get("value"))


@dataclass(frozen=True)
class Candidate:
    """A program that an optimizer tried: instructions and demos of each of its predictors.

    Its name is a hash of these. DSPy does not tell what it was made from: `parent` is the candidate
    before it that it has most in common with, and `inferred` says so.
    """

    hash: str
    predictors: Mapping[str, Any]
    parent: str | None
    inferred: bool

    @classmethod
    def of(cls, trial: Trial) -> Self:
        given = trial.details
        parent, inferred = given.get("parent"), bool(given.get("parent_inferred"))
        return cls(str(given.get("candidate")), trial.inputs or {}, parent, inferred)


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with a record, and where."""

    kind: Literal["damaged", "tampered", "late", "open"]
    message: str
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def written(when: datetime) -> str:
    """A time as every record has it: UTC, to the microsecond."""
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str | datetime) -> datetime:
    """The reverse. A time without a zone is taken to be UTC."""
    when = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when
