"""The arguments of the mock, checked when it is created."""

import math
from dataclasses import dataclass, fields
from typing import Any

from pydantic_core import to_jsonable_python

from dspy_profiles import _dspy
from dspy_profiles.errors import InvalidProfile, did_you_mean
from dspy_profiles.objects.engines.mock._text import Draw

__all__ = ["MockSettings"]

LM15 = _dspy.shape().lm15
# Each kind of failure, and the status that a provider would send with it. DSPy turns each into
# its own error of the same meaning.
_FAILURES: dict[str, tuple[Any, int | None]] = {
    "server": (LM15.ServerError, 500),
    "rate_limit": (LM15.RateLimitError, 429),
    "timeout": (LM15.TimeoutError, 408),
    "auth": (LM15.AuthError, 401),
    "connection": (LM15.TransportError, None),
    "invalid_request": (LM15.InvalidRequestError, 400),
    "context_length": (LM15.ContextLengthError, 400),
    "billing": (LM15.BillingError, 402),
    "unsupported_model": (LM15.UnsupportedModelError, 404),
}


@dataclass(frozen=True, slots=True)
class MockSettings:
    """The arguments of the mock. Raises InvalidProfile if one is not valid."""

    answers: Any = None
    latency: float = 0.0
    failure_rate: float = 0.0
    failure: str = "server"
    input_tokens: int | None = None
    output_tokens: int | None = None
    seed: int | str = 0

    def __post_init__(self) -> None:
        _check("latency", self.latency, math.inf, "seconds, 0 or more")
        _check("failure_rate", self.failure_rate, 1, "the share of calls that fail, from 0 to 1")
        for name in ("input_tokens", "output_tokens"):
            if (tokens := getattr(self, name)) is not None:
                _check(name, tokens, math.inf, "a whole number, 0 or more", int)
        if not isinstance(self.seed, int | str):
            raise InvalidProfile(
                f"invalid seed of the mock: {self.seed!r}", hint="write an integer or a string"
            )
        if str(self.failure) not in _FAILURES:
            near = did_you_mean(str(self.failure), _FAILURES)
            raise InvalidProfile(
                f"unknown failure of the mock: {self.failure!r}",
                hint=near or f"failures: {', '.join(sorted(_FAILURES))}",
            )

    def error(self, number: int) -> Exception | None:
        """Return the error of the call of this number, or None; the same calls fail every time."""
        if Draw(f"{self.seed}|failure").child(number).fraction() >= self.failure_rate:
            return None
        made, status = _FAILURES[self.failure]
        # DSPy retries without waiting, so that tests of retries are quick.
        failed: Exception = made(
            f"the mock failed on purpose (failure = {self.failure!r}, "
            f"failure_rate = {self.failure_rate:g})",
            status=status,
            retry_after=0.0,
        )
        return failed

    def dumped(self) -> dict[str, Any]:
        """Return non-default arguments as JSON data; other values become strings."""
        values = ((f.name, getattr(self, f.name), f.default) for f in fields(self))
        options = {name: value for name, value, default in values if value != default}
        state: dict[str, Any] = to_jsonable_python(options, fallback=str)
        return state


def _check(name: str, value: Any, most: float, meaning: str, kind: Any = int | float) -> None:
    proper = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    if not (proper and 0 <= value <= most):
        raise InvalidProfile(f"invalid {name} of the mock: {value!r}", hint=f"{name} is {meaning}")
