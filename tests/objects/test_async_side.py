"""Any engine with `acomplete` serves DSPy's asynchronous calls."""

import asyncio
import pickle
from collections.abc import Iterator
from typing import Any

import dspy
import pytest
from tests.shapes import engine_lm, lm15

from dspy_profiles.objects.engines._async import AsyncSide
from dspy_profiles.objects.engines.mock import MockEngine


class Plain:
    """An engine that can do no more than it must."""

    def __init__(
        self, text: str = "[[ ## answer ## ]]\nhi there you\n\n[[ ## completed ## ]]"
    ) -> None:
        self.text = text
        self.closed: list[str] = []

    def complete(self, request: Any) -> Any:
        return lm15.Response(
            id=None,
            model=request.model,
            message=lm15.Message.assistant(self.text),
            finish_reason="stop",
            usage=lm15.Usage(input_tokens=1, output_tokens=1),
        )

    async def acomplete(self, request: Any) -> Any:
        return self.complete(request)

    def dump_state(self) -> Any:
        return {"text": self.text}

    @classmethod
    def load_state(cls, state: Any) -> Any:
        return cls(**state)


class Streaming(Plain):
    def stream(self, request: Any) -> Iterator[Any]:
        try:
            yield from lm15.response_to_events(self.complete(request))
        finally:
            self.closed.append("stream")


class Closing(Plain):
    def close(self) -> None:
        self.closed.append("close")


class AsyncClosing(Closing):
    async def aclose(self) -> None:
        self.closed.append("aclose")


def request() -> Any:
    return lm15.Request(model="m", messages=(lm15.Message.user("hi"),))


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [Plain, Streaming, MockEngine])
async def test_dspy_awaits_and_streams(kind: Any) -> None:
    engine = kind()
    lm = engine_lm("m", engine=engine, async_engine=AsyncSide(engine), cache=False)
    predict = dspy.Predict("question -> answer")
    with dspy.context(lm=lm, adapter=None):
        awaited = await predict.acall(question="hi")
        listener = dspy.streaming.StreamListener(signature_field_name="answer")
        streamed = dspy.streamify(predict, stream_listeners=[listener], is_async_program=True)
        *_, last = [item async for item in streamed(question="hi")]
    assert last.answer == awaited.answer


@pytest.mark.asyncio
async def test_a_stream_that_is_left_early_is_closed() -> None:
    engine = Streaming()
    stream: Any = AsyncSide(engine).stream(request())
    assert (await anext(stream)).type == "start"
    await stream.aclose()
    assert engine.closed == ["stream"]


@pytest.mark.parametrize(
    ("kind", "closed"), [(Plain, []), (Closing, ["close"]), (AsyncClosing, ["aclose"])]
)
def test_the_engine_is_closed_in_its_own_way(kind: Any, closed: Any) -> None:
    engine = kind()
    asyncio.run(AsyncSide(engine).aclose())
    assert engine.closed == closed


def test_a_saved_side_brings_its_engine_along() -> None:
    state = AsyncSide(MockEngine(seed=3)).dump_state()
    assert state["class"] == "dspy_profiles.objects.engines.mock._engine:MockEngine"
    assert repr(AsyncSide.load_state(state).engine) == "MockEngine(seed=3)"


def test_a_pickled_lm_keeps_one_engine_for_both_sides() -> None:
    engine = MockEngine()
    lm = pickle.loads(pickle.dumps(engine_lm("m", engine=engine, async_engine=AsyncSide(engine))))
    assert lm._async_engine_spec.engine is lm.engine
