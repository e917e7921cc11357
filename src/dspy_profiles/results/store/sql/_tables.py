"""The tables of a result store, alike in all databases.

`dspy_pieces` and `dspy_blobs` contain the journals, documents and long texts: the source of truth.
All other tables are derived from these, and can be recreated.
"""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

__all__ = [
    "BLOBS",
    "EVENTS",
    "EXPERIMENTS",
    "METADATA",
    "PIECES",
    "SCHEMA",
    "TEXTS",
    "TRIALS",
    "insert_new",
    "row_of",
]

# Sorted by code points in all databases, as in Python.
PLAIN = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite numbers rows itself only for exactly this type.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")
ESCAPED = re.compile(r"\\(0|u[0-9a-f]{4}|\\)")


class _Exact(TypeDecorator[str]):
    """Any string of Python: PostgreSQL refuses NUL characters, all databases lone surrogates."""

    impl = PLAIN
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None or (value.isascii() and "\\" not in value and "\0" not in value):
            return value
        text = value.replace("\\", "\\\\").replace("\0", "\\0")
        return text.encode("utf-8", "backslashreplace").decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None or "\\" not in value:
            return value
        return ESCAPED.sub(_unescaped, value)


def _unescaped(match: re.Match[str]) -> str:
    escaped = match[1]
    if escaped == "\\":
        return "\\"
    return "\0" if escaped == "0" else chr(int(escaped[1:], 16))


METADATA = MetaData()

SCHEMA = Table("dspy_schema", METADATA, Column("version", Integer, nullable=False))

PIECES = Table(
    "dspy_pieces",
    METADATA,
    Column("experiment_id", PLAIN, primary_key=True),
    Column("name", _Exact, primary_key=True),  # of a journal or document
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),  # compressed
)

BLOBS = Table(
    "dspy_blobs",
    METADATA,
    Column("name", PLAIN, primary_key=True),
    Column("data", LargeBinary, nullable=False),  # compressed
)

EXPERIMENTS = Table(
    "dspy_experiments",
    METADATA,
    Column("id", PLAIN, primary_key=True),
    Column("name", _Exact, nullable=False),
    Column("hypothesis", _Exact),
    Column("program", _Exact),
    Column("profile", _Exact),
    Column("status", _Exact, nullable=False),
    Column("started", PLAIN, nullable=False),
    Column("ended", PLAIN),
    Column("score", Double),
    Column("trials", BigInteger, nullable=False),
    Column("cost", Double),
    Column("tokens", BigInteger, nullable=False),
    Column("record", Text, nullable=False),  # all of it, as JSON
)

TRIALS = Table(
    "dspy_trials",
    METADATA,
    Column("experiment_id", PLAIN, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", _Exact, nullable=False),
    Column("kind", _Exact, nullable=False),
    Column("name", _Exact, nullable=False),
    Column("status", _Exact, nullable=False),
    Column("score", Double),
    Column("started", PLAIN, nullable=False),
    Column("ended", PLAIN),
    Column("record", Text, nullable=False),  # all of it, as JSON
)

EVENTS = Table(
    "dspy_events",
    METADATA,
    Column("experiment_id", PLAIN, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", _Exact, nullable=False),
    Column("parent_id", _Exact),
    Column("trial_id", _Exact),
    Column("kind", _Exact, nullable=False),
    Column("name", _Exact, nullable=False),
    Column("started", PLAIN, nullable=False),
    Column("ended", PLAIN),
    Column("status", _Exact, nullable=False),
    Column("attributes", Text, nullable=False),  # JSON
)
Index("dspy_events_of_trial", EVENTS.c.experiment_id, EVENTS.c.trial_id)

# Searchable texts: each experiment, trial and event. SQLite stores their words in an FTS5 table.
TEXTS = Table(
    "dspy_texts",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("experiment_id", PLAIN, nullable=False, index=True),
    Column("trial_id", _Exact),
    Column("words", ARRAY(Text).with_variant(Text(), "sqlite")),
    sqlite_autoincrement=True,
)


def row_of(fields: Mapping[str, Any], table: Table, /, **more: Any) -> dict[str, Any]:
    """Return a row: the fields of a record that have a column, and more columns."""
    names = {column.name for column in table.columns}
    return {k: v for k, v in fields.items() if k in names} | more


def insert_new(connection: Connection, table: Table) -> Any:
    """Return the statement that inserts rows, ignoring existing ones."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing()
