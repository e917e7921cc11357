"""Open a store in a database by its address. Needs SQLAlchemy."""

import os
import re
from hashlib import sha256
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dspy_profiles.errors import StoreError
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.store import _open
from dspy_profiles.results.store._base import BaseStore
from dspy_profiles.results.store.sql import _database
from dspy_profiles.results.store.sql._joined import JoinedStorage
from dspy_profiles.results.store.sql._store import SqlStore

__all__ = ["in_file", "on_server"]

UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
FORM = "write postgresql://you:${PGPASSWORD}@host/database"


def in_file(file: Path) -> SqlStore:
    """Open a file of SQLite. Its journals are next to it, in `results.db.journals`."""
    journals = file.with_name(f"{file.name}.journals")
    return _store(f"sqlite:{file}", _database.sqlite(file), journals)


def on_server(address: str, root: Path) -> SqlStore:
    """Open a PostgreSQL database. Journals of this machine are in the project."""
    shown = _open.masked(address)
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise StoreError(f'"{shown}" is not the address of a database', hint=FORM) from None
    url = _filled(url)
    try:
        opened = _database.postgresql(url, shown)
    except ImportError:
        raise StoreError(
            "PostgreSQL needs the package psycopg", hint='pip install "dspy-profiles[postgres]"'
        ) from None
    return _store(shown, opened, root / ".dspy" / "postgresql" / _name(url))


def _store(url: str, opened: _database.Database, journals: Path) -> SqlStore:
    opened.check()
    here = BaseStore(url, FolderStorage(journals))
    return SqlStore(url, opened, here, JoinedStorage(journals, opened))


def _filled(url: URL) -> URL:
    """Replace references with their values, which may contain any character."""
    query = {
        name: _open.expanded(value, is_secret=_open.is_secret(name))
        if isinstance(value, str)
        else value
        for name, value in url.query.items()
    }
    return url.set(
        username=_expanded(url.username),
        password=_expanded(url.password, is_secret=True),
        host=_expanded(url.host),
        database=_expanded(url.database),
        query=query,
    )


def _expanded(part: str | None, *, is_secret: bool = False) -> str | None:
    return None if part is None else _open.expanded(part, is_secret=is_secret)


def _name(url: URL) -> str:
    """Return a folder name that is the same for all users of a database."""
    given = (url.host or url.query.get("host"), url.port or url.query.get("port"), url.database)
    usual = ("PGHOST", "PGPORT", "PGDATABASE")
    place = [str(g or os.environ.get(name, "")) for g, name in zip(given, usual, strict=True)]
    # Each schema is a store of its own. A service names a database in another file.
    place += [str(url.query.get(name, "")) for name in ("options", "service")]
    digest = sha256("\0".join(place).encode(errors="replace")).hexdigest()[:8]
    return f"{UNSAFE.sub('-', place[2])[:60] or 'database'}-{digest}"
