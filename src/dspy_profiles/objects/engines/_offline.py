"""The base class of engines that make no live calls."""

from typing import ClassVar

__all__ = ["OfflineEngine"]


class OfflineEngine:
    """Attributes that the builder and DSPy read from an engine."""

    offline: ClassVar[bool] = True
    answers_any_role: ClassVar[bool] = True
    ignores_client_settings: ClassVar[bool] = True
    # With response schemas off, adapters still describe the format in the prompt, as they do for
    # most models.
    supports_function_calling: ClassVar[bool] = True
    supports_reasoning: ClassVar[bool] = False
    supports_response_schema: ClassVar[bool] = False
    supported_params: ClassVar[frozenset[str]] = frozenset()
