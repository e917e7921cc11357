"""Which experiments and trials an inquiry asks for."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import TypeVar

from dspy_profiles.errors import StoreError
from dspy_profiles.results.model import Experiment, Trial, moment
from dspy_profiles.results.store.protocol import When

__all__ = ["ExperimentFilter", "first", "suits"]

T = TypeVar("T")


@dataclass(frozen=True)
class ExperimentFilter:
    """All that can be told from the experiment itself, without its events."""

    hypothesis: str | None = None
    program: str | None = None
    profile: str | None = None
    status: str | None = None
    since: When | None = None
    until: When | None = None
    min_score: float | None = None

    def check(self) -> Callable[[Experiment], bool]:
        """The test; times that are none are told before anything is read."""
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


def suits(trial: Trial, status: str | None, kind: str | None, min_score: float | None) -> bool:
    return (
        status in (None, trial.status)
        and kind in (None, trial.kind)
        and _reaches(trial.score, min_score)
    )


def first(found: Iterable[T], limit: int | None) -> Iterator[T]:
    """So many of them; None: all."""
    return islice(found, None if limit is None else max(limit, 0))


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
    except ValueError as error:
        raise StoreError(
            f'"{given}" is no time', hint="write 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error
