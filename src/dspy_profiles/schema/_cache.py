"""Cache the installed DSPy's descriptor on disk until its files change.

The format is `marshal`, as for Python's byte code: importing `json` takes longer than reading the
cache. A checksum detects an incomplete file.
"""

# Importing pathlib takes longer than reading the cache.
# ruff: noqa: PTH100, PTH103, PTH111, PTH117, PTH118, PTH120

import marshal
import os
import sys
from binascii import crc32

from dspy_profiles._reading import MEGABYTE, read_regular
from dspy_profiles.schema.reader import _locate
from dspy_profiles.schema.reader._stamps import SCHEMA_VERSION, stamp

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than the descriptor takes to read
    from typing import Any

    from dspy_profiles.schema.reader._stamps import Stamp

__all__ = ["cache_folder", "descriptor"]

_MAGIC = b"dspy-profiles descriptor %d\n" % SCHEMA_VERSION
_LARGEST = 64 * MEGABYTE

_known: "dict[str, tuple[list[Stamp], dict[str, Any]]]" = {}


def descriptor() -> "dict[str, Any]":
    """Return what the installed DSPy accepts, as plain JSON; see `describe` for its shape.

    Does not import DSPy. If DSPy is missing or cannot be read, the descriptor is open and has the
    reason. All callers share the object: do not change it.
    """
    found, _ = _locate.locate("dspy")
    if found.file is None or not found.folders:
        return _describe(None, _locate.why_not(found))[0]
    root = os.path.dirname(os.path.dirname(os.path.abspath(found.file)))
    distribution = _locate.distribution("dspy", [root, *sys.path])
    held = _known.get(root) or _load(root)
    if held is not None and _fits(held[1], distribution[1]) and _unchanged(held[0]):
        _known[root] = held
        return held[1]
    made, looked = _describe(root, None)
    before = list(dict.fromkeys(looked))
    _known[root] = before, made
    if not made["open"]:
        _store(root, before, made)
    return made


def cache_folder() -> str | None:
    """Return the user's cache folder of dspy-profiles, or None."""
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    if not base or not os.path.isabs(base):
        return None
    return os.path.join(base, "dspy-profiles")


def _fits(made: "dict[str, Any]", version: str | None) -> bool:
    return version is None or made["version"] == version


def _unchanged(before: "list[Stamp]") -> bool:
    return all(stamp(held[0]) == held for held in before)


def _describe(root: str | None, reason: str | None) -> "tuple[dict[str, Any], list[Stamp]]":
    from dspy_profiles.schema._describe import describe_installed

    return describe_installed(root, reason)


def _file(root: str) -> str | None:
    folder = cache_folder()
    tag = sys.implementation.cache_tag or "python"
    key = f"{crc32(os.fsencode(root)):08x}"
    return folder and os.path.join(folder, f"dspy-{key}.{tag}.bin")


def _load(root: str) -> "tuple[list[Stamp], dict[str, Any]] | None":
    path = _file(root)
    if path is None:
        return None
    try:
        content = read_regular(path, _LARGEST)
    except (OSError, ValueError):
        return None
    start = len(_MAGIC) + 4
    body = content[start:]
    if not content.startswith(_MAGIC) or content[len(_MAGIC) : start] != _checksum(body):
        return None
    try:
        held_root, before, made = marshal.loads(body)  # noqa: S302 - as safe as our .pyc files
        is_sound = isinstance(made["version"], str | None) and all(
            isinstance(s[0], str) for s in before
        )
    except (EOFError, IndexError, KeyError, TypeError, ValueError):
        return None
    return (before, made) if held_root == root and is_sound else None


def _store(root: str, before: "list[Stamp]", made: "dict[str, Any]") -> None:
    """Write the cache file. A home that cannot be written to is not an error."""
    from pathlib import Path

    from dspy_profiles.config import write_atomically

    path = _file(root)
    if path is None:
        return
    body = marshal.dumps((root, before, made))
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with write_atomically(Path(path), unique=True, sync=False, raw_errors=True) as file:
            file.write(_MAGIC + _checksum(body) + body)
    except OSError:
        return


def _checksum(body: bytes) -> bytes:
    return crc32(body).to_bytes(4, "big")
