"""Filters: the checked conditions of a query."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any, Self, TypeVar

from dspy_profiles.errors import StoreError, did_you_mean
from dspy_profiles.results import _words
from dspy_profiles.results._model import STATUSES, Experiment, Trial, moment
from dspy_profiles.results.store._protocol import ExperimentQuery, TrialQuery, When

__all__ = ["ExperimentFilter", "TrialFilter", "first"]

T = TypeVar("T")


@dataclass(frozen=True)
class ExperimentFilter:
    """Conditions of `query_experiments`, with the words of `text`."""

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

    @classmethod
    def of(cls, query: ExperimentQuery) -> Self:
        """Return the filter of a query. Raises StoreError for an invalid status, score or limit."""
        return cls(**_values(query, ExperimentQuery, "query_experiments"))

    def check(self) -> Callable[[Experiment], bool]:
        """Return a function that checks an experiment's own fields, which are not its words.

        Raises StoreError for an invalid time.
        """
        since, until = _time(self.since, time.min), _time(self.until, time.max)
        part = None if self.hypothesis is None else self.hypothesis.casefold()

        def holds(experiment: Experiment) -> bool:
            return (
                (part is None or part in (experiment.hypothesis or "").casefold())
                and self.program in (None, experiment.program)
                and self.profile in (None, experiment.profile)
                and self.status in (None, experiment.status)
                and (since is None or experiment.started >= since)
                and (until is None or experiment.started <= until)
                and _reaches(experiment.score, self.min_score)
            )

        return holds


@dataclass(frozen=True)
class TrialFilter:
    """Conditions of `query_trials`, with the words of `text`."""

    status: str | None = None
    kind: str | None = None
    min_score: float | None = None
    words: set[str] | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of(cls, query: TrialQuery) -> Self:
        """Return the filter of a query. Raises StoreError for an invalid status, score or limit."""
        return cls(**_values(query, TrialQuery, "query_trials"))

    def suits(self, trial: Trial) -> bool:
        """Return whether a trial has this status, kind and score. Ignores the words."""
        return (
            self.status in (None, trial.status)
            and self.kind in (None, trial.kind)
            and _reaches(trial.score, self.min_score)
        )


def first(items: Iterable[T], limit: int | None) -> list[T]:
    """Return as many as the limit allows. None: all."""
    return list(islice(items, None if limit is None else max(limit, 0)))


def _values(
    query: ExperimentQuery | TrialQuery, keys: type[ExperimentQuery | TrialQuery], method: str
) -> dict[str, Any]:
    """Return the arguments of a filter."""
    values: dict[str, Any] = {**query}
    for unknown in values.keys() - keys.__annotations__.keys():
        raise TypeError(f"{method}() got an unexpected keyword argument {unknown!r}")
    text = values.pop("text", None)
    return {**values, "words": None if text is None else _words.words(text)}


def _check(wanted: ExperimentFilter | TrialFilter) -> None:
    """Raise for a value that no record can have: the result would be empty without a reason."""
    status: Any = wanted.status  # callers may be untyped
    if status is not None and status not in STATUSES:
        near = did_you_mean(status, STATUSES) if isinstance(status, str) else None
        hint = near or f"write one of: {', '.join(STATUSES)}"
        raise StoreError(f"{status!r} is not a status", hint=hint)
    bar: Any = wanted.min_score
    if not isinstance(bar, int | float | None):
        raise StoreError(f"min_score is {bar!r}, which is not a number", hint="write min_score=0.8")
    most: Any = wanted.limit
    if not isinstance(most, int | None):
        raise StoreError(f"limit is {most!r}, which is not a number", hint="write limit=20")


def _reaches(score: float | None, bar: float | None) -> bool:
    return bar is None or (score is not None and score >= bar)


def _time(when: When | None, of_day: time) -> datetime | None:
    """Return a time. A day counts from its beginning, or to its end."""
    if when is None:
        return None
    try:
        if isinstance(when, str):
            is_day = len(when) == len("2026-01-01")
            when = date.fromisoformat(when) if is_day else moment(when)
        if isinstance(when, datetime):
            return moment(when)
        return datetime.combine(when, of_day, UTC)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f'"{when}" is not a time', hint="write 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error
