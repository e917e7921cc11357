"""Storage of archived experiments in a database: journals, documents and long texts."""

import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, insert, select

from dspy_profiles._reading import MEGABYTE
from dspy_profiles.errors import StoreError
from dspy_profiles.results._ids import is_id, is_journal
from dspy_profiles.results.journal._archive import DOCUMENTS, SEAL
from dspy_profiles.results.journal._base import Durability, FirstLine, Journal
from dspy_profiles.results.store.sql._tables import BLOBS, PIECES, insert_new

__all__ = ["SealedStorage", "parts"]

PIECE = MEGABYTE  # bytes before compression: the least that is read for one trial
LARGEST_PIECE = 64 * MEGABYTE  # that is read, whoever wrote it
LARGEST = 1024 * MEGABYTE  # of a long text
LEVEL = 3
AT_ONCE = 500  # names in one statement

T = TypeVar("T")


class SealedStorage:
    """Reads and writes in the transaction of one connection."""

    def __init__(self, connection: Connection, place: str) -> None:
        self._connection = connection
        self._place = place
        self._known: dict[str, bytes] = {}

    def begin(self, experiment_id: str, durability: Durability, first: FirstLine) -> Journal:  # noqa: ARG002
        raise StoreError("a database does not record", hint="use the storage of the store")

    def ids(self) -> list[str]:
        found = select(PIECES.c.experiment_id).where(PIECES.c.name == SEAL).distinct()
        return sorted(filter(is_id, self._connection.scalars(found)), reverse=True)

    def names(self, experiment_id: str) -> list[str]:
        of = PIECES.c.experiment_id == experiment_id
        found = select(PIECES.c.name).where(of, PIECES.c.name.not_in(DOCUMENTS)).distinct()
        return sorted(filter(is_journal, self._connection.scalars(found)))

    def lines(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        rest = b""
        for piece in self._pieces(experiment_id, name, start, end):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in whole)
        if rest:
            yield rest

    def digest(self, experiment_id: str, name: str, size: int | None = None) -> tuple[int, str]:
        digest, read = sha256(), 0
        for piece in self._pieces(experiment_id, name, 0, size):
            digest.update(piece)
            read += len(piece)
        return read, digest.hexdigest()

    def is_alive(self, experiment_id: str) -> bool:  # noqa: ARG002 - all of them are closed
        return False

    def blob(self, name: str) -> bytes | None:
        if name not in self._known:
            self.fetch([name])
        return self._known.get(name)

    def fetch(self, names: Iterable[str]) -> None:
        """Load long texts, many with one query."""
        for some in parts(sorted(set(names) - self._known.keys()), AT_ONCE):
            found = select(BLOBS.c.name, BLOBS.c.data).where(BLOBS.c.name.in_(some))
            for name, data in self._connection.execute(found):
                self._known[name] = _expanded(data, LARGEST)

    def keep(self, text: bytes) -> str:
        name = sha256(text).hexdigest()
        self.keep_all({name: text})
        return name

    def keep_all(self, texts: dict[str, bytes]) -> None:
        """Store missing texts, sorted by name: so two writers cannot deadlock."""
        rows = [{"name": n, "data": zlib.compress(t, LEVEL)} for n, t in sorted(texts.items())]
        if rows:
            self._connection.execute(insert_new(self._connection, BLOBS), rows)

    def document(self, experiment_id: str, name: str) -> bytes | None:
        found = list(self._pieces(experiment_id, name))
        return b"".join(found) if found else None

    def put_document(self, experiment_id: str, name: str, data: bytes) -> None:
        of = PIECES.c.experiment_id == experiment_id
        self._connection.execute(delete(PIECES).where(of, PIECES.c.name == name))
        self.adopt(experiment_id, name, iter([data]))

    def put_first(self, experiment_id: str, name: str, data: bytes) -> bool:
        if self.document(experiment_id, name) is not None:
            return False
        self.put_document(experiment_id, name, data)
        return True

    def adopt(self, experiment_id: str, name: str, lines: Iterator[bytes]) -> None:
        start = 0
        for data in _pieces_of(lines):
            row = {"experiment_id": experiment_id, "name": name, "start": start}
            row |= {"size": len(data), "data": zlib.compress(data, LEVEL)}
            self._connection.execute(insert(PIECES), row)
            start += len(data)

    def place(self, experiment_id: str, name: str) -> str:
        return f"{self._place}#{experiment_id}/{name}"

    def _pieces(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """Yield the bytes between two places, piece by piece."""
        table = PIECES.c
        found = select(table.start, table.size).where(
            table.experiment_id == experiment_id, table.name == name
        )
        found = found.where(table.start + table.size > start) if start else found
        found = found if end is None else found.where(table.start < end)
        for first, size in self._connection.execute(found.order_by(table.start)).all():
            one = select(table.data).where(
                table.experiment_id == experiment_id, table.name == name, table.start == first
            )
            data = _expanded(self._connection.scalar(one) or b"", LARGEST_PIECE)
            until = size if end is None else min(size, end - first)
            yield data[max(start - first, 0) : until]


def parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of this size."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def _pieces_of(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes in pieces of about the same size; one empty piece if there are none."""
    waiting = bytearray()
    has_given = False
    for line in lines:
        waiting += line
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
            has_given = True
    if waiting or not has_given:
        yield bytes(waiting)


def _expanded(data: Any, most: int) -> bytes:
    """Return decompressed bytes. Damaged data is returned as it is: `verify` reports it.

    Raises StoreError for more bytes than we write.
    """
    expander = zlib.decompressobj()
    try:
        expanded = expander.decompress(data, most)
    except (TypeError, zlib.error):
        return data if isinstance(data, bytes) else str(data).encode()
    if expander.unconsumed_tail:
        raise StoreError(
            f"a piece of the database is larger than {most // MEGABYTE:,} MB",
            "use another database: this one was not written by dspy-profiles",
        )
    return expanded if expander.eof else data
