"""The line that a call comes from: the innermost one that is not in a library."""

import sys
import sysconfig
from functools import cache
from pathlib import Path

from dspy_profiles.errors import Place

__all__ = ["calling_line", "is_own"]

_LIBRARIES = tuple(
    {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}
    # Our own packages may be an editable install, outside of these folders.
    | {folder.resolve() for folder in Path(__file__).parents[2].glob("*dspy_prof*")}
)


@cache
def is_own(file: str) -> bool:
    """Return whether a file is the program's own. Code without a file, as of `-c`, is not."""
    if file.startswith("<"):
        return False
    path = Path(file).resolve()
    return not any(path.is_relative_to(folder) for folder in _LIBRARIES)


def calling_line() -> Place | None:
    """Return the program's line that led here, or None on a thread that a library started."""
    frame = sys._getframe(1)  # noqa: SLF001 - frames have no public way in that is as fast
    while frame is not None:
        if is_own(frame.f_code.co_filename):
            return Place(Path(frame.f_code.co_filename), frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None
