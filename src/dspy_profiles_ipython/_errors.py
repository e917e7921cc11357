"""Show errors and warnings without a traceback."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.error import UsageError

from dspy_profiles.errors import ProfileError, ProfileWarning

__all__ = ["CELL", "RECORD", "as_magics", "error_text", "in_one_line", "warned_in_one_line"]

CELL, RECORD = "%%dspy_profile", "%%dspy_record"
# Commands in hints, and the magics that do the same.
MAGICS = {
    "dspy-profiles trace": "%dspy_trace",
    "dspy-profiles results list": "%dspy_results",
    "dspy-profiles run --record": f"{RECORD} NAME",
    'open the block with cassettes="new"': "run the cell with --cassettes new",
}


@contextmanager
def in_one_line() -> Iterator[None]:
    """Convert ProfileError to UsageError, which IPython shows in one line."""
    try:
        with warned_in_one_line():
            yield
    except (ProfileError, UsageError) as error:
        raise UsageError(error_text(error)) from None


@contextmanager
def warned_in_one_line() -> Iterator[None]:
    """Print ProfileWarning in one line, without the line of code that raised it.

    Does not change the filters of warnings, since imports in the block may add some.
    """
    show = warnings.showwarning

    def print_warning(
        message: Warning | str, category: type[Warning], *more: Any, **named: Any
    ) -> None:
        if issubclass(category, ProfileWarning):
            from dspy_profiles.display import visible

            sys.stderr.write(f"dspy: {as_magics(visible(str(message)))}\n")
        else:
            show(message, category, *more, **named)

    warnings.showwarning = print_warning
    try:
        yield
    finally:
        if warnings.showwarning is print_warning:
            warnings.showwarning = show


def error_text(error: Exception) -> str:
    """Return the text of an error, without secrets and control characters."""
    from dspy_profiles.display import visible

    is_plain = isinstance(error, (ProfileError, UsageError))
    return as_magics(visible(str(error) if is_plain else f"{type(error).__name__}: {error}"))


def as_magics(text: str) -> str:
    """Replace commands in a hint by the magics that do the same."""
    for command, magic in MAGICS.items():
        text = text.replace(command, magic)
    return text
