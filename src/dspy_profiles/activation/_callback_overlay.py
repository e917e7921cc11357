"""A callback more for whatever DSPy context is active, for as long as a block lasts."""

from types import TracebackType
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles.activation._overlay import Overlay

__all__ = ["CallbackOverlay"]


class CallbackOverlay:
    """Lays one callback over those that are there, and nothing else; leaving takes it away."""

    def __init__(self, callback: Any) -> None:
        self._callback = callback

    def __enter__(self) -> None:
        variable, config = _dspy.block_overrides(), _dspy.base_config()
        if variable is None or config is None:
            raise _dspy.unfit("keeps its settings where nothing can be recorded")
        previous = variable.get()
        there = previous.get("callbacks", config.get("callbacks", ()))
        self._laid = Overlay(
            variable, previous, {**previous, "callbacks": [*there, self._callback]}
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._laid.take_away()
