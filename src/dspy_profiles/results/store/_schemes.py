"""The built-in kinds of stores. Each gets the text after the colon, and a folder."""

import importlib
from pathlib import Path
from typing import Any

from dspy_profiles._locks import ProcessLock
from dspy_profiles.config import locate
from dspy_profiles.errors import StoreError
from dspy_profiles.results.journal._base import MemoryStorage
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.store._base import BaseStore
from dspy_profiles.results.store._open import unmasked
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
        raise StoreError("file: has no folder", hint="write file:results")
    root = folder / expand_user(name)
    if root.exists() and not root.is_dir():
        raise StoreError(f"{root} is not a folder", hint="write a folder: file:results")
    return BaseStore(f"file:{root}", FolderStorage(root))


def sqlite(name: str, folder: Path) -> Store:
    if not name or name.startswith(("//", ":")):
        raise StoreError(
            f'"sqlite:{name}" does not name a file',
            hint="write sqlite:results.db, or memory: for a store in memory",
        )
    path = folder / expand_user(name)
    if path.is_dir():
        raise StoreError(f"{path} is a folder", hint="write a file: sqlite:results.db")
    opened: Store = _sql("sql").in_file(path)
    return opened


def postgresql(address: str, _folder: Path) -> Store:
    address = unmasked(f"postgresql:{address}")
    opened: Store = _sql("postgres").on_server(address, locate().root)
    return opened


def _sql(extra: str) -> Any:
    """Import the modules that need SQLAlchemy, which this extra installs."""
    try:
        return importlib.import_module("dspy_profiles.results.store.sql._opening")
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
        raise StoreError(
            "results in a database need the package SQLAlchemy",
            hint=f'pip install "dspy-profiles[{extra}]"',
        ) from None
