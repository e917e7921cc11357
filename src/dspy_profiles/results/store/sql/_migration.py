"""Versions of the tables, and the migration from older ones."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, insert, inspect, select, text, update

from dspy_profiles.errors import StoreError
from dspy_profiles.results.store.sql import _search
from dspy_profiles.results.store.sql._tables import (
    BLOBS,
    EVENTS,
    EXPERIMENTS,
    METADATA,
    PIECES,
    SCHEMA,
    TRIALS,
)

__all__ = ["VERSION", "bring_up_to_date", "version_in"]

VERSION = 1
# For each earlier version, the step to the next one. All steps run in one transaction. A step uses
# SQL, not the table objects, which are those of the current version.
STEPS: Mapping[int, Callable[[Connection], None]] = {}

LOCK = 0x64737079  # of an advisory lock: two processes may create the tables at once
FIXED = (PIECES, BLOBS, EXPERIMENTS, TRIALS, EVENTS)
MESSAGE = "archived data does not change"


def version_in(connection: Connection) -> int | None:
    """Return the version of the tables; None if there are none. Raises for a later version."""
    if not inspect(connection).has_table(SCHEMA.name):
        return None
    found = connection.scalar(select(SCHEMA.c.version))
    if found is None:
        raise StoreError(
            "the version of the tables in the database is missing",
            hint=f"check the table {SCHEMA.name}: it should have one row",
        )
    if found > VERSION:
        raise StoreError(
            f"the tables in the database have version {found}, of a later dspy-profiles; "
            f"this one supports {VERSION}",
            hint="pip install -U dspy-profiles",
        )
    return int(found)


def bring_up_to_date(connection: Connection) -> None:
    """Create or migrate the tables, in the caller's transaction."""
    if version_in(connection) == VERSION:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    found = version_in(connection)  # again: another process may have been faster
    if found is None:
        _make(connection)
        return
    for version in range(found, VERSION):
        STEPS[version](connection)
    connection.execute(update(SCHEMA).values(version=VERSION))


def _make(connection: Connection) -> None:
    METADATA.create_all(connection)
    _search.make(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION dspy_fixed() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
        )
    action = (
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        if is_sqlite
        else "FOR EACH ROW EXECUTE FUNCTION dspy_fixed()"
    )
    for table in FIXED:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table.name}_fixed BEFORE UPDATE ON {table.name} {action}"
        )
    connection.execute(insert(SCHEMA).values(version=VERSION))
