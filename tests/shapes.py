"""What tests need of DSPy, whichever version is installed."""

from typing import Any

import dspy

from dspy_profiles import _dspy

__all__ = ["engine_lm", "lm15", "lm_error"]

lm15 = _dspy.shape().lm15


def engine_lm(model: str, engine: Any, async_engine: Any = None, **more: Any) -> Any:
    """An LM that an engine serves."""
    kind, arguments = _dspy.shape().lm_class(engine, async_engine)
    return kind(model, **arguments, **more)


# What LiteLLM calls DSPy's errors, for a DSPy that has none of its own.
OF_LITELLM = {
    "ContextWindowExceededError": "ContextWindowExceededError",
    "LMAuthError": "AuthenticationError",
    "LMBillingError": "PermissionDeniedError",
    "LMInvalidRequestError": "BadRequestError",
    "LMRateLimitError": "RateLimitError",
    "LMServerError": "InternalServerError",
    "LMTimeoutError": "Timeout",
    "LMTransportError": "APIConnectionError",
    "LMUnsupportedModelError": "NotFoundError",
}


def lm_error(name: str) -> Any:
    """The class of an error of DSPy, or what this DSPy raises in its place."""
    if hasattr(dspy, name):
        return getattr(dspy, name)
    import litellm

    return getattr(litellm, OF_LITELLM[name]) if name in OF_LITELLM else Exception
