"""Where an installed package lies and what its version is, found by looking at folders.

`importlib.metadata` knows as much, and takes five times the budget of a cached read to import.
"""

# pathlib takes longer to import than a cached read takes in all.
# ruff: noqa: PTH109, PTH112, PTH113, PTH118, PTH123, PTH208

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:  # collections.abc takes longer to import than all of this to run
    from collections.abc import Iterable, Iterator

__all__ = ["NOT_FOUND", "Location", "distribution", "locate", "probe", "why_not"]

NOT_FOUND = "is not installed"


class Location:
    """A module's file and, for a package, its folders; or the reason why there is no source."""

    __slots__ = ("file", "folders", "reason")

    def __init__(
        self, file: str | None = None, folders: "Iterable[str]" = (), reason: str | None = None
    ) -> None:
        self.file = file
        self.folders = tuple(folders)
        self.reason = reason

    @property
    def missing(self) -> bool:
        return self.reason == NOT_FOUND


def probe(folders: "Iterable[str]", name: str) -> tuple[Location, list[str]]:
    """The module `name` in one of these folders, and every path that had a say in it."""
    looked: list[str] = []
    portions: list[str] = []
    for folder in folders:
        base = os.path.join(folder or os.getcwd(), name)
        for file in (os.path.join(base, "__init__.py"), f"{base}.py"):
            looked.append(file)
            if os.path.isfile(file):
                return Location(file, [base] if file.endswith("__init__.py") else []), looked
        if any(os.path.isfile(base + suffix) for suffix in EXTENSION_SUFFIXES):
            return Location(reason="is compiled, so its source cannot be read"), looked
        if os.path.isfile(f"{base}.pyc") or os.path.isfile(os.path.join(base, "__init__.pyc")):
            return Location(reason="has no source, only byte code"), looked
        if os.path.isdir(base):
            portions.append(base)
    if portions:
        reason = "is a namespace package: a folder without an __init__.py"
        return Location(None, portions, reason), looked
    return Location(reason=NOT_FOUND), looked


def locate(name: str, search: "Iterable[str] | None" = None) -> tuple[Location, list[str]]:
    """A top-level module as `import name` would find it, without importing it."""
    path = list(sys.path if search is None else search)
    found, looked = probe(path, name)
    if found.missing or (found.file is None and found.folders):  # a namespace comes last
        found = _by_finders(name, path, everywhere=search is None) or found
    return found, looked


def _by_finders(name: str, path: list[str], *, everywhere: bool) -> Location | None:
    """What folders do not show: zip files, and the finders of editable installs."""
    finders: list[object] = [PathFinder]
    if everywhere:
        finders += [f for f in sys.meta_path if f is not PathFinder]
    for finder in finders:
        try:
            spec = finder.find_spec(name, path if finder is PathFinder else None)  # type: ignore[attr-defined]
        except Exception:  # noqa: BLE001, S112 - somebody else's finder; there are others
            continue
        if spec is None or spec.origin is None:
            continue
        if os.path.isfile(spec.origin) and spec.origin.endswith(".py"):
            return Location(spec.origin, spec.submodule_search_locations or ())
        if type(spec.loader).__name__ == "zipimporter":
            return Location(reason="lies in a zip file, which is not read")
        return Location(reason="has no source file")
    return None


def why_not(found: Location) -> str:
    """Why what was found in a package's place is not that package."""
    return found.reason or f"is hidden by {found.file}, a file of the same name"


def distribution(top: str, folders: "Iterable[str]") -> tuple[str | None, str | None]:
    """Name and version of the distribution that the top-level module `top` belongs to."""
    wanted = _plain(top)
    others: list[tuple[str, str, str]] = []
    for folder, entry, name, version in _installed(folders):
        if _plain(name) == wanted:
            return name, version
        others.append((os.path.join(folder, entry), name, version))
    for info, name, version in others:
        if _lists(info, top):
            return name, version
    return None, None


def _installed(folders: "Iterable[str]") -> "Iterator[tuple[str, str, str, str]]":
    for folder in dict.fromkeys(folders):
        try:
            entries = sorted(os.listdir(folder or "."), reverse=True)
        except OSError:
            continue
        for entry in entries:
            stem, dot, suffix = entry.rpartition(".")
            if dot and suffix in {"dist-info", "egg-info"}:
                name, _, version = stem.partition("-")
                yield folder, entry, name, version.partition("-py")[0]


def _lists(info: str, top: str) -> bool:
    try:
        with open(os.path.join(info, "RECORD"), encoding="utf-8") as record:
            return any(line.startswith((f"{top}/", f"{top}.py,")) for line in record)
    except (OSError, ValueError):
        return False


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
