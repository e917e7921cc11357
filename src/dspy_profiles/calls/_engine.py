"""Stands in for an engine, and leads each call through the stages."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import dspy

from dspy_profiles import _dspy
from dspy_profiles.calls._held import BrokenOff
from dspy_profiles.calls._pipeline import StagedCall, result_of
from dspy_profiles.calls._stage import Answer, Call, Stage
from dspy_profiles.calls._stream import asend_on, buffer_stream, is_read, replay_to_stream

__all__ = ["AsyncEngineProxy", "EngineProxy", "within"]

# The LMs whose own `forward` is running: what it calls in turn is the same call.
_within: ContextVar[frozenset[int]] = ContextVar("dspy_profiles_within", default=frozenset())


def within(lm: object) -> bool:
    """Whether a call of this LM is under way here, and has been through the stages."""
    return id(lm) in _within.get()


@contextmanager
def _entered(lm: object) -> Iterator[None]:
    token = _within.set(_within.get() | {id(lm)})
    try:
        yield
    finally:
        _within.reset(token)


class _Proxy:
    """What both sides share. Anything but the calls is the engine's own business."""

    def __init__(self, engine: Any, call: Call, stages: Sequence[Stage]) -> None:
        self._engine = engine
        self._call = call
        self._stages = stages
        self.ways: list[
            StagedCall
        ] = []  # each attempt's, the last one the one that DSPy went on with

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def _way(self, request: Any, legacy: Any = None, *, streamed: bool = False) -> StagedCall:
        call = self._call
        attempt = replace(call, request=request, legacy=legacy or {}, streamed=streamed)
        way = StagedCall(attempt, self._stages)
        self.ways.append(way)
        return way

    def _answer(self, result: Any) -> Answer:
        return Answer(result, usage=_usage(result, self._call.provider))

    def _sent(self, way: StagedCall, result: Any) -> Answer:
        events = way.call.events if way.call.whole and way.call.streamed else None
        return replace(self._answer(result), events=events)

    def _streamed(self, events: list[Any]) -> Answer:
        end = next((event for event in reversed(events) if _is_end(event)), None)
        return Answer(events=events, usage=_usage(end, self._call.provider))

    def _whole(self, way: StagedCall, events: list[Any], error: Exception | None) -> Answer:
        """All of a stream at once, and the error that it ended in, if it did."""
        if any(map(_is_end, events)):
            answer = way.told(self._streamed(events))
            answer.error = error
            return answer
        way.call.events = events
        instead = way.ended(error or BrokenOff())
        if isinstance(instead, Exception):
            error = None if isinstance(instead, BrokenOff) else instead
        return Answer(events=way.call.events, error=error)


class EngineProxy(_Proxy):
    """For synchronous calls."""

    def complete(self, request: Any) -> Any:
        return self._way(request).make(lambda: self._engine.complete(request), self._answer)

    def complete_legacy(self, lm: Any, request: Any, **context: Any) -> Any:
        way = self._way(None, request, streamed=is_read())

        def send() -> Any:
            with _entered(lm), buffer_stream(way.call):
                return self._engine.complete_legacy(lm, request, **context)

        try:
            return way.make(send, lambda result: self._sent(way, result))
        finally:
            replay_to_stream(way.events)

    def stream(self, request: Any) -> Iterator[Any]:
        way = self._way(request, streamed=True)
        given = way.ask()
        if given is None and way.call.whole:
            given = self._gathered(way, request)
        if given is not None:
            yield from given.events or ()
            result_of(given)
            return
        events: list[Any] = []
        source: Any = ()
        try:
            source = self._engine.stream(request)
            for event in source:
                events.append(event)
                if _is_end(event):  # before DSPy stops to read
                    way.told(self._streamed(events))
                yield event
            way.ended(BrokenOff())
        except BaseException as error:
            way.fail(error)
            raise
        finally:
            if hasattr(source, "close"):
                source.close()

    def _gathered(self, way: StagedCall, request: Any) -> Answer:
        events: list[Any] = []
        failed: Exception | None = None
        source: Any = ()
        try:
            source = self._engine.stream(request)
            for event in source:
                events.append(event)  # noqa: PERF402 - those before an error count
        except Exception as error:  # noqa: BLE001 - raised when its events have gone on
            failed = error
        except BaseException as error:
            way.fail(error)
            raise
        finally:
            if hasattr(source, "close"):
                source.close()
        return self._whole(way, events, failed)


class AsyncEngineProxy(_Proxy):
    """For asynchronous calls."""

    async def complete(self, request: Any) -> Any:
        return await self._way(request).amake(lambda: self._engine.complete(request), self._answer)

    async def complete_legacy(self, lm: Any, request: Any, **context: Any) -> Any:
        way = self._way(None, request, streamed=is_read())

        async def send() -> Any:
            with _entered(lm), buffer_stream(way.call):
                return await self._engine.complete_legacy(lm, request, **context)

        try:
            return await way.amake(send, lambda result: self._sent(way, result))
        finally:
            await asend_on(way.events)

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        way = self._way(request, streamed=True)
        given = way.ask()
        if given is None and way.call.whole:
            given = await self._gathered(way, request)
        if given is not None:
            for event in given.events or ():
                yield event
            result_of(given)
            return
        events: list[Any] = []
        source: Any = ()
        try:
            source = self._engine.stream(request)
            async for event in source:
                events.append(event)
                if _is_end(event):
                    way.told(self._streamed(events))
                yield event
            way.ended(BrokenOff())
        except BaseException as error:
            way.fail(error)
            raise
        finally:
            if hasattr(source, "aclose"):
                await source.aclose()

    async def _gathered(self, way: StagedCall, request: Any) -> Answer:
        events: list[Any] = []
        failed: Exception | None = None
        source: Any = ()
        try:
            source = self._engine.stream(request)
            async for event in source:
                events.append(event)  # noqa: PERF401 - those before an error count
        except Exception as error:  # noqa: BLE001 - raised when its events have gone on
            failed = error
        except BaseException as error:
            way.fail(error)
            raise
        finally:
            if hasattr(source, "aclose"):
                await source.aclose()
        return self._whole(way, events, failed)


def _usage(result: Any, provider: str | None) -> Any:
    """The tokens of a response, of a stream's last event, or of a result that has counted."""
    usage = getattr(result, "usage", None)
    if isinstance(usage, dspy.lm15.Usage):
        return _dspy.usage_of(result, provider)
    return usage if isinstance(usage, dict) else {}  # DSPy says itself what is no response


def _is_end(event: Any) -> bool:
    return getattr(event, "type", None) == "end"
