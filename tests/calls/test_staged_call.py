"""A staged call decides without any I/O; drivers only do what it says."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from dspy_profiles.calls import Answer, BrokenOff, Call, Stage
from dspy_profiles.calls import _drivers as drivers
from dspy_profiles.calls._pipeline import StagedCall


class Event:
    def __init__(self, type: str) -> None:  # noqa: A002 - as lm15 names it
        self.type = type


TEXT, END = Event("delta"), Event("end")


class Whole(Stage):
    """Wants all of a stream at once."""

    def before(self, call: Call) -> None:
        call.whole = True


def staged(*stages: Any, streamed: bool = True) -> StagedCall:
    return StagedCall(Call("lm", "model", request="Why?", streamed=streamed), stages)


def test_events_go_on_at_once(listener: Any) -> None:
    stage = listener()
    call = staged(stage)
    assert call.start() is None
    assert call.received(TEXT)
    assert stage.log == ["before"]
    assert call.received(END)
    assert stage.log == ["before", "after"]
    assert call.ended().events is None


def test_events_wait_for_the_end_if_a_stage_wants_all_of_them(listener: Any) -> None:
    stage = listener()
    call = staged(stage, Whole())
    call.start()
    assert not call.received(TEXT)
    assert not call.received(END)
    assert stage.log == ["before"]
    assert call.ended().events == [TEXT, END]
    assert stage.log == ["before", "after"]


def test_events_that_waited_go_before_the_error(listener: Any) -> None:
    stage, down = listener(), ValueError("down")
    call = staged(stage, Whole())
    call.start()
    call.received(TEXT)
    answer = call.broken(down)
    assert answer is not None
    assert (answer.events, answer.error) == ([TEXT], down)
    assert stage.errors == [down]


def test_a_stream_without_an_end_has_failed_but_raises_nothing(listener: Any) -> None:
    stage = listener()
    call = staged(stage, Whole())
    call.start()
    call.received(TEXT)
    answer = call.ended()
    assert (answer.events, answer.error) == ([TEXT], None)
    assert isinstance(stage.errors[0], BrokenOff)


def test_an_interruption_waits_for_nothing(listener: Any) -> None:
    stage = listener()
    call = staged(stage, Whole())
    call.start()
    call.received(TEXT)
    assert call.broken(KeyboardInterrupt()) is None
    assert stage.log == ["before", "failed"]


def test_a_call_ends_once(listener: Any) -> None:
    stage = listener()
    call = staged(stage, streamed=False)
    call.start()
    call.succeeded("Paris")
    call.failed(ValueError("too late"))
    assert stage.log == ["before", "after"]


def test_a_stage_may_replace_an_error() -> None:
    class Retells(Stage):
        def failed(self, call: Call, error: BaseException) -> BaseException:
            return KeyError(str(error))

    call = staged(Retells(), streamed=False)
    call.start()
    with pytest.raises(KeyError, match="down") as raised:
        call.failed(ValueError("down"))
    assert raised.value.__suppress_context__


class Source:
    """Serves both drivers with the same events; keeps whether it was closed."""

    def __init__(self, *events: Any) -> None:
        self.events = iter(events)
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        for event in self.events:
            if isinstance(event, BaseException):
                raise event
            yield event

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self:
            yield event

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def read(call: StagedCall, source: Source, *, asynchronous: bool) -> list[Any]:
    """All events, and the error that follows them."""
    read: list[Any] = []

    async def aread() -> None:
        async for event in drivers.astream(call, lambda: source):
            read.append(event)  # noqa: PERF401 - those before an error count

    try:
        if asynchronous:
            asyncio.run(aread())
        else:
            for event in drivers.stream(call, lambda: source):
                read.append(event)  # noqa: PERF402 - those before an error count
    except ValueError as error:
        read.append(error)
    return read


DOWN = ValueError("down")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("stages", [(), (Whole(),)], ids=["at once", "whole"])
@pytest.mark.parametrize("events", [(TEXT, END), (TEXT, DOWN), (TEXT, END, DOWN), (TEXT,), (DOWN,)])
def test_both_drivers_deliver_the_same(events: Any, stages: Any, asynchronous: bool) -> None:
    source = Source(*events)
    assert read(staged(*stages), source, asynchronous=asynchronous) == list(events)
    assert source.closed


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_stage_answers_for_an_engine_that_cannot_stream(
    asynchronous: bool, listener: Any
) -> None:
    from dspy_profiles._dspy._engine_proxy import AsyncEngineProxy, EngineProxy
    from dspy_profiles.calls._patch import Stages

    stage = listener()
    stage.says = Answer(events=[TEXT, END])
    proxy: Any = (AsyncEngineProxy if asynchronous else EngineProxy)(
        object(), Call("lm", "model"), [stage], Stages()
    )

    async def aread() -> list[Any]:
        return [event async for event in proxy.stream("Why?")]

    assert (asyncio.run(aread()) if asynchronous else list(proxy.stream("Why?"))) == [TEXT, END]
