"""Adds up what passes: the outermost stage of a test, or of a session."""

from typing import Any

from dspy_profiles._locks import ProcessLock
from dspy_profiles.calls._stage import Answer, Call, Stage
from dspy_profiles.calls._usage import Usage
from dspy_profiles.errors import ProfileError

__all__ = ["Meter"]

_lock = ProcessLock()


class Meter(Stage):
    """Counts every call that reaches an LM, and keeps what was held back."""

    def __init__(self) -> None:
        self._calls = self._tokens = self._cached = self._replayed = 0
        self._cost: float | None = 0.0
        self.errors: list[ProfileError] = []  # what was held back, also where nobody noticed

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
