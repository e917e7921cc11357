"""Files that commands write besides profiles files: replaced whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dspy_profiles.config import Document, locked, read_unparsed, replace_file, write_atomically
from dspy_profiles.errors import InvalidFile, Place

__all__ = ["TextEdit", "new_file", "rewriting", "write_new"]

PATIENCE = 10.0  # seconds that a lock is waited for, as in `editing`


class TextEdit:
    """A file's text as it will be once the block ends."""

    def __init__(self, document: Document) -> None:
        self.text = document.text
        self.path = document.path
        self.exists = document.stamp is not None


@contextmanager
def rewriting(path: Path) -> Iterator[TextEdit]:
    """Read, change and replace a text file under its lock; a new one is for its owner alone."""
    target = Path(os.path.realpath(path))
    read_unparsed(target)  # what cannot be read is refused before a lock is put beside it
    with locked(target, PATIENCE):
        document = read_unparsed(target)
        edit = TextEdit(document)
        yield edit
        if edit.text != document.text or not edit.exists:
            replace_file(document, edit.text)


def write_new(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a file; one that is there is refused, unless it may be overwritten."""
    with rewriting(path) as edit:
        if edit.exists and not overwrite:
            raise _taken(Place(path))
        edit.text = text


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """A file that is there once the block has ended, whole, or not at all."""
    path = path.expanduser()
    target, place = Path(os.path.realpath(path)), Place(path)
    if target.is_dir():
        raise InvalidFile("this is a folder", "name a file", place)
    if target.exists() and not target.is_file():  # to replace a device would take it from everybody
        raise InvalidFile("this is no regular file", "name a file, or one that is not there", place)
    with locked(target, PATIENCE):
        if target.exists() and not overwrite:
            raise _taken(place)
        with write_atomically(path) as file:
            yield file


def _taken(place: Place) -> InvalidFile:
    return InvalidFile("there is such a file already", "--yes overwrites it", place)
