"""Which form the tables have, and how an older form becomes today's."""

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
# From each earlier version, what makes the next one of it. It runs in one transaction with the
# others, and may be many versions behind: it names tables in SQL, never by what they are today.
STEPS: Mapping[int, Callable[[Connection], None]] = {}

LOCK = 0x64737079  # of ours alone: two processes that make the tables at once
FIXED = (PIECES, BLOBS, EXPERIMENTS, TRIALS, EVENTS)
SAID = "what is archived does not change"


def version_in(connection: Connection) -> int | None:
    """The version of the tables; None where there are none. Raises where it is a later one."""
    if not inspect(connection).has_table(SCHEMA.name):
        return None
    found = connection.scalar(select(SCHEMA.c.version))
    if found is None:
        raise StoreError(
            "the database does not say which version of the tables it has",
            hint=f"look at the table {SCHEMA.name}: it should have one row",
        )
    if found > VERSION:
        raise StoreError(
            f"the database was made by a later dspy-profiles: its tables are of version {found}, "
            f"and this one knows {VERSION}",
            hint="pip install -U dspy-profiles",
        )
    return int(found)


def bring_up_to_date(connection: Connection) -> None:
    """Make the tables, or make today's of older ones. The caller's transaction does it all."""
    if version_in(connection) == VERSION:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    found = version_in(connection)  # again: another process may have been quicker
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
            f"$$ BEGIN RAISE EXCEPTION '{SAID}'; END $$"
        )
    action = (
        f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
        if is_sqlite
        else "FOR EACH ROW EXECUTE FUNCTION dspy_fixed()"
    )
    for table in FIXED:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table.name}_fixed BEFORE UPDATE ON {table.name} {action}"
        )
    connection.execute(insert(SCHEMA).values(version=VERSION))
