"""Errors as IPython shows them without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError

from dspy_profiles.errors import ProfileError

__all__ = ["as_magics", "in_one_line", "said"]

# Commands that hints name, and the magics that do the same here.
MAGICS = {
    "dspy-profiles trace": "%dspy_trace",
    "dspy-profiles results list": "%dspy_results",
}


@contextmanager
def in_one_line() -> Iterator[None]:
    """Errors of ours leave this as a `UsageError`, which is what magics raise."""
    try:
        yield
    except (ProfileError, UsageError) as error:
        raise UsageError(said(error)) from None


def said(error: Exception) -> str:
    """What an error says, without any secret."""
    from dspy_profiles.redaction import redact

    is_plain = isinstance(error, (ProfileError, UsageError))
    return as_magics(redact(str(error) if is_plain else f"{type(error).__name__}: {error}"))


def as_magics(text: str) -> str:
    """A hint with magics in place of the commands that they stand for."""
    for command, magic in MAGICS.items():
        text = text.replace(command, magic)
    return text
