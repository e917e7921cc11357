"""A store in a database: what is recorded goes to journals beside it, and into it when closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from heapq import merge
from operator import attrgetter
from typing import Self

from sqlalchemy import Connection

from dspy_profiles.results import archive, words
from dspy_profiles.results.ids import is_id
from dspy_profiles.results.model import Event, Experiment, Fault, Trial
from dspy_profiles.results.shelf import Shelf
from dspy_profiles.results.store.filters import ExperimentFilter, first
from dspy_profiles.results.store.journal_store import JournalStore
from dspy_profiles.results.store.protocol import Recorded, When
from dspy_profiles.results.store.sql import answers, archiving
from dspy_profiles.results.store.sql.database import Database
from dspy_profiles.results.store.sql.joined import JoinedShelf
from dspy_profiles.results.store.sql.sealed import SealedShelf

__all__ = ["SqlStore"]


class SqlStore:
    """What is archived is answered by the database alone, all else by this machine's journals.

    An experiment is in the database whole or not at all: its rows, its sealed journals, its texts.
    """

    def __init__(
        self, url: str, database: Database, here: JournalStore, shelf: JoinedShelf
    ) -> None:
        self._url = url
        self._database = database
        self._here = here
        self._shelf = shelf

    @property
    def url(self) -> str:
        return self._url

    @property
    def shelf(self) -> Shelf:
        return self._shelf

    def archive_experiment(self, experiment: Recorded) -> Experiment:
        with self._archived(experiment.id) as connection:
            done = None if connection is None else answers.experiment(connection, experiment.id)
        if done is not None:
            return done
        done = self._here.archive_experiment(experiment)
        self._put(done.id)
        return done

    def get_experiment(self, experiment_id: str) -> Experiment:
        with self._archived(experiment_id) as connection:
            found = None if connection is None else answers.experiment(connection, experiment_id)
        return found or self._here.get_experiment(experiment_id)

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
        wanted = ExperimentFilter(hypothesis, program, profile, status, since, until, min_score)
        said = None if text is None else words.words(text)
        with self._database.reading() as connection:
            open_ = self._here.among(self._open(connection), wanted, said)
            if connection is None:
                return list(first(open_, limit))
            at_once = answers.PAGE if limit is None else min(max(limit, 1), answers.PAGE)
            closed = answers.experiments(connection, wanted, said, at_once)
            found = merge(open_, closed, key=attrgetter("id"), reverse=True)
            return list(first(found, limit))

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
        with self._archived(experiment_id) as connection:
            if connection is not None:
                said = None if text is None else words.words(text)
                wanted = (status, kind, min_score)
                shelf = self._sealed(connection)
                found = answers.trials(connection, shelf, experiment_id, wanted, said)
                return list(first(found, limit))
        return self._here.query_trials(
            experiment_id, status=status, kind=kind, min_score=min_score, text=text, limit=limit
        )

    def events(self, experiment_id: str, trial_id: str | None = None) -> list[Event]:
        with self._archived(experiment_id) as connection:
            if connection is not None:
                shelf = self._sealed(connection)
                return answers.events(connection, shelf, experiment_id, trial_id)
        return self._here.events(experiment_id, trial_id)

    def verify(self, experiment_id: str) -> list[Fault]:
        with self._archived(experiment_id) as connection:
            if connection is not None:
                sealed = self._sealed(connection)
                faults = archive.verify(sealed, experiment_id)
                return faults + list(archiving.differences(connection, sealed, experiment_id))
        return self._here.verify(experiment_id)

    def recover(self) -> list[Experiment]:
        with self._database.reading() as connection:
            waiting = self._open(connection)
        closed = []
        for name in waiting:
            done = self._here.closed(name)
            if done is not None:
                self._put(name)
                closed.append(done)
        return closed

    def rebuild(self) -> int:
        made = 0
        with self._database.reading() as connection:
            is_there, waiting = connection is not None, self._open(connection)
        if is_there:
            with self._database.writing() as connection:
                made = archiving.rebuild(connection, self._database.shown)
        for name in waiting:
            if self._here.rebuilt(name):
                made += self._put(name)
        return made

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, experiment_id: str) -> bool:
        with self._database.writing() as connection:
            return archiving.put(connection, self._here.shelf, experiment_id, self._database.shown)

    @contextmanager
    def _archived(self, experiment_id: str) -> Iterator[Connection | None]:
        """The database if it has this experiment, else None."""
        if not is_id(experiment_id):
            yield None
            return
        with self._database.reading() as connection:
            is_there = connection is not None and answers.archived(connection, [experiment_id])
            yield connection if is_there else None

    def _open(self, connection: Connection | None) -> list[str]:
        """What this machine has journals of and the database does not have, latest first."""
        ids = self._here.shelf.ids()
        archived = set() if connection is None else answers.archived(connection, ids)
        return [name for name in ids if name not in archived]

    def _sealed(self, connection: Connection) -> SealedShelf:
        return SealedShelf(connection, self._database.shown)
