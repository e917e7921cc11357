"""One database: connections, transactions, and what goes wrong with them in plain words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dspy_profiles.errors import Place, StoreError
from dspy_profiles.results.store.sql import _migration
from dspy_profiles.secrets import redacted_error

__all__ = ["Database", "postgresql", "sqlite"]

PATIENCE = 60  # seconds to wait for another writer of the same file
ANSWERS = 10  # seconds in which a server has to
WRITES = "dspy_writes"


class Database:
    """Each piece of work has a connection of its own.

    A store may be forgotten without being closed, and used on either side of a fork.
    """

    def __init__(self, engine: Engine, shown: str, file: Path | None, hint: str) -> None:
        self.shown = shown
        self._engine = engine
        self._file = file
        self._hint = hint
        self._is_ready = False  # the tables are there, in today's form

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """One state of the database throughout; None where it has nothing of ours yet."""
        if self._file is not None and not self._file.exists():
            yield None
            return
        with self._told():
            if not self._is_ready:
                self._look()
            if not self._is_ready:
                yield None
                return
            with self._engine.connect() as connection:
                if self._file is None:  # SQLite has no other way
                    connection.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All that is written in it becomes visible at once, or nothing does."""
        with self._told():
            if self._file is not None and not self._is_ready:
                self._prepare(self._file)
            with self._engine.connect() as plain:
                connection = plain.execution_options(**{WRITES: True})
                with connection.begin():
                    _migration.bring_up_to_date(connection)
                    yield connection
            self._is_ready = True

    def check(self) -> None:
        """Raise at once what would keep anything from being read; make nothing."""
        if self._file is None or self._file.exists():
            with self._told():
                self._look()

    def close(self) -> None:
        self._engine.dispose()

    def _look(self) -> None:
        with self._engine.connect() as connection, connection.begin():
            found = _migration.version_in(connection)
        if found is not None and found < _migration.VERSION:
            with self.writing():
                pass
        self._is_ready = found is not None

    def _prepare(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error(error) from None
        made = self._engine.raw_connection()
        try:
            # Readers and the writer then do not wait for each other. Where the file system cannot
            # do that, SQLite stays as it was; where another process is just doing it, all is well.
            with suppress(sqlite3.OperationalError):
                made.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            made.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._error(error.orig if isinstance(error, DBAPIError) else error) from None
        except sqlite3.Error as error:
            raise self._error(error) from None
        except StoreError as error:
            error.where = error.where or self._where
            raise

    @property
    def _where(self) -> Place | str:
        return self.shown if self._file is None else Place(self._file)

    def _error(self, error: BaseException | None) -> StoreError:
        said, _ = redacted_error(error if isinstance(error, Exception) else Exception(error))
        said = " ".join(said.partition(": ")[2].split()) or said
        return StoreError(f"the database failed: {said}", hint=self._hint, where=self._where)


def sqlite(file: Path) -> Database:
    address = file.absolute().as_uri()

    def connect() -> sqlite3.Connection:
        how = "immutable=1" if _is_frozen(file) else "mode=rwc"
        # Transactions are begun by us: Python's own way begins none for reading.
        return sqlite3.connect(
            f"{address}?{how}",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    hint = "name a file of SQLite that may be written, or a new one: sqlite:results.db"
    return Database(engine, f"sqlite:{file}", file, hint)


def _is_frozen(file: Path) -> bool:
    """Whether we may only read it, and nobody writes to it now.

    SQLite would leave files of ours beside it for reading, and its owner could not write any more;
    where it cannot make them it reads nothing.
    """
    may_write = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
    return not may_write and file.exists() and not file.with_name(f"{file.name}-wal").exists()


def postgresql(url: URL, shown: str) -> Database:
    given = {"connect_timeout": ANSWERS, "application_name": "dspy-profiles"}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        hide_parameters=True,
        # Statements that are prepared do not get through every connection pool on the way.
        connect_args={
            "prepare_threshold": None,
            **{name: value for name, value in given.items() if name not in url.query},
        },
    )
    hint = "look at the address, and whether the server runs: psql opens the same URL"
    return Database(engine, shown, None, hint)
