"""From an address to a store in a database. Whoever imports this has SQLAlchemy."""

import os
import re
from hashlib import sha256
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dspy_profiles.errors import StoreError
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.store import _addresses
from dspy_profiles.results.store._base import BaseStore
from dspy_profiles.results.store.sql import _database
from dspy_profiles.results.store.sql._joined import JoinedStorage
from dspy_profiles.results.store.sql._store import SqlStore

__all__ = ["in_file", "on_server"]

UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
FORM = "write postgresql://you:${PGPASSWORD}@host/database"


def in_file(file: Path) -> SqlStore:
    """The journals lie beside it, in `results.db.journals`."""
    journals = file.with_name(f"{file.name}.journals")
    return _store(f"sqlite:{file}", _database.sqlite(file), journals)


def on_server(address: str, root: Path) -> SqlStore:
    """The journals of this machine lie in the project, in a folder for each database."""
    shown = _addresses.masked(address)
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise StoreError(f'"{shown}" is no address of a database', hint=FORM) from None
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
    """References replaced by what they stand for: a password may have any character then."""
    query = {
        name: _addresses.followed(value, is_secret=_addresses.is_secret(name))
        if isinstance(value, str)
        else value
        for name, value in url.query.items()
    }
    return url.set(
        username=_followed(url.username),
        password=_followed(url.password, is_secret=True),
        host=_followed(url.host),
        database=_followed(url.database),
        query=query,
    )


def _followed(part: str | None, *, is_secret: bool = False) -> str | None:
    return None if part is None else _addresses.followed(part, is_secret=is_secret)


def _name(url: URL) -> str:
    """The same for everybody who writes to this database from here, whoever they are there."""
    given = (url.host or url.query.get("host"), url.port or url.query.get("port"), url.database)
    usual = ("PGHOST", "PGPORT", "PGDATABASE")
    place = [str(g or os.environ.get(name, "")) for g, name in zip(given, usual, strict=True)]
    # A schema of its own is a store of its own; a service names a database in another file.
    place += [str(url.query.get(name, "")) for name in ("options", "service")]
    digest = sha256("\0".join(place).encode(errors="replace")).hexdigest()[:8]
    return f"{UNSAFE.sub('-', place[2])[:60] or 'database'}-{digest}"
