"""Whatever becomes of a stream, its call ends once: answered, or failed."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import dspy
import pytest
from tests.shapes import engine_lm, lm15, lm_error

from dspy_profiles._dspy import _stream as sending
from dspy_profiles.calls import Answer, Call

START = lm15.StreamStartEvent(model="model")
TEXT = lm15.StreamDeltaEvent(lm15.TextDelta("[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"))
END = lm15.StreamEndEvent(
    finish_reason="stop", usage=lm15.Usage(input_tokens=5, output_tokens=6, total_tokens=11)
)


class Streams:
    """Streams what it is given; what is an error is raised in its place."""

    def __init__(self, *events: Any) -> None:
        self.events = events
        self.closed = False

    def complete(self, request: Any) -> Any:
        raise NotImplementedError

    def stream(self, request: Any) -> Iterator[Any]:
        try:
            for event in self.events:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            self.closed = True


class AsyncStreams:
    def __init__(self, inner: Streams) -> None:
        self.inner = inner

    async def complete(self, request: Any) -> Any:
        raise NotImplementedError

    async def stream(self, request: Any) -> Any:
        for event in self.inner.stream(request):
            yield event


@pytest.fixture(params=["sync", "async"])
def streamed(request: pytest.FixtureRequest) -> Callable[[Any], list[Any]]:
    """All chunks of one call of this engine, made by a synchronous or an asynchronous program."""

    class Program(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            return self.ask(question=question)

        async def aforward(self, question: str) -> Any:
            return await self.ask.acall(question=question)

    def streamed(engine: Any) -> list[Any]:
        lm = engine_lm(
            "own/model",
            engine=engine,
            async_engine=AsyncStreams(engine),
            cache=False,
            num_retries=0,
        )
        program = dspy.streamify(Program(), is_async_program=request.param == "async")

        async def main() -> list[Any]:
            with dspy.context(lm=lm):
                return [each async for each in program(question="Why?")]

        return asyncio.run(main())

    return streamed


def test_one_that_ends_is_answered(heard: Any, streamed: Any) -> None:
    engine = Streams(START, TEXT, END)
    assert streamed(engine)[-1].answer == "Paris"
    assert heard.log == ["before", "after", "priced"]
    assert heard.answers[0].tokens == 11
    assert heard.answers[0].events == [START, TEXT, END]
    assert engine.closed


@pytest.mark.parametrize("events", [(), (START,), (START, TEXT)], ids=["empty", "start", "text"])
def test_one_that_breaks_off_without_an_end_has_failed(
    events: Any, heard: Any, streamed: Any
) -> None:
    with pytest.raises(lm_error("LMError")):
        streamed(Streams(*events))
    assert heard.log == ["before", "failed"]


def test_one_that_raises_has_failed(heard: Any, streamed: Any) -> None:
    broken = ValueError("broken")
    with pytest.raises(lm_error("LMError")):
        streamed(Streams(START, broken))
    assert heard.log == ["before", "failed"]
    assert heard.errors == [broken]


def test_one_that_never_starts_has_failed(heard: Any, streamed: Any) -> None:
    class Refuses(Streams):
        def stream(self, request: Any) -> Any:
            raise ValueError("no streams here")

    with pytest.raises(lm_error("LMError"), match="no streams here"):
        streamed(Refuses())
    assert heard.log == ["before", "failed"]


def test_one_that_says_that_it_fails_has_failed(heard: Any, streamed: Any) -> None:
    said = lm15.StreamErrorEvent(lm15.ErrorDetail(code="server", message="down"))
    with pytest.raises(lm_error("LMError"), match="down"):
        streamed(Streams(START, said))
    assert heard.log == ["before", "failed"]


@pytest.mark.parametrize("after_it", [ValueError("broken"), TEXT], ids=["error", "event"])
def test_one_that_goes_wrong_after_its_end_has_been_answered_all_the_same(
    after_it: Any, heard: Any, streamed: Any
) -> None:
    with pytest.raises(lm_error("LMError")):
        streamed(Streams(START, TEXT, END, after_it))
    assert heard.log == ["before", "after"]
    assert heard.answers[0].tokens == 11


def test_one_whose_reader_goes_away_has_failed_and_is_closed(heard: Any) -> None:
    engine = Streams(START, TEXT, END)
    lm = engine_lm("own/model", engine=engine, cache=False)
    execution = dspy.clients.execution
    call = execution.prepare(lm, "Why?", None, {})
    passage, request, _ = execution._select_engine(lm, call, False)
    reader = passage.stream(request)
    next(reader)
    reader.close()
    assert heard.log == ["before", "failed"]
    assert engine.closed


def test_an_asynchronous_one_whose_reader_goes_away_is_closed_at_once(heard: Any) -> None:
    engine = Streams(START, TEXT, END)
    closed: list[bool] = []

    class Side(AsyncStreams):
        async def stream(self, request: Any) -> Any:
            try:
                yield START
                yield TEXT
            finally:
                closed.append(True)

    lm = engine_lm("own/model", engine=engine, async_engine=Side(engine), cache=False)
    execution = dspy.clients.execution

    async def main() -> None:
        call = execution.prepare(lm, "Why?", None, {}, asynchronous=True)
        passage, request, _ = execution._select_engine(lm, call, True)
        reader = passage.stream(request)
        await anext(reader)
        await reader.aclose()
        assert closed == [True]

    asyncio.run(main())
    assert heard.log == ["before", "failed"]


def test_a_stage_may_have_another_error_raised(stand: Any, streamed: Any, listener: Any) -> None:
    class Retells(listener):  # type: ignore[misc]
        def failed(self, call: Any, error: BaseException) -> BaseException:
            super().failed(call, error)
            return ValueError(f"retold: {error}")

    stage = Retells()
    stand(stage)
    with pytest.raises(lm_error("LMError"), match="retold: broken"):
        streamed(Streams(START, ValueError("broken")))
    assert stage.log == ["before", "failed"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_one_that_is_interrupted_while_all_of_it_is_waited_for_has_failed(
    asynchronous: bool, stand: Any, listener: Any
) -> None:
    class Interrupted(BaseException):
        pass

    class Waits(listener):  # type: ignore[misc]
        def before(self, call: Any) -> Any:
            call.whole = True
            return super().before(call)

    stage, engine = Waits(), Streams(START, Interrupted())
    stand(stage)
    lm = engine_lm("own/model", engine=engine, async_engine=AsyncStreams(engine), cache=False)
    execution = dspy.clients.execution
    call = execution.prepare(lm, "Why?", None, {}, asynchronous=asynchronous)
    passage, request, _ = execution._select_engine(lm, call, asynchronous)

    async def read() -> list[Any]:
        return [event async for event in passage.stream(request)]

    with pytest.raises(Interrupted):
        asyncio.run(read()) if asynchronous else list(passage.stream(request))
    assert stage.log == ["before", "failed"]
    assert engine.closed


def test_a_stage_may_answer_with_events(heard: Any, streamed: Any, listener: Any) -> None:
    heard.says = Answer(events=[START, TEXT, END])
    engine = Streams()
    assert streamed(engine)[-1].answer == "Paris"
    assert not engine.closed  # it was never asked
    assert heard.calls[0].replayed


def test_a_stage_may_answer_with_events_that_end_in_an_error(heard: Any, streamed: Any) -> None:
    down = lm15.ServerError("down in the middle")
    heard.says = Answer(events=[START, TEXT], error=down)
    with pytest.raises(lm_error("LMServerError"), match="down in the middle"):
        streamed(Streams())


def test_what_an_lm_sends_by_itself_waits_where_a_stage_wants_all_of_it() -> None:
    call = Call("lm", "model", streamed=True, whole=True)
    with sending.buffer_stream(call):
        dspy.settings.send_stream.send_nowait("one")
        asyncio.run(dspy.settings.send_stream.send("two"))
    assert call.events == ["one", "two"]
