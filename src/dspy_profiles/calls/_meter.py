"""Sums over calls: the outermost stage of a test, a run or a session."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dspy_profiles._dspy import Call
from dspy_profiles._locks import ProcessLock
from dspy_profiles.calls._stage import Answer, Stage
from dspy_profiles.errors import ProfileError

__all__ = ["Meter", "Usage", "total"]


@dataclass(frozen=True)
class Usage:
    """Calls, tokens and cost. Replayed and cached responses are counted apart, and cost nothing.

    `cost` is None if the price of a call is unknown. Unknown is not zero.
    """

    calls: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    cached: int = 0
    replayed: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        known = self.cost is not None and other.cost is not None
        return Usage(
            self.calls + other.calls,
            self.tokens + other.tokens,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
            self.cached + other.cached,
            self.replayed + other.replayed,
        )

    def __bool__(self) -> bool:
        """Return whether an LM was called at all, by a live call or not."""
        return bool(self.calls or self.cached or self.replayed)


def total(usages: Iterable[Usage]) -> Usage:
    return sum(usages, Usage())


_lock = ProcessLock()


class Meter(Stage):
    """Counts every call of an LM, and keeps the errors of blocked calls."""

    def __init__(self) -> None:
        self._calls = self._tokens = self._cached = self._replayed = 0
        self._cost: float | None = 0.0
        self.errors: list[ProfileError] = []  # also those that the program caught

    @property
    def so_far(self) -> Usage:
        with _lock:
            return Usage(self._calls, self._tokens, self._cost, self._cached, self._replayed)

    def after(self, call: Call, answer: Answer) -> None:
        if call.kind != "lm":
            return
        with _lock:
            if call.replayed:
                self._replayed += 1
                return
            self._calls += 1
            self._tokens += answer.tokens

    def failed(self, call: Call, error: BaseException) -> None:
        if call.kind == "lm":
            with _lock:
                self._calls += 1

    def held(self, call: Call, error: ProfileError) -> None:
        self.errors.append(error)

    def priced(self, call: Call, cost: float | None) -> None:
        if call.offline or call.replayed:
            return
        with _lock:
            known = cost is not None and self._cost is not None
            self._cost = (self._cost or 0.0) + (cost or 0.0) if known else None

    def cached(self, lm: Any) -> None:
        with _lock:
            self._cached += 1
