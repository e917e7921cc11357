"""How a call ended: its status, and its error as text."""

import asyncio

from dspy_profiles.calls import refusal_in
from dspy_profiles.results.recording._json import clean

__all__ = ["LONGEST_ERROR", "error_of", "status_of"]

STOPPED = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)
LONGEST_ERROR = 4000


def status_of(error: BaseException | None) -> str:
    """Return `done`, `failed` or `interrupted`."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "done"
    return "interrupted" if isinstance(error, STOPPED) else "failed"


def error_of(error: BaseException | None) -> str | None:
    """Return the type and message of an error, or None without one."""
    if error is None:
        return None
    refusal = refusal_in(error)
    error = error if refusal is None else refusal.error
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - errors of other packages may raise when they are shown
        message = "(cannot be shown)"
    name = type(error).__name__
    return clean(f"{name}: {message}" if message else name)[:LONGEST_ERROR]
