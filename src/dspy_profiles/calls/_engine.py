"""A proxy of an engine: each of its calls passes the stages."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from dspy_profiles.calls import _drivers
from dspy_profiles.calls._pipeline import StagedCall
from dspy_profiles.calls._stage import Call, Stage
from dspy_profiles.calls._stream import buffer_stream, is_read

__all__ = ["AsyncEngineProxy", "EngineProxy", "within"]

# The LMs whose own `forward` is running: what it calls in turn is the same call.
_within: ContextVar[frozenset[int]] = ContextVar("dspy_profiles_within", default=frozenset())


def within(lm: object) -> bool:
    """Return whether a call of this LM is running here, and has passed the stages."""
    return id(lm) in _within.get()


@contextmanager
def _sent(lm: object, call: Call) -> Iterator[None]:
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

    _call = staticmethod(_drivers.call)
    _stream: Any = staticmethod(_drivers.stream)

    def __init__(self, engine: Any, call: Call, stages: Sequence[Stage]) -> None:
        self._engine = engine
        self._template = call
        self._stages = stages
        self.attempts: list[StagedCall] = []  # DSPy went on with the last one

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def complete(self, request: Any) -> Any:
        return self._call(self._attempt(request), lambda: self._engine.complete(request))

    def complete_legacy(self, lm: Any, request: Any, **context: Any) -> Any:
        staged = self._attempt(None, request, streamed=is_read())
        return self._call(
            staged,
            lambda: self._engine.complete_legacy(lm, request, **context),
            _sent(lm, staged.call),
        )

    def stream(self, request: Any) -> Any:
        staged = self._attempt(request, streamed=True)
        return self._stream(staged, lambda: self._engine.stream(request))

    def _attempt(self, request: Any, legacy: Any = None, *, streamed: bool = False) -> StagedCall:
        call = replace(self._template, request=request, legacy=legacy or {}, streamed=streamed)
        staged = StagedCall(call, self._stages)
        self.attempts.append(staged)
        return staged


class AsyncEngineProxy(EngineProxy):
    """Engine of asynchronous calls."""

    _call = staticmethod(_drivers.acall)
    _stream = staticmethod(_drivers.astream)
