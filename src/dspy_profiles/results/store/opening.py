"""From a URL to a store."""

from collections.abc import Callable
from pathlib import Path

from dspy_profiles import locations, settings
from dspy_profiles.errors import StoreError
from dspy_profiles.locking import ProcessLock
from dspy_profiles.results.folder import FolderShelf
from dspy_profiles.results.shelf import MemoryShelf
from dspy_profiles.results.store.journal_store import JournalStore
from dspy_profiles.results.store.protocol import Store

__all__ = ["DEFAULT", "open_store"]

DEFAULT = Path(".dspy") / "results"  # at the project root

_lock = ProcessLock()
_in_memory: dict[str, JournalStore] = {}


def open_store(url: str | None = None) -> Store:
    """A result store: `memory:`, `file:DIR`; without a URL, that of the setting `store`.

    `memory:` is one store for the whole process, `memory:NAME` another. A relative folder starts
    at the working directory, in a settings file at that file's folder. Without any setting it is
    `file:.dspy/results` at the project root.

    >>> open_store("memory:").query_experiments(status="done")
    []
    """
    here = locations.current()
    folder = here.cwd
    if url is None:
        given = settings.load(here).values.get("store")
        if given is None or not isinstance(given.value, str):
            return _file(str(here.root / DEFAULT), here.cwd)
        url, folder = given.value, given.folder
    scheme, colon, rest = url.partition(":")
    opened = SCHEMES.get(scheme)
    if opened is None or not colon:
        raise StoreError(
            f'"{url}" is no result store',
            hint=f"write {', '.join(f'{name}:…' for name in SCHEMES)}, as in file:results",
        )
    return opened(rest, folder)


def _memory(name: str, _folder: Path) -> Store:
    with _lock:
        shelf = MemoryShelf
        return _in_memory.setdefault(name, JournalStore(f"memory:{name}", shelf()))


def _file(name: str, folder: Path) -> Store:
    name = name.removeprefix("//")  # file:///srv/results
    if not name:
        raise StoreError("file: needs a folder", hint="write file:results")
    root = folder / locations.expanded(name)
    if root.exists() and not root.is_dir():
        raise StoreError(f"{root} is no folder", hint="name a folder: file:results")
    return JournalStore(f"file:{root}", FolderShelf(root))


SCHEMES: dict[str, Callable[[str, Path], Store]] = {"memory": _memory, "file": _file}
