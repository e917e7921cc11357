"""Describe a cassette without playing it, and remove requests from it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dspy_profiles.calls.cassettes._file import PATIENCE, Recording, lines, replace
from dspy_profiles.calls.cassettes._read import read
from dspy_profiles.calls.cassettes._requests import MATCH
from dspy_profiles.config import locked

__all__ = ["Description", "describe", "prune"]


@dataclass(frozen=True)
class Description:
    """One cassette in a list."""

    path: Path
    size: int  # bytes
    modified: float  # seconds since 1970
    version: int
    dspy: str
    profile: str
    requests: int
    responses: int
    models: tuple[str, ...]


def describe(path: Path) -> Description:
    """Return the description of a cassette. Raises `InvalidFile` if it is not one."""
    contents = read(path)
    status = path.stat()
    return Description(
        path,
        status.st_size,
        status.st_mtime,
        contents.header.version,
        contents.header.dspy,
        contents.header.profile,
        len(contents.entries),
        sum(entry.count for entry in contents.entries),
        tuple(contents.models),
    )


def prune(path: Path, keys: Collection[str], *, match: tuple[str, ...] = MATCH) -> int:
    """Remove the requests with these keys, and the file if none is left; return their number."""
    with locked(path, PATIENCE):
        contents = read(path, match)
        left = [entry for entry in contents.entries if entry.key not in keys]
        removed = len(contents.entries) - len(left)
        if not left:
            path.unlink()
        elif removed:
            left.sort(key=lambda entry: entry.order)
            recordings = (Recording(entry.kind, entry.request, entry.responses) for entry in left)
            replace(path, lines(contents.header, recordings))
    return removed
