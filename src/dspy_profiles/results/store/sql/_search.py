"""Find texts by their words. Python splits texts into words, so that all stores find the same.

SQLite stores words in an FTS5 table without content, PostgreSQL in arrays with a GIN index: a
tsvector is limited to a megabyte, and stores positions, which are not needed.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    cast,
    column,
    insert,
    select,
    table,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from dspy_profiles.results import _words
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.journal._read import whole
from dspy_profiles.results.store.sql._tables import TEXTS

__all__ = ["Index", "forget_all", "having", "make", "tokens"]

LONGEST = 500  # bytes; indexes refuse or cut longer words, so their hash is stored
BATCH = 1000
TOGETHER = 100  # words of one FTS5 query
FTS = table("dspy_words", column("rowid"), column("dspy_words"))


def make(connection: Connection) -> None:
    """Create the index of words."""
    if connection.dialect.name == "sqlite":
        # For this tokenizer, words consist of ASCII letters and digits, and of all characters
        # beyond ASCII. Our words have no others.
        connection.exec_driver_sql(
            "CREATE VIRTUAL TABLE dspy_words USING fts5"
            "(words, content='', detail=none, columnsize=0, tokenize='ascii')"
        )
    else:
        connection.exec_driver_sql("CREATE INDEX dspy_texts_words ON dspy_texts USING gin (words)")


def tokens(found: Iterable[str]) -> list[str]:
    """Return words in the form of the database, sorted."""
    return sorted(map(_token, found))


def _token(word: str) -> str:
    # "§" cannot be part of a word.
    data = word.encode()
    return word if len(data) <= LONGEST else f"§{sha256(data).hexdigest()}"


def having(connection: Connection, wanted: set[str]) -> ColumnElement[bool]:
    """Return the condition that a row of `dspy_texts` has all these words."""
    words = tokens(wanted)
    if not words:
        return true()
    if connection.dialect.name != "sqlite":
        return TEXTS.c.words.contains(cast(words, ARRAY(Text)))
    condition: ColumnElement[bool] = true()
    for start in range(0, len(words), TOGETHER):
        query = " AND ".join(f'"{word}"' for word in words[start : start + TOGETHER])
        match = FTS.c.dspy_words.op("MATCH")(bindparam(None, query, unique=True))
        condition &= TEXTS.c.id.in_(select(FTS.c.rowid).where(match))
    return condition


def forget_all(connection: Connection) -> None:
    """Remove all words."""
    connection.execute(TEXTS.delete())
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("INSERT INTO dspy_words(dspy_words) VALUES ('delete-all')")


class Index:
    """Adds the words of one experiment, many at a time."""

    def __init__(self, connection: Connection, experiment_id: str, storage: JournalStorage) -> None:
        self._connection = connection
        self._experiment_id = experiment_id
        self._storage = storage
        self._waiting: list[tuple[str | None, list[str]]] = []
        self._is_sqlite = connection.dialect.name == "sqlite"

    def add(self, trial_id: str | None, *values: Any) -> None:
        """Add the words of these values, for a trial or the experiment."""
        words: set[str] = set()
        for value in values:
            for each in _words.texts_in(whole(value, self._storage)):
                words |= _words.words(each)
        self._waiting.append((trial_id, tokens(words)))
        if len(self._waiting) >= BATCH:
            self.write()

    def write(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        rows: Sequence[Mapping[str, Any]] = [
            {"experiment_id": self._experiment_id, "trial_id": trial} for trial, _ in waiting
        ]
        if not self._is_sqlite:
            rows = [{**row, "words": found} for row, (_, found) in zip(rows, waiting, strict=True)]
            self._connection.execute(insert(TEXTS), rows)
            return
        # The transaction excludes other writers, so the numbers can be chosen here.
        last = (
            self._connection.scalar(
                text("SELECT seq FROM sqlite_sequence WHERE name = :n"), {"n": TEXTS.name}
            )
            or 0
        )
        numbers = range(last + 1, last + 1 + len(rows))
        self._connection.execute(
            insert(TEXTS), [{**row, "id": n} for n, row in zip(numbers, rows, strict=True)]
        )
        self._connection.execute(
            text("INSERT INTO dspy_words(rowid, words) VALUES (:id, :words)"),
            [
                {"id": n, "words": " ".join(found)}
                for n, (_, found) in zip(numbers, waiting, strict=True)
            ],
        )
