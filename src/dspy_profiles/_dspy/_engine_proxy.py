"""A proxy of an engine: each of its calls passes the stages."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from dspy_profiles._dspy._call import Attempt, Call, Route
from dspy_profiles._dspy._stream import buffer_stream, is_read

__all__ = ["AsyncEngineProxy", "EngineProxy", "sent", "within"]

# The LMs whose own `forward` is running: what it calls in turn is the same call.
_within: ContextVar[frozenset[int]] = ContextVar("dspy_profiles_within", default=frozenset())


def within(lm: object) -> bool:
    """Return whether a call of this LM is running here, and has passed the stages."""
    return id(lm) in _within.get()


@contextmanager
def sent(lm: object, call: Call) -> Iterator[None]:
    """Hold while an engine runs that gets the LM instead of a request."""
    token = _within.set(_within.get() | {id(lm)})
    try:
        with buffer_stream(call):
            yield
    finally:
        _within.reset(token)


class EngineProxy:
    """Engine of synchronous calls. All but the calls is the engine's own.

    Its methods are looked up when the call is made: a stage can answer for one that is missing.
    """

    def __init__(self, engine: Any, call: Call, stages: Sequence[Any], route: Route) -> None:
        self._engine = engine
        self._template = call
        self._stages = stages
        self._route = route
        self._call, self._stream = self._drivers(route)
        self.attempts: list[Attempt] = []  # DSPy went on with the last one

    @staticmethod
    def _drivers(route: Route) -> tuple[Any, Any]:
        return route.call, route.stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def complete(self, request: Any) -> Any:
        return self._call(self._attempt(request), lambda: self._engine.complete(request))

    def complete_legacy(self, lm: Any, request: Any, **context: Any) -> Any:
        attempt = self._attempt(None, request, streamed=is_read())
        return self._call(
            attempt,
            lambda: self._engine.complete_legacy(lm, request, **context),
            sent(lm, attempt.call),
        )

    def stream(self, request: Any) -> Any:
        attempt = self._attempt(request, streamed=True)
        return self._stream(attempt, lambda: self._engine.stream(request))

    def _attempt(self, request: Any, legacy: Any = None, *, streamed: bool = False) -> Attempt:
        call = replace(self._template, request=request, legacy=legacy or {}, streamed=streamed)
        attempt: Attempt = self._route.attempt(call, self._stages)
        self.attempts.append(attempt)
        return attempt


class AsyncEngineProxy(EngineProxy):
    """Engine of asynchronous calls."""

    @staticmethod
    def _drivers(route: Route) -> tuple[Any, Any]:
        return route.acall, route.astream
