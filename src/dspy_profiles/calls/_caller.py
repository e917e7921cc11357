"""The line that a call comes from: the innermost one outside of all libraries."""

import sys
import sysconfig
from functools import cache
from pathlib import Path

from dspy_profiles.errors import Place

__all__ = ["calling_line", "is_own"]

_LIBRARIES = tuple(
    {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}
    # Ours may be installed so that it can be edited; the plugins stand beside it.
    | {folder.resolve() for folder in Path(__file__).parents[2].glob("*dspy_prof*")}
)


@cache
def is_own(file: str) -> bool:
    """Whether a file is the program's own: no library's, and no code without a file."""
    if file.startswith("<"):
        return False
    found = Path(file).resolve()
    return not any(found.is_relative_to(folder) for folder in _LIBRARIES)


def calling_line() -> Place | None:
    """The program's line that led here; None on a thread that began in a library."""
    frame = sys._getframe(1)  # noqa: SLF001 - the caller's line is what has to be told
    while frame is not None:
        if is_own(frame.f_code.co_filename):
            return Place(Path(frame.f_code.co_filename), frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None
