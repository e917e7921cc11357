"""Read a TOML file: its data, and the line of each key. Reading never creates a file."""

import errno
import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import tomli

from dspy_profiles._locks import ProcessLock
from dspy_profiles._reading import MEGABYTE, open_regular
from dspy_profiles.config._keys import KeyPath
from dspy_profiles.errors import InvalidFile, Place

__all__ = ["RACY_NS", "Document", "Stamp", "file_stamp", "read_toml"]


class Stamp(NamedTuple):
    """Attributes that change whenever a file changes, so that it need not be read to see that."""

    mtime_ns: int
    size: int
    inode: int


@dataclass(frozen=True, eq=False)
class Document:
    """A file's text and data. `data` is shared between readers: never change it."""

    path: Path
    text: str = field(default="", repr=False)  # unchanged, with its line ends, but without the BOM
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    stamp: Stamp | None = None  # None: the file does not exist
    encoding: str = "utf-8"  # "utf-8-sig" if the file starts with a BOM
    settled: bool = True  # False: so recent that one more write might not change the stamp

    def line(self, key: KeyPath) -> int | None:
        """Return the line of the statement that defines the key, or its nearest parent."""
        known = (self._lines.get(key[:length]) for length in range(len(key), 0, -1))
        return next((line for line in known if line is not None), None)

    def unchanged(self) -> bool:
        """Return whether the file is unchanged; this is one `stat` if it is settled."""
        if file_stamp(self.path) != self.stamp:
            return False
        return self.settled or self.stamp is None or read_unparsed(self.path).text == self.text

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        from dspy_profiles.config._toml import (
            all_statements,  # its regular expressions take time to compile
        )

        own: dict[KeyPath, int] = {}
        implied: dict[KeyPath, int] = {}
        arrays: set[KeyPath] = set()
        for row in all_statements(self.text):
            path = row.path
            if row.array:
                arrays.add(path)
            for length in range(1, len(path)):
                implied.setdefault(path[:length], row.line)
                if path[:length] in arrays:  # keys of an array's element have no path of their own
                    break
            else:
                own.setdefault(path, row.line)
        return implied | own


def file_stamp(path: Path) -> Stamp | None:
    """Return the file's stamp, or None if it does not exist."""
    try:
        return _stamp(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def read_toml(path: Path) -> Document:
    """Read a file; parse it only if it has changed since the last call.

    Return an empty document if it does not exist. Raise InvalidFile if it is not valid TOML.
    """
    with _lock:
        known = _documents.get(path)
        if known is not None and known.settled and file_stamp(path) == known.stamp:
            return known
        document = read_unparsed(path)
        if known is None or known.text != document.text:
            document = replace(document, data=_parse(document))
        elif (known.stamp, known.settled) == (document.stamp, document.settled):
            return known
        else:
            document = replace(document, data=known.data)
        _keep(document)
        return document


def remember(document: Document) -> None:
    """Keep what was written, so that reading it again parses nothing."""
    with _lock:
        _keep(document)


def _keep(document: Document) -> None:
    _documents.pop(document.path, None)
    if document.stamp is not None:
        _documents[document.path] = document
        if len(_documents) > _KEPT:
            del _documents[next(iter(_documents))]


def parsed(text: str) -> dict[str, Any]:
    with _no_collection():
        return tomli.loads(text)


_LARGEST = 256 * MEGABYTE
_KEPT = 64  # documents; a long process may read many files only once
RACY_NS = 100_000_000  # coarser than any clock that stamps files on the systems we support
_documents: dict[Path, Document] = {}
_lock = ProcessLock()


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def read_unparsed(path: Path) -> Document:
    """Read a file without parsing it: `data` is empty."""
    before = time.time_ns()
    try:
        with open_regular(path, _LARGEST) as file:
            status, raw = os.fstat(file.fileno()), file.read()
    except (FileNotFoundError, NotADirectoryError):
        return Document(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    settled = abs(before - status.st_mtime_ns) > RACY_NS
    encoding = "utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else "utf-8"
    return Document(
        path, _decode(path, raw, encoding), {}, _stamp(status), encoding, settled=settled
    )


def _decode(path: Path, raw: bytes, encoding: str) -> str:
    nul = raw.find(b"\0")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        # The codec's position excludes the BOM, which is on the first line.
        line = raw.count(b"\n", 0, error.start + (3 if encoding == "utf-8-sig" else 0)) + 1
        hint = "save the file as UTF-8"
        raise InvalidFile(f"{path.name} is not UTF-8", hint, Place(path, line)) from error
    if nul >= 0:
        place = Place(path, raw.count(b"\n", 0, nul) + 1)
        raise InvalidFile(f"{path.name} is a binary file, not TOML", "name a TOML file", place)
    return text


def _parse(document: Document) -> dict[str, Any]:
    try:
        return parsed(document.text)
    except tomli.TOMLDecodeError as error:
        place = Place(document.path, error.lineno)
        hint = "check the quotes, commas and brackets of this line; strings need quotes"
        message = f"{document.path.name} is not valid TOML: {error.msg}"
        raise InvalidFile(message, hint, place) from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 400 brackets
        hint = "write shorter numbers and fewer levels of brackets"
        message = f"cannot parse {document.path.name}: {error}"
        raise InvalidFile(message, hint, Place(document.path)) from error


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector: all new tables stay, and looking at them costs an eighth."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _unreadable(path: Path, error: OSError | ValueError) -> InvalidFile:
    place = Place(path)
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EISDIR or (code == errno.EACCES and path.is_dir()):  # as on Windows
        return InvalidFile(f"{path.name} is a folder", "name a file in it", place)
    if code in (errno.EACCES, errno.EPERM):
        message = f"no permission to read {path.name}"
        return InvalidFile(message, f"chmod u+r '{path}'", place)
    if code == errno.ELOOP:
        message = f"{path.name} is a symbolic link to itself"
        return InvalidFile(message, "link to the file", place)
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return InvalidFile(f"cannot read {path.name}: {why}", "name a readable text file", place)
