"""Paths as people write them: `~` stands for the home folder."""

import os
from pathlib import Path

__all__ = ["expand_user"]


def expand_user(text: str, home: Path | None = None) -> Path:
    """A path with `~` filled in; a `~somebody` who does not exist stays as it is written."""
    if home is not None and (text == "~" or text.startswith(("~/", f"~{os.sep}"))):
        return home / text[2:]
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for the latter
