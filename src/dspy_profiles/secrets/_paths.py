"""Expand `~` in paths."""

import os
from pathlib import Path

__all__ = ["expand_user"]


def expand_user(text: str, home: Path | None = None) -> Path:
    """Return the path with `~` expanded; `~name` stays if there is no such user."""
    if home is not None and (text == "~" or text.startswith(("~/", f"~{os.sep}"))):
        return home / text[2:]
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for the latter
