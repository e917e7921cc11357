"""What every result store can do, wherever it keeps things."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Protocol, runtime_checkable

from dspy_profiles.results._model import Event, Experiment, Fault, Trial
from dspy_profiles.results.journal._base import JournalStorage

__all__ = ["Recorded", "Store", "When"]

When = datetime | date | str  # a text is ISO 8601; a time without a zone is UTC


class Recorded(Protocol):
    """An experiment, or the handle of a block that recorded one."""

    @property
    def id(self) -> str: ...


@runtime_checkable
class Store(Protocol):
    """Answers are the same whichever store gives them.

    Experiments come latest first, trials and events in the order in which they began. A name that
    is not there is `ExperimentNotFound`; a store that cannot be read or written is `StoreError`.
    """

    @property
    def url(self) -> str:
        """What `open_store` takes to open it again."""

    @property
    def shelf(self) -> JournalStorage:
        """Where the journals of what is recorded into it are written."""

    def archive_experiment(self, experiment: Recorded) -> Experiment:
        """Close what has been recorded, for good. A second time does nothing."""

    def get_experiment(self, experiment_id: str) -> Experiment:
        """One that is still open is "running", or "interrupted" where its process has died."""

    def query_experiments(  # noqa: PLR0913 - each narrows the answer
        self,
        *,
        hypothesis: str | None = None,
        program: str | None = None,
        profile: str | None = None,
        status: str | None = None,
        since: When | None = None,
        until: When | None = None,
        min_score: float | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> list[Experiment]:
        """Those to which all of it applies.

        `hypothesis` is a part of it, whatever its case; `program`, `profile`, `status` are whole.
        `since` and `until` are about when it began, both included. `text`: all of these words stand
        in one event or trial, or in what the experiment says of itself.
        """

    def query_trials(  # noqa: PLR0913
        self,
        experiment_id: str,
        *,
        status: str | None = None,
        kind: str | None = None,
        min_score: float | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> list[Trial]: ...

    def events(self, experiment_id: str, trial_id: str | None = None) -> list[Event]:
        """Of one trial, or all of them, those that belong to no trial included."""

    def verify(self, experiment_id: str) -> Sequence[Fault]:
        """What is wrong with an archived experiment; nothing, if nothing was changed since."""

    def recover(self) -> list[Experiment]:
        """Close what dead processes left open, as "interrupted"; these.

        What cannot be closed is a `StoreError`, once everything else is.
        """

    def rebuild(self) -> int:
        """Make everything anew from the journals; how many experiments these are.

        What cannot be made is a `StoreError`, once everything else is.
        """

    def close(self) -> None: ...

    def __enter__(self) -> Any: ...

    def __exit__(self, *_: object) -> None: ...
