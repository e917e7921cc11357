"""The kinds of stores that are built in. Each takes what stands behind its name, and a folder."""

import importlib
from pathlib import Path
from typing import Any

from dspy_profiles._locks import ProcessLock
from dspy_profiles.config import locate
from dspy_profiles.errors import StoreError
from dspy_profiles.results.journal._base import MemoryStorage
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.store import _addresses
from dspy_profiles.results.store._base import BaseStore
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.secrets import expand_user

__all__ = ["file", "memory", "postgresql", "sqlite"]

_lock = ProcessLock()
_in_memory: dict[str, BaseStore] = {}


def memory(name: str, _folder: Path) -> Store:
    with _lock:
        return _in_memory.setdefault(name, BaseStore(f"memory:{name}", MemoryStorage()))


def file(name: str, folder: Path) -> Store:
    name = name.removeprefix("//")  # file:///srv/results
    if not name:
        raise StoreError("file: needs a folder", hint="write file:results")
    root = folder / expand_user(name)
    if root.exists() and not root.is_dir():
        raise StoreError(f"{root} is no folder", hint="name a folder: file:results")
    return BaseStore(f"file:{root}", FolderStorage(root))


def sqlite(name: str, folder: Path) -> Store:
    if not name or name.startswith(("//", ":")):
        raise StoreError(
            f'"sqlite:{name}" names no file',
            hint="write sqlite:results.db, or sqlite:/srv/results.db; memory: is in memory",
        )
    path = folder / expand_user(name)
    if path.is_dir():
        raise StoreError(f"{path} is a folder", hint="name a file: sqlite:results.db")
    opened: Store = _sql("sql").in_file(path)
    return opened


def postgresql(address: str, _folder: Path) -> Store:
    address = _addresses.known(f"postgresql:{address}")
    opened: Store = _sql("postgres").on_server(address, locate().root)
    return opened


def _sql(extra: str) -> Any:
    """The rooms that need SQLAlchemy, which comes with this extra."""
    try:
        return importlib.import_module("dspy_profiles.results.store.sql._opening")
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
        raise StoreError(
            "results in a database need the package SQLAlchemy",
            hint=f'pip install "dspy-profiles[{extra}]"',
        ) from None
