"""The environments that earlier commands have made."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dspy_profiles.errors import Place, WriteFailed
from dspy_profiles.versions._environments import DRAFT, MANIFEST, Environment, environments_folder
from dspy_profiles.versions._environments import read as read_environment

__all__ = ["Kept", "clean", "kept"]


@dataclass(frozen=True)
class Kept:
    """One environment on disk. One that cannot be used has only its folder and size."""

    folder: Path
    environment: Environment | None
    made: datetime | None
    size: int

    def to_json(self) -> dict[str, Any]:
        found = self.environment
        return {
            "folder": str(self.folder),
            "requested": None if found is None else found.requested,
            "dspy": None if found is None else found.dspy,
            "python": None if found is None else found.python,
            "made": None if self.made is None else self.made.isoformat(timespec="seconds"),
            "size": self.size,
        }


def kept() -> list[Kept]:
    """Return all environments, by version; those that were left unfinished last."""
    found = [_described(folder) for folder in _folders()]
    return sorted(found, key=lambda each: (each.environment is None, each.folder.name))


def clean() -> Sequence[Kept]:
    """Delete all environments, and return what was deleted."""
    found = kept()
    for each in found:
        try:
            shutil.rmtree(each.folder)
        except FileNotFoundError:
            continue  # another process was first
        except OSError as error:
            raise WriteFailed(
                f"cannot delete the environment: {error.strerror or error}",
                "check the permissions of the folder",
                Place(each.folder),
            ) from None
    return found


def _folders() -> list[Path]:
    try:
        return [each for each in environments_folder().iterdir() if each.is_dir()]
    except FileNotFoundError:
        return []


def _described(folder: Path) -> Kept:
    environment = None if folder.name.startswith(DRAFT) else read_environment(folder)
    made = None
    if environment is not None:
        made = datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC)
    return Kept(folder, environment, made, _size(folder))


def _size(folder: Path) -> int:
    """Return the bytes on disk; a file that several environments share counts for each."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118 - fast
            except OSError:
                continue
    return total
