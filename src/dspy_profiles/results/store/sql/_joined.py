"""Storage of a store in a database: a folder of this machine, then the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import local

from sqlalchemy import Connection

from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.store.sql._database import Database
from dspy_profiles.results.store.sql._sealed import SealedStorage

__all__ = ["JoinedStorage"]


class _Held(local):
    """The connection of a thread in a block of many reads."""

    connection: Connection | None = None


class JoinedStorage(FolderStorage):
    """Writes only to the folder. Reads from the database what has no journal in the folder.

    So experiments of other machines are read, copied and exported like those of this one, which are
    recorded and closed even if the database does not respond.
    """

    def __init__(self, root: Path, database: Database) -> None:
        super().__init__(root)
        self._database = database
        self._held = _Held()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Use one connection for all reads of this thread."""
        if self._held.connection is not None:
            yield
            return
        with self._database.reading() as connection:
            self._held.connection = connection
            try:
                yield
            finally:
                self._held.connection = None

    def ids(self) -> list[str]:
        with self._behind() as sealed:
            theirs = [] if sealed is None else sealed.ids()
        return sorted({*super().ids(), *theirs}, reverse=True)

    def names(self, experiment_id: str) -> list[str]:
        found = super().names(experiment_id)
        if found:
            return found
        with self._behind() as sealed:
            return [] if sealed is None else sealed.names(experiment_id)

    def lines(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        if self._is_here(experiment_id):
            yield from super().lines(experiment_id, name, start, end)
            return
        with self._behind() as sealed:
            if sealed is not None:
                yield from sealed.lines(experiment_id, name, start, end)

    def digest(self, experiment_id: str, name: str, size: int | None = None) -> tuple[int, str]:
        if self._is_here(experiment_id):
            return super().digest(experiment_id, name, size)
        with self._behind() as sealed:
            if sealed is None:
                return super().digest(experiment_id, name, size)
            return sealed.digest(experiment_id, name, size)

    def blob(self, name: str) -> bytes | None:
        found = super().blob(name)
        if found is not None:
            return found
        with self._behind() as sealed:
            return None if sealed is None else sealed.blob(name)

    def document(self, experiment_id: str, name: str) -> bytes | None:
        if self._is_here(experiment_id):
            return super().document(experiment_id, name)
        with self._behind() as sealed:
            return None if sealed is None else sealed.document(experiment_id, name)

    def place(self, experiment_id: str, name: str) -> str:
        if self._is_here(experiment_id):
            return super().place(experiment_id, name)
        return f"{self._database.shown}#{experiment_id}/{name}"

    def _is_here(self, experiment_id: str) -> bool:
        return bool(super().names(experiment_id))

    @contextmanager
    def _behind(self) -> Iterator[SealedStorage | None]:
        """Yield the storage in the database; None if it has no tables of ours."""
        if (held := self._held.connection) is not None:
            yield SealedStorage(held, self._database.shown)
            return
        with self._database.reading() as connection:
            yield None if connection is None else SealedStorage(connection, self._database.shown)
