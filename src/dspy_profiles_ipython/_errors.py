"""Errors and warnings as IPython shows them without a traceback."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.error import UsageError

from dspy_profiles.errors import ProfileError, ProfileWarning

__all__ = ["CELL", "RECORD", "as_magics", "in_one_line", "said", "warned_in_one_line"]

CELL, RECORD = "%%dspy_profile", "%%dspy_record"
# What hints name, and what does the same here.
MAGICS = {
    "dspy-profiles trace": "%dspy_trace",
    "dspy-profiles results list": "%dspy_results",
    "dspy-profiles run --record": f"{RECORD} NAME",
    'open the block with cassettes="new"': "run the cell with --cassettes new",
}


@contextmanager
def in_one_line() -> Iterator[None]:
    """Errors of ours leave this as a `UsageError`, which is what magics raise."""
    try:
        with warned_in_one_line():
            yield
    except (ProfileError, UsageError) as error:
        raise UsageError(said(error)) from None


@contextmanager
def warned_in_one_line() -> Iterator[None]:
    """Warnings of ours are said as errors are, without the line of ours that they came from.

    Filters stay as they are: what is imported meanwhile may add some of its own.
    """
    show = warnings.showwarning

    def say(message: Warning | str, category: type[Warning], *more: Any, **named: Any) -> None:
        if issubclass(category, ProfileWarning):
            from dspy_profiles.secrets import redact

            sys.stderr.write(f"dspy: {as_magics(redact(str(message)))}\n")
        else:
            show(message, category, *more, **named)

    warnings.showwarning = say
    try:
        yield
    finally:
        if warnings.showwarning is say:
            warnings.showwarning = show


def said(error: Exception) -> str:
    """What an error says, without any secret."""
    from dspy_profiles.secrets import redact

    is_plain = isinstance(error, (ProfileError, UsageError))
    return as_magics(redact(str(error) if is_plain else f"{type(error).__name__}: {error}"))


def as_magics(text: str) -> str:
    """A hint with magics in place of the commands that they stand for."""
    for command, magic in MAGICS.items():
        text = text.replace(command, magic)
    return text
