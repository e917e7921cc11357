"""The cassettes that a command replays, as copies."""

import configparser
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tomli

from dspy_profiles.config import find_locations, load_settings
from dspy_profiles.errors import Place, WriteFailed

__all__ = ["copied", "folder_of_tests"]

USUAL = "cassettes"
INI_KEY = "dspy_cassette_dir"
# In the order in which pytest looks for its configuration, with the table that makes it one.
INI_FILES = (
    ("pytest.ini", "pytest"),
    (".pytest.ini", "pytest"),
    ("pyproject.toml", ""),
    ("tox.ini", "pytest"),
    ("setup.cfg", "tool:pytest"),
)


def folder_of_tests(words: Sequence[str]) -> Path:
    """Return the folder of cassettes that pytest would use. It may not exist."""
    locations = find_locations()
    setting = load_settings(locations).path("cassette-dir")
    folders = list(_upwards(words, locations.cwd))
    for folder in folders:
        for name, table in INI_FILES:
            found = _ini(folder / name, table)
            if found is not None:
                own = found.get(INI_KEY)
                return setting or (locations.cwd / str(own) if own else folder / USUAL)
    # Without any configuration, the root of the tests is the nearest folder with a project.
    projects = (
        folder
        for name in ("pyproject.toml", "setup.py")
        for folder in folders
        if (folder / name).is_file()
    )
    return setting or next(projects, folders[0]) / USUAL


def copied(source: Path, target: Path) -> None:
    """Copy a cassette, or a folder of them, if it exists."""
    try:
        if source.is_dir():
            shutil.copytree(source, target, ignore_dangling_symlinks=True)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    except (OSError, shutil.Error) as error:
        why = getattr(error, "strerror", None) or "some files cannot be read"
        raise WriteFailed(
            f"cannot copy the cassettes: {why}",
            "check the disk space of the temporary folder, and the permissions of the cassettes",
            Place(source),
        ) from None


def _upwards(words: Sequence[str], cwd: Path) -> Iterator[Path]:
    """Yield the folders in which pytest looks for its configuration."""
    named = (cwd / word.partition("::")[0] for word in words if not word.startswith("-"))
    paths = [path.resolve() for path in named if path.exists()] or [cwd.resolve()]
    start = paths[0]
    while not all(path.is_relative_to(start) for path in paths) or not start.is_dir():
        start = start.parent
    yield from (start, *start.parents)


def _ini(path: Path, table: str) -> dict[str, Any] | None:
    """Return what a file configures of pytest; None if that is nothing."""
    if not path.is_file():
        return None
    try:
        if path.suffix == ".toml":
            found = tomli.loads(path.read_text("utf-8")).get("tool", {}).get("pytest")
            return None if found is None else dict(found.get("ini_options") or found)
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read(path, "utf-8")
        is_there = parser.has_section(table)
        return dict(parser[table]) if is_there else {} if table == path.stem else None
    except (OSError, ValueError, AttributeError, configparser.Error):
        return {}  # pytest itself reports it
