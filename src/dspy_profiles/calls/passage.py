"""Stands in for an engine, and leads each call through the stages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import dspy

from dspy_profiles import dspy_internals
from dspy_profiles.calls.callers import caller
from dspy_profiles.calls.held import BrokenOff, Held
from dspy_profiles.calls.stage import Answer, Call, Stage

__all__ = ["AsyncPassage", "Passage", "Way", "within"]

# The LMs whose own `forward` is running: what it calls in turn is the same call.
_within: ContextVar[frozenset[int]] = ContextVar("dspy_profiles_within", default=frozenset())


def within(lm: object) -> bool:
    """Whether a call of this LM is under way here, and has been through the stages."""
    return id(lm) in _within.get()


class Way:
    """One call's way through the stages: those that were asked hear how it ended."""

    def __init__(self, call: Call, stages: Sequence[Stage]) -> None:
        self.call = call
        self._stages = stages
        self._asked: list[Stage] = []
        self._over = False

    def make(self, send: Callable[[], Any], of: Callable[[Any], Answer] = Answer) -> Any:
        """The result of the call, or what a stage has in its place."""
        if (given := self.ask()) is not None:
            return _result(given)
        try:
            result = send()
        except BaseException as error:
            if (instead := self.ended(error)) is not error:
                raise instead from None
            raise
        return self.told(of(result)).result

    async def amake(
        self, send: Callable[[], Awaitable[Any]], of: Callable[[Any], Answer] = Answer
    ) -> Any:
        """The same, where the call is awaited."""
        if (given := self.ask()) is not None:
            return _result(given)
        try:
            result = await send()
        except BaseException as error:
            if (instead := self.ended(error)) is not error:
                raise instead from None
            raise
        return self.told(of(result)).result

    def ask(self) -> Answer | None:
        """Ask each stage in turn; the first that answers ends it."""
        for stage in self._stages:
            try:
                answer = stage.before(self.call)
            except Held as held:
                self._held_back(held, stage)
                raise
            if answer is not None:
                self.call.replayed = True
                self.told(answer)
                return answer
            self._asked.append(stage)
        return None

    def told(self, answer: Answer) -> Answer:
        """The answer, with what the stages have put in it."""
        if self._is_first_end():
            for stage in reversed(self._asked):
                stage.after(self.call, answer)
        return answer

    def ended(self, error: BaseException) -> BaseException:
        """The error, or what a stage wants raised in its place."""
        if self._is_first_end():
            for stage in reversed(self._asked):
                error = stage.failed(self.call, error) or error
        return error

    def _is_first_end(self) -> bool:
        # A stream may fail when all of it has been read; the call has been answered all the same.
        over, self._over = self._over, True
        return not over

    def priced(self, cost: float | None) -> None:
        """Said once, when DSPy has finished the call; all hear of it before one holds it up."""
        refused: Held | None = None
        for stage in reversed(self._asked):
            try:
                stage.priced(self.call, cost)
            except Held as held:
                refused = held
        if refused is not None:
            self._held_back(refused)
            raise refused

    def _held_back(self, held: Held, *by: Stage) -> None:
        if held.error.where is None:
            held.error.where = caller()
        for each in (*self._asked, *by):
            each.held(self.call, held.error)


class _Passage:
    """What both sides share. Anything but the calls is the engine's own business."""

    def __init__(self, engine: Any, call: Call, stages: Sequence[Stage]) -> None:
        self._engine = engine
        self._call = call
        self._stages = stages
        self.ways: list[Way] = []  # each attempt's, the last one the one that DSPy went on with

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def _way(self, request: Any, legacy: Any = None, *, streamed: bool = False) -> Way:
        call = self._call
        attempt = replace(call, request=request, legacy=legacy or {}, streamed=streamed)
        way = Way(attempt, self._stages)
        self.ways.append(way)
        return way

    def _answer(self, result: Any) -> Answer:
        return Answer(result, usage=_usage(result, self._call.provider))

    def _streamed(self, events: list[Any]) -> Answer:
        end = next((event for event in reversed(events) if _is_end(event)), None)
        return Answer(events=events, usage=_usage(end, self._call.provider))

    def _whole(self, way: Way, events: list[Any], error: Exception | None) -> Answer:
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


class Passage(_Passage):
    """For synchronous calls."""

    def complete(self, request: Any) -> Any:
        return self._way(request).make(lambda: self._engine.complete(request), self._answer)

    def complete_legacy(self, lm: Any, request: Any, **context: Any) -> Any:
        def send() -> Any:
            token = _within.set(_within.get() | {id(lm)})
            try:
                return self._engine.complete_legacy(lm, request, **context)
            finally:
                _within.reset(token)

        return self._way(None, request).make(send, self._answer)

    def stream(self, request: Any) -> Iterator[Any]:
        way = self._way(request, streamed=True)
        given = way.ask()
        if given is None and way.call.whole:
            given = self._gathered(way, request)
        if given is not None:
            yield from given.events or ()
            _result(given)
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
            if (instead := way.ended(error)) is not error:
                raise instead from None
            raise
        finally:
            if hasattr(source, "close"):
                source.close()

    def _gathered(self, way: Way, request: Any) -> Answer:
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
            way.ended(error)
            raise
        finally:
            if hasattr(source, "close"):
                source.close()
        return self._whole(way, events, failed)


class AsyncPassage(_Passage):
    """For asynchronous calls."""

    async def complete(self, request: Any) -> Any:
        return await self._way(request).amake(lambda: self._engine.complete(request), self._answer)

    async def complete_legacy(self, lm: Any, request: Any, **context: Any) -> Any:
        async def send() -> Any:
            token = _within.set(_within.get() | {id(lm)})
            try:
                return await self._engine.complete_legacy(lm, request, **context)
            finally:
                _within.reset(token)

        return await self._way(None, request).amake(send, self._answer)

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        way = self._way(request, streamed=True)
        given = way.ask()
        if given is None and way.call.whole:
            given = await self._gathered(way, request)
        if given is not None:
            for event in given.events or ():
                yield event
            _result(given)
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
            if (instead := way.ended(error)) is not error:
                raise instead from None
            raise
        finally:
            if hasattr(source, "aclose"):
                await source.aclose()

    async def _gathered(self, way: Way, request: Any) -> Answer:
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
            way.ended(error)
            raise
        finally:
            if hasattr(source, "aclose"):
                await source.aclose()
        return self._whole(way, events, failed)


def _result(given: Answer) -> Any:
    """What a stage has in place of a call; its error is raised as the model's would be."""
    if given.error is not None:
        raise given.error
    return given.result


def _usage(result: Any, provider: str | None) -> Any:
    """The tokens of a response, of a stream's last event, or of a result that has counted."""
    usage = getattr(result, "usage", None)
    if isinstance(usage, dspy.lm15.Usage):
        return dspy_internals.usage_of(result, provider)
    return usage if isinstance(usage, dict) else {}  # DSPy says itself what is no response


def _is_end(event: Any) -> bool:
    return getattr(event, "type", None) == "end"
