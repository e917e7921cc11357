"""A callback more for whatever DSPy context is active, for as long as a block lasts."""

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

from dspy_profiles import dspy_internals
from dspy_profiles.errors import ProfileError

__all__ = ["Joined"]


class Joined:
    """Lays one callback over those that are there, and nothing else; leaving takes it away."""

    def __init__(self, callback: Any) -> None:
        self._callback = callback

    def __enter__(self) -> None:
        variable, config = dspy_internals.block_overrides(), dspy_internals.base_config()
        if variable is None or config is None:
            raise ProfileError(
                "this version of DSPy keeps its settings where nothing can be recorded",
                hint="install dspy>=3.4,<4",
            )
        self._variable: ContextVar[Any] = variable
        self._previous = previous = variable.get()
        there = previous.get("callbacks", config.get("callbacks", ()))
        self._laid = {**previous, "callbacks": [*there, self._callback]}
        self._token: Token[Any] = variable.set(self._laid)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._variable.get() is not self._laid:  # left elsewhere, or before a block inside of it
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
