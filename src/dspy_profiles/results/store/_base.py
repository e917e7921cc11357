"""The base class of all stores. As it is, it is the store of `memory:` and `file:`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, Unpack

from dspy_profiles.errors import ExperimentNotFound, StoreError
from dspy_profiles.results import _words
from dspy_profiles.results._ids import is_id
from dspy_profiles.results._model import Event, Experiment, Fault, Trial
from dspy_profiles.results.journal import _archive, _read
from dspy_profiles.results.journal._assemble import Assembled, assemble, stream
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.store._each import OneByOne, unreadable
from dspy_profiles.results.store._filters import ExperimentFilter, TrialFilter, first
from dspy_profiles.results.store._protocol import ExperimentQuery, Recorded, TrialQuery

__all__ = ["BaseStore"]


class BaseStore:
    """A store that answers from its journals, wherever a `JournalStorage` keeps them.

    Archived experiments are read from their documents, open ones from their journals. A subclass
    overrides what it can answer faster: the public methods, and `find_experiments`, `find_trials`
    and `_archive`, which get their arguments checked. `url` is what `open_store` takes.
    """

    def __init__(self, url: str, storage: JournalStorage) -> None:
        self._url = url
        self._storage = storage

    @property
    def url(self) -> str:
        return self._url

    @property
    def storage(self) -> JournalStorage:
        return self._storage

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release connections. Journals need none."""

    def archive_experiment(self, experiment: Recorded) -> Experiment:
        candidate: Any = experiment  # callers may be untyped
        if not isinstance(getattr(candidate, "id", None), str):
            hint = "pass the object of the block, as in: with record(…) as exp"
            raise StoreError(f"{candidate!r} is not an experiment", hint=hint)
        return self._archive(experiment)

    def query_experiments(self, **query: Unpack[ExperimentQuery]) -> list[Experiment]:
        return self.find_experiments(ExperimentFilter.of(query))

    def query_trials(self, experiment_id: str, **query: Unpack[TrialQuery]) -> list[Trial]:
        return self.find_trials(experiment_id, TrialFilter.of(query))

    def get_experiment(self, experiment_id: str) -> Experiment:
        experiment = self._experiment(experiment_id)
        if experiment is None:
            raise self._absent(experiment_id)
        return experiment

    def events(self, experiment_id: str, trial_id: str | None = None) -> list[Event]:
        events = self._stream(self._known(experiment_id), trial_id)
        complete = (_read.complete(event, self._storage) for event in events)
        return sorted(complete, key=lambda event: event.id)

    def verify(self, experiment_id: str) -> list[Fault]:
        return _archive.verify(self._storage, self._known(experiment_id))

    def recover(self) -> list[Experiment]:
        closed = OneByOne[Experiment | None]("closed")
        for experiment_id in self._unarchived():
            closed.take(experiment_id, self._recover)
        return [experiment for experiment in closed.all() if experiment is not None]

    def rebuild(self) -> int:
        rebuilt = OneByOne[bool]("rebuilt")
        for experiment_id in self._storage.ids():
            rebuilt.take(experiment_id, self.rebuild_one)
        return len(rebuilt.all())

    def rebuild_one(self, experiment_id: str) -> bool:
        """Recreate the documents of an experiment. False: it is open, and has none."""
        seal = _archive.seal_of(self._storage, experiment_id)
        if seal is not None:
            _archive.write(self._storage, experiment_id, seal)
        return seal is not None

    def close_one(self, experiment_id: str) -> Experiment | None:
        """Archive an experiment that is over. None: its process lives, or has written nothing."""
        storage = self._storage
        seal = _archive.seal_of(storage, experiment_id)
        if seal is None and not storage.is_alive(experiment_id) and storage.names(experiment_id):
            ended = self._assembled(experiment_id).experiment.ended
            _archive.seal(storage, experiment_id, "interrupted", ended=ended)
            seal = _archive.seal_of(storage, experiment_id)
        if seal is None:
            return None
        if _archive.summary(storage, experiment_id) is None:
            _archive.write(storage, experiment_id, seal)
        return self.get_experiment(experiment_id)

    def matching(self, ids: Iterable[str], wanted: ExperimentFilter) -> Iterator[Experiment]:
        """Yield those of these experiments that match; one that cannot be read, as unreadable."""
        holds = wanted.check()
        for experiment_id in ids:
            try:
                found = self._experiment(experiment_id)
                if found is not None and holds(found) and self._contains(found, wanted.words):
                    yield found
            except StoreError as error:
                if holds(found := unreadable(experiment_id, error)):
                    yield found

    def _archive(self, experiment: Recorded) -> Experiment:
        """Archive an experiment, also one that is in another store."""
        source: JournalStorage | None = getattr(getattr(experiment, "store", None), "storage", None)
        if not self._is_here(experiment.id) and source is not None:
            _archive.adopt(self._storage, source, experiment.id)
        seal = _archive.seal_of(self._storage, self._known(experiment.id))
        if seal is None:
            raise StoreError(
                f"the experiment {experiment.id} is not closed yet",
                hint="leave its block first; dspy-profiles results recover closes a dead one",
            )
        if _archive.summary(self._storage, experiment.id) is None:
            _archive.write(self._storage, experiment.id, seal)
        return self.get_experiment(experiment.id)

    def find_experiments(self, wanted: ExperimentFilter) -> list[Experiment]:
        """Return what `query_experiments` returns."""
        return first(self.matching(self._storage.ids(), wanted), wanted.limit)

    def find_trials(self, experiment_id: str, wanted: TrialFilter) -> list[Trial]:
        """Return what `query_trials` returns."""
        trials = (t for t in self._trials(self._known(experiment_id)) if wanted.suits(t))
        complete: Iterable[Trial] = (_read.complete(trial, self._storage) for trial in trials)
        if wanted.words is not None:
            ids = set(self._trials_with(experiment_id, wanted.words))
            complete = (trial for trial in complete if trial.id in ids)
        return first(complete, wanted.limit)

    def _unarchived(self) -> Sequence[str]:
        """Return experiments that may not be archived yet."""
        return self._storage.ids()

    def _recover(self, experiment_id: str) -> Experiment | None:
        """Archive one of these, unless it is archived already, is running, or is empty."""
        is_open = _archive.summary(self._storage, experiment_id) is None
        return self.close_one(experiment_id) if is_open else None

    def _experiment(self, experiment_id: str) -> Experiment | None:
        """Return an experiment. None also for an empty folder of a process that was killed."""
        if not is_id(experiment_id):
            return None
        experiment = _archive.summary(self._storage, experiment_id)
        if experiment is None and self._storage.names(experiment_id):
            experiment = self._assembled(experiment_id).experiment
        return experiment

    def _is_here(self, experiment_id: str) -> bool:
        return is_id(experiment_id) and bool(
            self._storage.names(experiment_id)
            or _archive.summary(self._storage, experiment_id) is not None
        )

    def _known(self, experiment_id: str) -> str:
        if not self._is_here(experiment_id):
            raise self._absent(experiment_id)
        return experiment_id

    def _absent(self, experiment_id: str) -> ExperimentNotFound:
        return ExperimentNotFound(
            f'experiment "{experiment_id}" not found in {self._url}',
            hint="dspy-profiles results list shows all experiments",
        )

    def _assembled(self, experiment_id: str) -> Assembled:
        seal = _archive.seal_of(self._storage, experiment_id)
        return assemble(self._storage, experiment_id, seal)

    def _trials(self, experiment_id: str) -> Iterator[Trial]:
        if _archive.summary(self._storage, experiment_id) is None:
            yield from self._assembled(experiment_id).trials
        else:
            yield from (trial for trial, _ in _archive.trials(self._storage, experiment_id))

    def _stream(self, experiment_id: str, trial_id: str | None = None) -> Iterator[Event]:
        seal = _archive.seal_of(self._storage, experiment_id)
        is_running = seal is None and self._storage.is_alive(experiment_id)
        stretches = None
        if trial_id is not None and _archive.summary(self._storage, experiment_id) is not None:
            trials = _archive.trials(self._storage, experiment_id)
            stretches = next((lines for trial, lines in trials if trial.id == trial_id), {})
            if not stretches:
                return iter(())
        unfinished = "running" if is_running else "interrupted"
        return stream(self._storage, experiment_id, seal, unfinished, stretches, trial_id)

    def _contains(self, experiment: Experiment, wanted: set[str] | None) -> bool:
        if wanted is None:
            return True
        own = (experiment.name, experiment.hypothesis, experiment.program, experiment.profile)
        if wanted <= _words.words("\n".join(text for text in own if text)):
            return True
        return any(True for _ in self._trials_with(experiment.id, wanted))

    def _trials_with(self, experiment_id: str, wanted: set[str]) -> Iterator[str | None]:
        """Yield the trial of each event, and each trial, with all these words in its texts."""
        for trial in self._trials(experiment_id):
            if self._has(wanted, trial.name, trial.inputs, trial.outputs, trial.error):
                yield trial.id
        for event in self._stream(experiment_id):
            if self._has(wanted, event.name, event.attributes):
                yield event.trial_id

    def _has(self, wanted: set[str], *values: Any) -> bool:
        left = set(wanted)
        for value in values:
            for text in _words.texts_in(_read.whole(value, self._storage)):
                left -= _words.words(text)
                if not left:
                    return True
        return not left
