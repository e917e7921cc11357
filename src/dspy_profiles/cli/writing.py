"""Text files that commands write beside profiles files: replaced whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dspy_profiles.document import Document, _load
from dspy_profiles.errors import InvalidFile, Place
from dspy_profiles.replacing import locked, replace_file

__all__ = ["TextEdit", "rewriting", "write_new"]

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
    _load(target)  # what cannot be read is refused before a lock is put beside it
    with locked(target, PATIENCE):
        document = _load(target)
        edit = TextEdit(document)
        yield edit
        if edit.text != document.text or not edit.exists:
            replace_file(document, edit.text)


def write_new(path: Path, text: str, *, overwrite: bool, hint: str) -> None:
    """Write a file; one that is there is refused, unless it may be overwritten."""
    with rewriting(path) as edit:
        if edit.exists and not overwrite:
            raise InvalidFile("there is such a file already", hint, Place(path))
        edit.text = text
