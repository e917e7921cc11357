"""Cassettes and requests that the last full test run did not use, for `cassettes prune`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dspy_profiles.config import write_atomically
from dspy_profiles.errors import InvalidFile, Place

__all__ = ["LastRun", "NotAsked", "read_last_run", "write_last_run"]

VERSION = 1
FOLDER, NAME = ".dspy", "cassettes.json"


@dataclass(frozen=True)
class NotAsked:
    """Requests of one cassette that no test made: their keys, and what the keys compare."""

    keys: Sequence[str]
    match: Sequence[str]


@dataclass(frozen=True)
class LastRun:
    """Cassettes that no test opened, and requests that no test made, by file."""

    files: Sequence[str] = ()
    requests: Mapping[str, NotAsked] = field(default_factory=dict)


def write_last_run(root: Path, run: LastRun) -> None:
    """Write it to a folder that git ignores."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    text = json.dumps({"version": VERSION, **asdict(run)}, indent=2)
    with write_atomically(folder / NAME, new_mode=0o666, unique=True, sync=False) as file:
        file.write(f"{text}\n".encode())


def read_last_run(root: Path) -> LastRun | None:
    """Return the last run, or None if there was no full run yet."""
    path = root / FOLDER / NAME
    try:
        data = json.loads(path.read_text("utf-8"))
        requests = {name: NotAsked(**each) for name, each in data["requests"].items()}
        return LastRun(tuple(data["files"]), requests)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InvalidFile(
            "not the file that a test run writes",
            hint="delete it, and run all tests again",
            where=Place(path),
        ) from None
