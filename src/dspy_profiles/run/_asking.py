"""Ask a person on a terminal whether the files of a project may act."""

import os
import sys

from dspy_profiles.config import TRUSTED, deeds_in, find_locations, shown, untrusted_files
from dspy_profiles.display import visible
from dspy_profiles.errors import Place, Untrusted
from dspy_profiles.secrets import redact

__all__ = ["is_allowed"]

YES = ("y", "yes")


def is_allowed(error: Untrusted) -> bool:
    """Show what was refused, and ask whether to trust it from now on. No without a terminal."""
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stderr)):
        return False
    files = untrusted_files(find_locations())
    if isinstance(error.where, Place) and error.where.file not in files:
        files.append(error.where.file)
    lines = [f"dspy-profiles: {error.message}", f"  at {error.where}"]
    for file in files:
        lines.append(f"{file}:")
        lines += [f"  {deed[1]} = {shown(deed)}" for deed in deeds_in(file)]
    for line in lines:
        sys.stderr.write(f"{visible(redact(line))}\n")
    sys.stderr.write("Trust this from now on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in YES:
        return False
    TRUSTED.add(files)
    return True


def _is_terminal(stream: object) -> bool:
    return stream is not None and os.isatty(getattr(stream, "fileno", lambda: -1)())
