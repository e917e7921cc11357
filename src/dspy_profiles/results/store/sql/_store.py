"""A store in a database: what is recorded goes to journals beside it, and into it when closed."""

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
from dspy_profiles.results.store._journal_store import JournalStore
from dspy_profiles.results.store._protocol import Recorded
from dspy_profiles.results.store.sql import _answers, _archiving
from dspy_profiles.results.store.sql._database import Database
from dspy_profiles.results.store.sql._joined import JoinedShelf
from dspy_profiles.results.store.sql._sealed import SealedShelf

__all__ = ["SqlStore"]


class SqlStore(BaseStore):
    """What is archived is answered by the database alone, all else by this machine's journals.

    An experiment is in the database whole or not at all: its rows, its sealed journals, its texts.
    """

    def __init__(
        self, url: str, database: Database, here: JournalStore, shelf: JoinedShelf
    ) -> None:
        super().__init__(url, shelf)
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
                shelf = self._sealed(connection)
                return _answers.events(connection, shelf, experiment_id, trial_id)
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
        made = OneByOne[bool]("made anew")
        for name in waiting:
            made.take(name, lambda name: self._here.rebuilt(name) and self._put(name))
        return sealed + len(made.all(sealed))

    def close(self) -> None:
        self._database.close()

    def experiments(self, wanted: ExperimentFilter) -> list[Experiment]:
        with self._database.reading() as connection:
            waiting = self._here.among(self._not_in(connection), wanted)
            archived = iter(()) if connection is None else _answers.experiments(connection, wanted)
            found = merge(waiting, archived, key=attrgetter("id"), reverse=True)
            return first(found, wanted.limit)

    def trials(self, experiment_id: str, wanted: TrialFilter) -> list[Trial]:
        with self._archived(experiment_id) as connection:
            if connection is not None:
                shelf = self._sealed(connection)
                return first(
                    _answers.trials(connection, shelf, experiment_id, wanted), wanted.limit
                )
        return self._here.trials(experiment_id, wanted)

    def _open(self) -> list[str]:
        with self._database.reading() as connection:
            return self._not_in(connection)

    def _recovered(self, name: str) -> Experiment | None:
        done = self._here.closed(name)
        if done is not None:
            self._put(name)
        return done

    def _put(self, experiment_id: str) -> bool:
        with self._database.writing() as connection:
            return _archiving.put(connection, self._here.shelf, experiment_id, self._database.shown)

    @contextmanager
    def _archived(self, experiment_id: str) -> Iterator[Connection | None]:
        """The database if it has this experiment, else None."""
        if not is_id(experiment_id):
            yield None
            return
        with self._database.reading() as connection:
            is_there = connection is not None and _answers.archived(connection, [experiment_id])
            yield connection if is_there else None

    def _not_in(self, connection: Connection | None) -> list[str]:
        """What this machine has journals of and the database does not have, latest first."""
        ids = self._here.shelf.ids()
        archived = set() if connection is None else _answers.archived(connection, ids)
        return [name for name in ids if name not in archived]

    def _sealed(self, connection: Connection) -> SealedShelf:
        return SealedShelf(connection, self._database.shown)
