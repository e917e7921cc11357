"""Where in an ini file a key of ours stands, for errors about its value."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dspy_profiles.errors import Place, ProfileError
from pytest_dspy_profiles._options import OPTIONS

__all__ = ["blaming"]

KEYS = frozenset(option.ini for option in OPTIONS)


@contextmanager
def blaming(config: pytest.Config, origin: str = "") -> Iterator[None]:
    """An error in here that has no place of its own is told with that of the key behind it.

    `origin` is who gave the value that is used in here; an error may name the key as its place.
    """
    try:
        yield
    except ProfileError as error:
        key = origin if error.where is None else str(error.where)
        if key not in KEYS:
            raise
        raise type(error)(error.message, error.hint, _place_of(key, config)) from None


def _place_of(key: str, config: pytest.Config) -> Place | str:
    if any(each.startswith(f"{key}=") for each in config.getoption("override_ini") or ()):
        return f"-o {key}"
    if config.inipath is None:
        return key
    lines = config.inipath.read_text("utf-8", "replace").splitlines()
    is_key = re.compile(rf"\s*{key}\s*[=:]")
    return Place(config.inipath, next((n for n, s in enumerate(lines, 1) if is_key.match(s)), None))
