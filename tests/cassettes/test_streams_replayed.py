"""Streams keep their chunks; a stream answers a call that does not stream, and the other way."""

import asyncio
from typing import Any

import dspy
import pytest
from tests.shapes import lm15, lm_error

from dspy_profiles.secrets import _redaction as redaction

START = lm15.StreamStartEvent(model="own/model", id="once")
USAGE = lm15.Usage(input_tokens=5, output_tokens=6, total_tokens=11)
END = lm15.StreamEndEvent(finish_reason="stop", usage=USAGE)


def text(*pieces: Any) -> Any:
    return [lm15.StreamDeltaEvent(lm15.TextDelta(piece)) for piece in pieces]


PARIS = [START, *text("[[ ## ans", "wer ## ]]\nPa", "ris", "\n\n[[ ## completed ## ]]"), END]


class Both(dspy.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question: Any) -> Any:
        return self.ask(question=question)

    async def aforward(self, question: Any) -> Any:
        return await self.ask.acall(question=question)


@pytest.fixture(params=["sync", "async"])
def streamed(request: pytest.FixtureRequest) -> Any:
    def streamed() -> Any:
        program = dspy.streamify(
            Both(),
            stream_listeners=[dspy.streaming.StreamListener(signature_field_name="answer")],
            is_async_program=request.param == "async",
        )

        async def main() -> Any:
            return [repr(chunk) async for chunk in program(question="Why?")]

        return asyncio.run(main())

    return streamed


def test_the_chunks_are_the_same(playing: Any, lm_of: Any, silent: Any, streamed: Any) -> None:
    with playing("once", lm_of(PARIS)):
        first = streamed()
    with playing("none", silent):
        assert streamed() == first
    assert len(first) > 2


def test_a_recorded_stream_answers_a_call_that_does_not_stream(
    playing: Any, lm_of: Any, silent: Any, streamed: Any, ask: Any
) -> None:
    with playing("once", lm_of(PARIS)):
        streamed()
    with playing("none", silent):
        assert ask() == "Paris"


def test_a_recorded_answer_can_be_streamed(
    playing: Any, lm_of: Any, silent: Any, streamed: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")):
        ask()
    with playing("none", silent):
        assert "Paris" in streamed()[-1]


@pytest.mark.parametrize(
    "end",
    [
        [],
        [lm15.ServerError("down", status=503)],
        [lm15.StreamErrorEvent(lm15.ErrorDetail(code="server", message="down"))],
    ],
    ids=["breaks off", "raises", "says that it fails"],
)
def test_one_that_goes_wrong_goes_wrong_again(
    end: Any, playing: Any, lm_of: Any, silent: Any, streamed: Any, ask: Any
) -> None:
    def seen() -> Any:
        with pytest.raises(lm_error("LMError")) as raised:
            streamed()
        return type(raised.value), str(raised.value)

    with playing("once", lm_of([START, *text("half"), *end])):
        first = seen()
    with playing("none", silent):
        assert seen() == first
    with playing("none", silent), pytest.raises(lm_error("LMError")):
        ask()


def test_a_secret_that_is_cut_in_two_is_not_kept(
    path: Any, playing: Any, lm_of: Any, silent: Any, streamed: Any
) -> None:
    redaction.remember("canary-7f3a9c21", "${KEY}")
    said = text("[[ ## answer ## ]]\nthe key is can", "ary-7f", "3a9c21 indeed")
    with playing("once", lm_of([START, *said, END])):
        first = streamed()
    assert "the key is ${KEY} indeed" in first[-1]
    assert b"7f3a" not in path.read_bytes()
    with playing("none", silent):
        assert streamed() == first


def test_a_stream_is_one_line_that_can_be_read(
    path: Any, playing: Any, lm_of: Any, streamed: Any
) -> None:
    with playing("once", lm_of(PARIS)):
        streamed()
    assert '"pieces":["[[ ## ans","wer ## ]]\\nPa","ris","\\n\\n[[ ## completed ## ]]"]' in (
        path.read_text()
    )
    assert "once" not in path.read_text()
