"""Values and places as people read them."""

import json
import os
from pathlib import Path

from dspy_profiles.errors import Place
from dspy_profiles.secrets import MASK, Secret

__all__ = ["on_path", "show_place", "show_value", "word"]


def show_value(value: object) -> str:
    """Return a value as text: strings as they are, lists and tables as JSON, secrets masked."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def word(text: object) -> str:
    """Return a name or a path as one word of a shell command."""
    import shlex  # only for hints

    return shlex.quote(str(text))


def show_place(where: Place | str) -> str:
    """Return a place with its path as short as possible."""
    if isinstance(where, str):
        return where
    line = "" if where.line is None else f":{where.line}"
    return f"{on_path(where.file)}{line}"


def on_path(path: Path) -> str:
    """Return a path relative to the working directory or the home folder, else in full."""
    for start, mark in ((Path.cwd(), ""), (Path(os.path.expanduser("~")), "~/")):  # noqa: PTH111
        # From the root every path would lose its slash, and look like one from elsewhere.
        if path.is_relative_to(start) and start not in (path, start.parent):
            return f"{mark}{path.relative_to(start)}"
    return str(path)
