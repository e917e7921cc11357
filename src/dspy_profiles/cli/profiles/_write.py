"""Write files other than profiles files. Each is replaced whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from dspy_profiles.config import (
    TRUSTED,
    Document,
    locked,
    read_unparsed,
    replace_file,
    write_atomically,
)
from dspy_profiles.errors import InvalidFile, Place

__all__ = ["TextEdit", "new_file", "rewriting", "write_new"]


class TextEdit:
    """A file's text, to be written when the block ends."""

    def __init__(self, document: Document) -> None:
        self.text = document.text
        self.path = document.path
        self.exists = document.stamp is not None


@contextmanager
def rewriting(path: Path, *, is_ours: bool = True) -> Iterator[TextEdit]:
    """Read, change and replace a text file under its lock. Only its owner may read a new file.

    It stays trusted, unless the text `is_ours` no more than its author's.
    """
    target = Path(os.path.realpath(path))
    read_unparsed(target)  # an unreadable file raises before a lock file is made beside it
    with locked(target):
        document = read_unparsed(target)
        edit = TextEdit(document)
        yield edit
        if edit.text != document.text or not edit.exists:
            with TRUSTED.keeps(path) if is_ours else nullcontext():
                replace_file(document, edit.text)


def write_new(path: Path, text: str, *, overwrite: bool, is_ours: bool = True) -> None:
    """Write a file. Raise InvalidFile if it exists, unless `overwrite`."""
    with rewriting(path, is_ours=is_ours) as edit:
        if edit.exists and not overwrite:
            raise _exists(Place(path))
        edit.text = text


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open a file that exists only after the block has ended without an error."""
    path = path.expanduser()
    target, place = Path(os.path.realpath(path)), Place(path)
    if target.is_dir():
        raise InvalidFile("the path is a folder", "name a file", place)
    if target.exists() and not target.is_file():  # replacing a device would break it for everyone
        raise InvalidFile("not a regular file", "name a file, or a path that does not exist", place)
    with locked(target):
        if target.exists() and not overwrite:
            raise _exists(place)
        with write_atomically(path) as file:
            yield file


def _exists(place: Place) -> InvalidFile:
    return InvalidFile("file already exists", "pass --yes to overwrite it", place)
