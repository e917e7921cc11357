"""Which experiments and trials an inquiry asks for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any, TypeVar

from dspy_profiles.errors import StoreError, did_you_mean
from dspy_profiles.results._model import STATUSES, Experiment, Trial, moment
from dspy_profiles.results.store._protocol import When

__all__ = ["ExperimentFilter", "TrialFilter", "first"]

T = TypeVar("T")


@dataclass(frozen=True)
class ExperimentFilter:
    """What `query_experiments` asks for; of a text, its words."""

    hypothesis: str | None = None
    program: str | None = None
    profile: str | None = None
    status: str | None = None
    since: When | None = None
    until: When | None = None
    min_score: float | None = None
    words: set[str] | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        _check(self)

    def check(self) -> Callable[[Experiment], bool]:
        """The test of all that an experiment says of itself.

        Times that are none are told before anything is read.
        """
        since, until = _time(self.since, time.min), _time(self.until, time.max)
        part = None if self.hypothesis is None else self.hypothesis.casefold()

        def holds(found: Experiment) -> bool:
            return (
                (part is None or part in (found.hypothesis or "").casefold())
                and self.program in (None, found.program)
                and self.profile in (None, found.profile)
                and self.status in (None, found.status)
                and (since is None or found.started >= since)
                and (until is None or found.started <= until)
                and _reaches(found.score, self.min_score)
            )

        return holds


@dataclass(frozen=True)
class TrialFilter:
    """What `query_trials` asks for; of a text, its words."""

    status: str | None = None
    kind: str | None = None
    min_score: float | None = None
    words: set[str] | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        _check(self)

    def suits(self, trial: Trial) -> bool:
        """Whether it has this status, kind and score; its words are not looked at."""
        return (
            self.status in (None, trial.status)
            and self.kind in (None, trial.kind)
            and _reaches(trial.score, self.min_score)
        )


def first(found: Iterable[T], limit: int | None) -> list[T]:
    """So many of them; None: all."""
    return list(islice(found, None if limit is None else max(limit, 0)))


def _check(wanted: ExperimentFilter | TrialFilter) -> None:
    """Refuse what no record can have: it would look as if there were none."""
    status: Any = wanted.status  # whatever a caller gives, this and the others
    if status is not None and status not in STATUSES:
        near = did_you_mean(status, STATUSES) if isinstance(status, str) else None
        hint = near or f"it is one of {', '.join(STATUSES)}"
        raise StoreError(f"{status!r} is no status", hint=hint)
    bar: Any = wanted.min_score
    if not isinstance(bar, int | float | None):
        raise StoreError(f"min_score is {bar!r}, which is no number", hint="min_score=0.8")
    most: Any = wanted.limit
    if not isinstance(most, int | None):
        raise StoreError(f"limit is {most!r}, which is no number", hint="limit=20; None gives all")


def _reaches(score: float | None, bar: float | None) -> bool:
    return bar is None or (score is not None and score >= bar)


def _time(given: When | None, of_day: time) -> datetime | None:
    """A day alone counts from its beginning, or to its end."""
    if given is None:
        return None
    try:
        if isinstance(given, str):
            is_day = len(given) == len("2026-01-01")
            given = date.fromisoformat(given) if is_day else moment(given)
        if isinstance(given, datetime):
            return moment(given)
        return datetime.combine(given, of_day, UTC)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f'"{given}" is no time', hint="write 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error
