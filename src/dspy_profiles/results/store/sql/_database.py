"""One database: connections, transactions, and their errors."""

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
ANSWERS = 10  # seconds to wait for a server
WRITES = "dspy_writes"


class Database:
    """A database. Each use has a connection of its own.

    So a store need not be closed, and works on both sides of a fork.
    """

    def __init__(self, engine: Engine, shown: str, file: Path | None, hint: str) -> None:
        self.shown = shown
        self._engine = engine
        self._file = file
        self._hint = hint
        self._is_ready = False  # the tables exist, in the current version

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """Yield a connection that sees one state of the database; None without our tables."""
        if self._file is not None and not self._file.exists():
            yield None
            return
        with self._errors_converted():
            if not self._is_ready:
                self._look()
            if not self._is_ready:
                yield None
                return
            with self._engine.connect() as connection:
                if self._file is None:  # SQLite always does this
                    connection.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection with one transaction."""
        with self._errors_converted():
            if self._file is not None and not self._is_ready:
                self._prepare(self._file)
            with self._engine.connect() as plain:
                connection = plain.execution_options(**{WRITES: True})
                with connection.begin():
                    _migration.bring_up_to_date(connection)
                    yield connection
            self._is_ready = True

    def check(self) -> None:
        """Raise StoreError if the database cannot be read. Creates nothing."""
        if self._file is None or self._file.exists():
            with self._errors_converted():
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
        connection = self._engine.raw_connection()
        try:
            # So that readers and the writer do not wait for each other. If the file system does not
            # support it, SQLite works without it; another process may also be setting it.
            with suppress(sqlite3.OperationalError):
                connection.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()

    @contextmanager
    def _errors_converted(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._error(error.orig if isinstance(error, DBAPIError) else error) from None
        except sqlite3.Error as error:
            raise self._error(error) from None
        except StoreError as error:
            error.where = error.where or self._where
            raise
        except (TypeError, ValueError) as error:  # SQLite has columns of any type
            message = f"the database has a row that cannot be read: {error}"
            raise StoreError(message, hint=self._hint, where=self._where) from error

    @property
    def _where(self) -> Place | str:
        return self.shown if self._file is None else Place(self._file)

    def _error(self, error: BaseException | None) -> StoreError:
        message, _ = redacted_error(error if isinstance(error, Exception) else Exception(error))
        message = " ".join(message.partition(": ")[2].split()) or message
        return StoreError(f"the database failed: {message}", hint=self._hint, where=self._where)


def sqlite(file: Path) -> Database:
    address = file.absolute().as_uri()

    def connect() -> sqlite3.Connection:
        how = "immutable=1" if _is_frozen(file) else "mode=rwc"
        # Python begins no transactions for reading, so we begin all of them.
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

    hint = "use a writable SQLite file, or a new one: sqlite:results.db"
    return Database(engine, f"sqlite:{file}", file, hint)


def _is_frozen(file: Path) -> bool:
    """Return whether a file is read-only for us, and has no writer now.

    SQLite would create files of our user next to it, so that its owner could not write any more; or
    it could not create them, and would not read.
    """
    may_write = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
    return not may_write and file.exists() and not file.with_name(f"{file.name}-wal").exists()


def postgresql(url: URL, shown: str) -> Database:
    defaults = {"connect_timeout": ANSWERS, "application_name": "dspy-profiles"}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        hide_parameters=True,
        # Some connection pools do not support prepared statements.
        connect_args={
            "prepare_threshold": None,
            **{name: value for name, value in defaults.items() if name not in url.query},
        },
    )
    hint = "check the address, and that the server runs: psql opens the same URL"
    return Database(engine, shown, None, hint)
