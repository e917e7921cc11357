"""How values and places are written for people: on a terminal, in a notebook, in a report."""

import json
import os
from pathlib import Path

from dspy_profiles.errors import Place
from dspy_profiles.secrets import MASK, Secret

__all__ = ["on_path", "show_place", "show_value", "word"]


def show_value(value: object) -> str:
    """A value as people read it: text as it is, lists and tables as JSON, secrets masked."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def word(text: object) -> str:
    """A name or a path as one word of a command, for a shell."""
    import shlex  # only for hints

    return shlex.quote(str(text))


def show_place(where: Place | str) -> str:
    """A place as it is short from here."""
    if isinstance(where, str):
        return where
    line = "" if where.line is None else f":{where.line}"
    return f"{on_path(where.file)}{line}"


def on_path(path: Path) -> str:
    """A path from the working directory, or from the home folder, or in full."""
    for start, mark in ((Path.cwd(), ""), (Path(os.path.expanduser("~")), "~/")):  # noqa: PTH111
        # From the root every path would lose its slash, and look like one from elsewhere.
        if path.is_relative_to(start) and start not in (path, start.parent):
            return f"{mark}{path.relative_to(start)}"
    return str(path)
