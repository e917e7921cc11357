"""Errors as IPython shows them without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError

from dspy_profiles.errors import ProfileError

__all__ = ["in_one_line", "said"]


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
    return redact(str(error) if is_plain else f"{type(error).__name__}: {error}")
