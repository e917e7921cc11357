"""The shelf of a store in a database: a folder here, and behind it what is archived anywhere."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

from dspy_profiles.results.folder import FolderShelf
from dspy_profiles.results.store.sql.database import Database
from dspy_profiles.results.store.sql.sealed import SealedShelf

__all__ = ["JoinedShelf"]


class JoinedShelf(FolderShelf):
    """Writes to the folder alone. Of what has no journal in it, the database is asked.

    So an experiment of another machine is read, copied and exported like one's own, and one's own
    is recorded and closed while the database does not answer.
    """

    def __init__(self, root: Path, database: Database) -> None:
        super().__init__(root)
        self._database = database

    def ids(self) -> list[str]:
        with self._database.reading() as connection:
            theirs = [] if connection is None else self._sealed(connection).ids()
        return sorted({*super().ids(), *theirs}, reverse=True)

    def names(self, experiment_id: str) -> list[str]:
        found = super().names(experiment_id)
        if found:
            return found
        with self._database.reading() as connection:
            return [] if connection is None else self._sealed(connection).names(experiment_id)

    def lines(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        if self._is_here(experiment_id):
            yield from super().lines(experiment_id, name, start, end)
            return
        with self._database.reading() as connection:
            if connection is not None:
                yield from self._sealed(connection).lines(experiment_id, name, start, end)

    def digest(self, experiment_id: str, name: str, size: int | None = None) -> tuple[int, str]:
        if self._is_here(experiment_id):
            return super().digest(experiment_id, name, size)
        with self._database.reading() as connection:
            if connection is None:
                return super().digest(experiment_id, name, size)
            return self._sealed(connection).digest(experiment_id, name, size)

    def blob(self, name: str) -> bytes | None:
        found = super().blob(name)
        if found is not None:
            return found
        with self._database.reading() as connection:
            return None if connection is None else self._sealed(connection).blob(name)

    def document(self, experiment_id: str, name: str) -> bytes | None:
        if self._is_here(experiment_id):
            return super().document(experiment_id, name)
        with self._database.reading() as connection:
            if connection is None:
                return None
            return self._sealed(connection).document(experiment_id, name)

    def place(self, experiment_id: str, name: str) -> str:
        if self._is_here(experiment_id):
            return super().place(experiment_id, name)
        return f"{self._database.shown}#{experiment_id}/{name}"

    def _is_here(self, experiment_id: str) -> bool:
        return bool(super().names(experiment_id))

    def _sealed(self, connection: Connection) -> SealedShelf:
        return SealedShelf(connection, self._database.shown)
