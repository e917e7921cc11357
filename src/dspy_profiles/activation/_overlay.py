"""Overlays of DSPy's settings, for as long as a block lasts."""

from collections.abc import Iterable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

__all__ = ["CallbackOverlay", "Overlay", "combined"]


class Overlay:
    """A table of overrides in place of the one before, and the way back."""

    __slots__ = ("_previous", "_table", "_token", "_variable")

    def __init__(
        self, variable: ContextVar[Any], previous: dict[str, Any], table: dict[str, Any]
    ) -> None:
        self._variable = variable
        self._previous = previous
        self._table = table
        self._token: Token[Any] = variable.set(table)

    def is_here(self) -> bool:
        """Return whether this is the innermost overlay of the running thread or task."""
        return self._variable.get() is self._table

    def remove(self) -> None:
        """Restore the table before, whatever has happened in between."""
        if self._variable.get() is not self._table:
            # Left elsewhere, or before an overlay inside of it: others may still use this table.
            self._disarm()
            return
        try:
            self._variable.reset(self._token)
        except ValueError:  # left in a copy of the context that it was entered in
            self._variable.set(self._previous)
            self._disarm()

    def _disarm(self) -> None:
        """Restore the values in place: other contexts may still hold this table."""
        self._table.clear()
        self._table.update(self._previous)


class CallbackOverlay:
    """One more callback for whatever DSPy context is active, for as long as a block lasts."""

    def __init__(self, callback: Any) -> None:
        self._callback = callback

    def __enter__(self) -> None:
        from dspy_profiles import _dspy  # imports DSPy

        variable, config = _dspy.block_overrides(), _dspy.base_config()
        if variable is None or config is None:
            raise _dspy.unfit("keeps its settings where nothing can be recorded")
        previous = variable.get()
        before = previous.get("callbacks", config.get("callbacks", ()))
        callbacks = [*before, self._callback]
        self._overlay = Overlay(variable, previous, {**previous, "callbacks": callbacks})

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._overlay.remove()


def combined(first: Iterable[Any], more: Iterable[Any]) -> list[Any]:
    """Return both lists of callbacks as one, in which each of them stands once."""
    callbacks = list(first)
    return callbacks + [callback for callback in more if callback not in callbacks]
