"""What can be said of a cassette without playing it, and what can be taken out of it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dspy_profiles.calls.cassettes._format import Track, lines
from dspy_profiles.calls.cassettes._read import read
from dspy_profiles.calls.cassettes._requests import MATCH
from dspy_profiles.calls.cassettes._write import PATIENCE, replace
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
    """Read it once, and say what is in it; `InvalidFile` if it is no cassette."""
    tape = read(path)
    status = path.stat()
    return Description(
        path,
        status.st_size,
        status.st_mtime,
        tape.header.version,
        tape.header.dspy,
        tape.header.profile,
        len(tape.entries),
        sum(entry.count for entry in tape.entries),
        tuple(tape.models),
    )


def prune(path: Path, keys: Collection[str], *, match: tuple[str, ...] = MATCH) -> int:
    """Take out the requests with these keys, and the file when none is left; says how many went."""
    with locked(path, PATIENCE):
        tape = read(path, match)
        left = [entry for entry in tape.entries if entry.key not in keys]
        gone = len(tape.entries) - len(left)
        if not left:
            path.unlink()
        elif gone:
            left.sort(key=lambda entry: entry.order)
            tracks = (Track(entry.kind, entry.request, entry.responses) for entry in left)
            replace(path, lines(tape.header, tracks))
    return gone
