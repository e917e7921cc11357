"""What a descriptor is as old as: the state of the files that it was read from, and its shape."""

# pathlib takes longer to import than a cached read takes in all.
# ruff: noqa: PTH116

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Stamp = tuple[str, int, int]

__all__ = ["SCHEMA_VERSION", "stamp", "stamps"]

SCHEMA_VERSION = 2  # of descriptors: one more when their shape changes


def stamps(paths: "Iterable[str]") -> "list[Stamp]":
    """Path, size and time of each; a path that is not there has a stamp as well."""
    return [stamp(path) for path in dict.fromkeys(paths)]


def stamp(path: str) -> "Stamp":
    try:
        status = os.stat(path)
    except OSError:
        return path, -1, 0
    return path, status.st_size, status.st_mtime_ns
