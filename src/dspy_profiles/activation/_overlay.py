"""Overrides that are laid over DSPy's for as long as a block lasts."""

from collections.abc import Iterable
from contextvars import ContextVar, Token
from typing import Any

__all__ = ["Overlay", "added_up"]


class Overlay:
    """A table of overrides in the place of the one before, and the way back."""

    __slots__ = ("_laid", "_previous", "_token", "_variable")

    def __init__(
        self, variable: ContextVar[Any], previous: dict[str, Any], laid: dict[str, Any]
    ) -> None:
        self._variable = variable
        self._previous = previous
        self._laid = laid
        self._token: Token[Any] = variable.set(laid)

    def is_here(self) -> bool:
        """Whether this is the innermost block of the running thread or task."""
        return self._variable.get() is self._laid

    def take_away(self) -> None:
        """Put back what was there, whatever has happened in between."""
        if self._variable.get() is not self._laid:
            # Left elsewhere, or before a block inside of it: whoever comes back finds nothing.
            self._disarm()
            return
        try:
            self._variable.reset(self._token)
        except ValueError:  # left in a copy of the context that it was entered in
            self._variable.set(self._previous)
            self._disarm()

    def _disarm(self) -> None:
        self._laid.clear()
        self._laid.update(self._previous)


def added_up(there: Iterable[Any], ours: Iterable[Any]) -> list[Any]:
    """Callbacks add up, and none is called twice."""
    there = list(there)
    return there + [callback for callback in ours if callback not in there]
