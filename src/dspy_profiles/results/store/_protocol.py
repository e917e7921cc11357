"""The protocol of result stores, and the conditions of its queries."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol, Self, TypedDict, Unpack, runtime_checkable

from dspy_profiles.results._model import Event, Experiment, Fault, Trial
from dspy_profiles.results.journal._base import JournalStorage

__all__ = ["ExperimentQuery", "Recorded", "Store", "TrialQuery", "When"]

When = datetime | date | str  # a string is ISO 8601; a time without a zone is UTC


class ExperimentQuery(TypedDict, total=False):
    """Conditions of `Store.query_experiments`. All of them must hold; None is no condition."""

    hypothesis: str | None  # matches any part of it, ignoring case
    program: str | None
    profile: str | None
    status: str | None
    since: When | None  # of the start time, included; a day counts from its beginning
    until: When | None  # included; a day counts to its end
    min_score: float | None
    text: str | None  # all these words, in one event or trial, or in the experiment's own fields
    limit: int | None


class TrialQuery(TypedDict, total=False):
    """Conditions of `Store.query_trials`. All of them must hold; None is no condition."""

    status: str | None
    kind: str | None
    min_score: float | None
    text: str | None  # all these words, in the trial or one of its events
    limit: int | None


class Recorded(Protocol):
    """An experiment, or the object of a block that recorded one."""

    @property
    def id(self) -> str: ...


@runtime_checkable
class Store(Protocol):
    """A result store. All stores return the same results.

    Experiments come latest first, trials and events in the order in which they began. Raises
    ExperimentNotFound for an unknown id, and StoreError if the store cannot be read or written.
    """

    @property
    def url(self) -> str:
        """The URL with which `open_store` opens it again."""

    @property
    def storage(self) -> JournalStorage:
        """The place of its journals."""

    def archive_experiment(self, experiment: Recorded) -> Experiment:
        """Close an experiment for good. Safe to call twice."""

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment. An open one is `running`, or `interrupted` if its process died."""

    def query_experiments(self, **query: Unpack[ExperimentQuery]) -> list[Experiment]:
        """Return the experiments that meet all conditions."""

    def query_trials(self, experiment_id: str, **query: Unpack[TrialQuery]) -> list[Trial]:
        """Return the trials of an experiment that meet all conditions."""

    def events(self, experiment_id: str, trial_id: str | None = None) -> list[Event]:
        """Return the events of a trial, or all events, including those outside of trials."""

    def verify(self, experiment_id: str) -> Sequence[Fault]:
        """Return the errors of an archived experiment; none if nothing has changed since."""

    def recover(self) -> list[Experiment]:
        """Archive what dead processes left open, as `interrupted`, and return it.

        Raises StoreError if some cannot be closed, after all others are.
        """

    def rebuild(self) -> int:
        """Recreate everything from the journals; return the number of experiments.

        Raises StoreError if some cannot be recreated, after all others are.
        """

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
