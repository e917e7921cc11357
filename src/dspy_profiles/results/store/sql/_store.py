"""A store in a database: journals are next to it, and go into it when they are archived."""

from collections.abc import Iterator
from contextlib import contextmanager
from heapq import merge
from operator import attrgetter

from sqlalchemy import Connection

from dspy_profiles.results._ids import is_id
from dspy_profiles.results._model import Event, Experiment, Fault, Trial
from dspy_profiles.results.journal import _archive
from dspy_profiles.results.store._base import BaseStore
from dspy_profiles.results.store._each import OneByOne
from dspy_profiles.results.store._filters import ExperimentFilter, TrialFilter, first
from dspy_profiles.results.store._protocol import Recorded
from dspy_profiles.results.store.sql import _answers, _archiving
from dspy_profiles.results.store.sql._database import Database
from dspy_profiles.results.store.sql._joined import JoinedStorage
from dspy_profiles.results.store.sql._sealed import SealedStorage

__all__ = ["SqlStore"]


class SqlStore(BaseStore):
    """Answers from the database for archived experiments, otherwise from journals of this machine.

    An experiment is in the database completely or not at all: rows, archived journals, texts.
    """

    def __init__(
        self, url: str, database: Database, here: BaseStore, storage: JoinedStorage
    ) -> None:
        super().__init__(url, storage)
        self._database = database
        self._here = here

    def _archive(self, experiment: Recorded) -> Experiment:
        with self._archived(experiment.id) as connection:
            done = None if connection is None else _answers.experiment(connection, experiment.id)
        if done is not None:
            return done
        done = self._here.archive_experiment(experiment)
        self._put(done.id)
        return done

    def get_experiment(self, experiment_id: str) -> Experiment:
        with self._archived(experiment_id) as connection:
            found = None if connection is None else _answers.experiment(connection, experiment_id)
        return found or self._here.get_experiment(experiment_id)

    def events(self, experiment_id: str, trial_id: str | None = None) -> list[Event]:
        with self._archived(experiment_id) as connection:
            if connection is not None:
                storage = self._sealed(connection)
                return _answers.events(connection, storage, experiment_id, trial_id)
        return self._here.events(experiment_id, trial_id)

    def verify(self, experiment_id: str) -> list[Fault]:
        with self._archived(experiment_id) as connection:
            if connection is not None:
                sealed = self._sealed(connection)
                faults = _archive.verify(sealed, experiment_id)
                return faults + list(_archiving.differences(connection, sealed, experiment_id))
        return self._here.verify(experiment_id)

    def rebuild(self) -> int:
        sealed = 0
        with self._database.reading() as connection:
            is_there, waiting = connection is not None, self._not_in(connection)
        if is_there:
            with self._database.writing() as connection:
                sealed = _archiving.rebuild(connection, self._database.shown)
        rebuilt = OneByOne[bool]("rebuilt")
        for name in waiting:
            rebuilt.take(name, lambda name: self._here.rebuild_one(name) and self._put(name))
        return sealed + len(rebuilt.all(sealed))

    def close(self) -> None:
        self._database.close()

    def find_experiments(self, wanted: ExperimentFilter) -> list[Experiment]:
        with self._database.reading() as connection:
            waiting = self._here.matching(self._not_in(connection), wanted)
            archived = iter(()) if connection is None else _answers.experiments(connection, wanted)
            found = merge(waiting, archived, key=attrgetter("id"), reverse=True)
            return first(found, wanted.limit)

    def find_trials(self, experiment_id: str, wanted: TrialFilter) -> list[Trial]:
        with self._archived(experiment_id) as connection:
            if connection is not None:
                storage = self._sealed(connection)
                return first(
                    _answers.trials(connection, storage, experiment_id, wanted), wanted.limit
                )
        return self._here.find_trials(experiment_id, wanted)

    def _unarchived(self) -> list[str]:
        with self._database.reading() as connection:
            return self._not_in(connection)

    def _recover(self, experiment_id: str) -> Experiment | None:
        done = self._here.close_one(experiment_id)
        if done is not None:
            self._put(experiment_id)
        return done

    def _put(self, experiment_id: str) -> bool:
        with self._database.writing() as connection:
            source, place = self._here.storage, self._database.shown
            return _archiving.put(connection, source, experiment_id, place)

    @contextmanager
    def _archived(self, experiment_id: str) -> Iterator[Connection | None]:
        """Yield the connection if the database has this experiment, otherwise None."""
        if not is_id(experiment_id):
            yield None
            return
        with self._database.reading() as connection:
            is_there = connection is not None and _answers.archived(connection, [experiment_id])
            yield connection if is_there else None

    def _not_in(self, connection: Connection | None) -> list[str]:
        """Return experiments of this machine that are not in the database, latest first."""
        ids = self._here.storage.ids()
        archived = set() if connection is None else _answers.archived(connection, ids)
        return [name for name in ids if name not in archived]

    def _sealed(self, connection: Connection) -> SealedStorage:
        return SealedStorage(connection, self._database.shown)
