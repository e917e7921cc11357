"""What every store of ours does alike, by the few steps that each takes in its own way."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from dspy_profiles.errors import StoreError
from dspy_profiles.results import _words
from dspy_profiles.results._model import Experiment, Trial
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.store._each import OneByOne
from dspy_profiles.results.store._filters import ExperimentFilter, TrialFilter
from dspy_profiles.results.store._protocol import Recorded, When

__all__ = ["BaseStore"]


class BaseStore(ABC):
    """Takes the arguments of a `Store` once, and hands them on as one filter."""

    def __init__(self, url: str, shelf: JournalStorage) -> None:
        self._url = url
        self._shelf = shelf

    @property
    def url(self) -> str:
        return self._url

    @property
    def shelf(self) -> JournalStorage:
        return self._shelf

    def archive_experiment(self, experiment: Recorded) -> Experiment:
        given: Any = experiment  # whatever a caller gives
        if not isinstance(getattr(given, "id", None), str):
            hint = "give what the block gave, as in: with record(…) as exp"
            raise StoreError(f"{given!r} is no experiment", hint=hint)
        return self._archive(experiment)

    def query_experiments(  # noqa: PLR0913 - as the protocol says
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
        said = None if text is None else _words.words(text)
        return self.experiments(
            ExperimentFilter(
                hypothesis, program, profile, status, since, until, min_score, said, limit
            )
        )

    def query_trials(  # noqa: PLR0913
        self,
        experiment_id: str,
        *,
        status: str | None = None,
        kind: str | None = None,
        min_score: float | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> list[Trial]:
        said = None if text is None else _words.words(text)
        return self.trials(experiment_id, TrialFilter(status, kind, min_score, said, limit))

    def recover(self) -> list[Experiment]:
        closed = OneByOne[Experiment | None]("closed")
        for name in self._open():
            closed.take(name, self._recovered)
        return [each for each in closed.all() if each is not None]

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _archive(self, experiment: Recorded) -> Experiment:
        """What `archive_experiment` does."""

    @abstractmethod
    def experiments(self, wanted: ExperimentFilter) -> list[Experiment]:
        """What `query_experiments` gives."""

    @abstractmethod
    def trials(self, experiment_id: str, wanted: TrialFilter) -> list[Trial]:
        """What `query_trials` gives."""

    @abstractmethod
    def _open(self) -> Sequence[str]:
        """Experiments that may not be archived yet."""

    @abstractmethod
    def _recovered(self, name: str) -> Experiment | None:
        """One of them, closed now; None where it was archived, still runs, or is empty."""
