"""Words of texts: searching is by whole words, ignoring case, alike in all stores."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dspy_profiles.display import SPACELESS

__all__ = ["texts_in", "words"]

WORD = re.compile(rf"[{SPACELESS}]|(?:(?![{SPACELESS}])[^\W_])+")


def words(text: str) -> set[str]:
    """Return the words of a text, in the form in which they are compared."""
    return {word.casefold() for word in WORD.findall(text)}


def texts_in(value: Any) -> Iterator[str]:
    """Yield every string in JSON data, except keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)
