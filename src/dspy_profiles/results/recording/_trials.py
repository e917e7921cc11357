"""The trial that calls belong to which no other call encloses."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Trials"]

# For each recorder, the trial that this thread or task is working on.
_OF_CONTEXT: ContextVar[Mapping["Trials", str | None] | None] = ContextVar(
    "dspy_profiles_trial", default=None
)


class Trials:
    """The current trial of a recorder: of a thread or task, otherwise of the process."""

    def __init__(self) -> None:
        self.of_process: str | None = None

    def current(self) -> str | None:
        """Return the id of the trial that is worked on, or None."""
        of_context = _OF_CONTEXT.get()
        if of_context is not None and self in of_context:
            return of_context[self]
        return self.of_process

    @contextmanager
    def within(self, trial: str | None) -> Iterator[None]:
        """Let the calls of this thread or task belong to a trial. None: to trials of their own."""
        token = _OF_CONTEXT.set({**(_OF_CONTEXT.get() or {}), self: trial})
        try:
            yield
        finally:
            _OF_CONTEXT.reset(token)
