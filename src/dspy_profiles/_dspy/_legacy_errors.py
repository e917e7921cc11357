"""Errors of engines as those that DSPy 3.0 to 3.3 raises: LiteLLM's, or its own made of them."""

from typing import Any

import dspy
import lm15

from dspy_profiles._dspy._names import litellm

__all__ = ["as_of_litellm", "as_of_lm15"]

# Errors of lm15, the special ones first, and LiteLLM's name for the same.
NAMES = (
    ("ContextLengthError", "ContextWindowExceededError"),
    ("RateLimitError", "RateLimitError"),
    ("TimeoutError", "Timeout"),
    ("AuthError", "AuthenticationError"),
    ("BillingError", "PermissionDeniedError"),
    ("UnsupportedModelError", "NotFoundError"),
    ("InvalidRequestError", "BadRequestError"),
    ("ServerError", "InternalServerError"),
    ("TransportError", "APIConnectionError"),
)


def as_of_litellm(error: Exception, lm: Any) -> Exception:
    """Return the error as LiteLLM raises it, or the error itself if it is none of lm15."""
    for name, known in NAMES:
        if isinstance(error, getattr(lm15, name)):
            made = _made(getattr(litellm("an error"), known), str(error), lm.model)
            wrap = getattr(dspy.LM, "_wrap_litellm_exception", None)
            return made if wrap is None else wrap(_Named(lm.model), made)  # DSPy 3.3 has its own
    return error


def as_of_lm15(error: Exception) -> Exception:
    """Return an error of LiteLLM as lm15 has it, or the error itself if it is another one."""
    library = litellm("an error")
    for name, known in NAMES:
        if isinstance(error, getattr(library, known, ())):
            made: Exception = getattr(lm15, name)(
                str(getattr(error, "message", error)), status=getattr(error, "status_code", None)
            )
            return made
    return error


class _Named:
    """What DSPy's conversion of errors reads of an LM."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._provider_name = model.partition("/")[0]


def _made(kind: Any, message: str, model: str) -> Exception:
    import httpx

    said: dict[str, Any] = {"message": message, "llm_provider": "", "model": model}
    try:
        made: Exception = kind(**said)
    except TypeError:  # some need the response
        request = httpx.Request("POST", "http://localhost")
        made = kind(**said, response=httpx.Response(400, request=request))
    return made
