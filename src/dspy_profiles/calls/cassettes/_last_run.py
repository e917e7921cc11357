"""Cassettes and requests that the last full test run did not use, for `cassettes prune`."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dspy_profiles._reading import MEGABYTE, read_regular
from dspy_profiles.config import write_atomically
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place

__all__ = ["LastRun", "NotAsked", "read_last_run", "write_last_run"]

VERSION = 1
LARGEST = 64 * MEGABYTE
DELETE = "delete it, and run all tests again"
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
    """Write it to a folder that git ignores. A link in its place is replaced, not followed."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not os.path.lexists(ignore):
        ignore.write_text("*\n", encoding="utf-8")
    if (folder / NAME).is_symlink():
        (folder / NAME).unlink()
    text = json.dumps({"version": VERSION, **asdict(run)}, indent=2)
    with write_atomically(folder / NAME, new_mode=0o666, unique=True, sync=False) as file:
        file.write(f"{text}\n".encode())


def read_last_run(root: Path) -> LastRun | None:
    """Return the last run, or None if there was no full run yet."""
    path = root / FOLDER / NAME
    try:
        data = json.loads(read_regular(path, LARGEST, links=False))
        requests = {_text(name): _not_asked(each) for name, each in data["requests"].items()}
        return LastRun(tuple(map(_text, data["files"])), requests)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"cannot read {NAME}: {error.strerror or error}"
        raise InvalidFile(message, DELETE, Place(path)) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InvalidProfile):
        raise InvalidFile("not the file that a test run writes", DELETE, Place(path)) from None


def _not_asked(each: Mapping[str, Any]) -> NotAsked:
    from dspy_profiles.calls.cassettes._requests import checked_match  # imports DSPy

    found = NotAsked(**each)
    match = checked_match(tuple(map(_text, found.match)))
    return NotAsked(tuple(map(_text, found.keys)), match)


def _text(value: Any) -> str:
    if not isinstance(value, str) or b"\0" in os.fsencode(value):  # raises for half a character
        raise TypeError("not a string")
    return value
