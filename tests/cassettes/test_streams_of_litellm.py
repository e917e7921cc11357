"""LiteLLM's engine sends its chunks past DSPy's events: they are kept, and sent again."""

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import dspy
import pytest
from tests.shapes import lm_error

from dspy_profiles import _dspy
from dspy_profiles.calls import Refused
from dspy_profiles.secrets import _redaction as redaction

PIECES = ("[[ ## ans", "wer ## ]]\nPa", "ris is", " large", "\n\n[[ ## completed ## ]]")
USAGE = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}

# What pydantic says of LiteLLM's own classes.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ReadOnly:UserWarning", "ignore:.*:DeprecationWarning"
)


@pytest.fixture(autouse=True)
def litellm() -> Any:
    import litellm  # takes seconds, which no other test should wait for

    return litellm


def chunk(content: Any = None, finish_reason: Any = None, **more: Any) -> Any:
    delta = {"content": content, "role": "assistant", **more.pop("delta", {})}
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, **more.pop("choice", {})}
    from litellm import ModelResponseStream

    return ModelResponseStream(id="chatcmpl-1", model="gpt-4o-mini-2024", choices=[choice], **more)


def chunks(*pieces: Any) -> Any:
    return [*map(chunk, pieces), chunk(finish_reason="stop"), chunk(usage=USAGE)]


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, litellm: Any) -> Any:
    """What LiteLLM says to the next calls: chunks, or an error after some of them."""

    def says(*said: Any) -> None:
        async def stream() -> AsyncIterator[Any]:
            for each in said:
                if isinstance(each, Exception):
                    raise each
                yield deepcopy(each)

        async def acompletion(**asked: Any) -> Any:
            assert asked["stream"], "it was asked without a stream"
            return stream()

        monkeypatch.setattr(litellm, "acompletion", acompletion)

    says(AssertionError("the model was asked"))
    return says


@pytest.fixture
def lm() -> Any:
    return dspy.LM("openai/gpt-4o-mini", engine="litellm", num_retries=0, cache=False, api_key="k")


@pytest.fixture(params=["sync", "async"])
def streamed(request: pytest.FixtureRequest) -> Any:
    def streamed(*fields: Any) -> Any:
        listeners = [dspy.streaming.StreamListener(signature_field_name=name) for name in fields]
        program = dspy.streamify(
            dspy.Predict("question -> answer"),
            stream_listeners=listeners,
            is_async_program=request.param == "async",
        )

        async def main() -> Any:
            return [each async for each in program(question="Why?")]

        return asyncio.run(main())

    return streamed


def data(found: Any) -> Any:
    return [
        {key: value for key, value in each.model_dump().items() if key != "predict_id"}
        for each in found
        if type(each).__name__ == "ModelResponseStream"
    ]


def test_who_listens_to_a_field_hears_the_same(
    says: Any, playing: Any, lm: Any, streamed: Any
) -> None:
    says(*chunks(*PIECES))
    with playing("off", lm):
        asked = [repr(each) for each in streamed("answer")]
    with playing("once", lm):
        first = [repr(each) for each in streamed("answer")]
    says(AssertionError("the model was asked"))
    with playing("none", lm) as cassette:
        again = [repr(each) for each in streamed("answer")]
    assert again == first == asked
    assert len(again) > 3
    assert cassette.replayed == 1


def test_the_chunks_are_the_same_but_for_ids_and_times(
    says: Any, playing: Any, lm: Any, streamed: Any
) -> None:
    more = {
        "delta": {"reasoning_content": "so", "provider_specific_fields": {"signature": "s"}},
        "choice": {"logprobs": {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]}},
    }
    says(chunk("", **more), *chunks(*PIECES))
    with playing("off", lm):
        asked = data(streamed())
    with playing("once", lm):
        first = data(streamed())
    with playing("none", lm):
        again = data(streamed())
    assert again == first
    for each in (*asked, *first):
        each.update(id="", created=0)
    assert first == asked
    assert len(first) == len(PIECES) + 3


def test_history_and_usage_are_the_same(says: Any, playing: Any, lm: Any, streamed: Any) -> None:
    says(*chunks(*PIECES))
    seen = []
    for mode in ("once", "none"):
        with playing(mode, lm), dspy.track_usage() as tracker:
            streamed("answer")
        (entry,) = lm.history
        seen.append((entry["outputs"], entry["usage"], entry["cost"], tracker.get_total_tokens()))
        lm.history.clear()
        _dspy.history().clear()
    assert seen[0] == seen[1]
    assert seen[0][1]["total_tokens"] == 11


def test_calls_of_tools_come_in_the_same_pieces(
    says: Any, playing: Any, lm: Any, streamed: Any
) -> None:
    def call(**function: Any) -> Any:
        tool = {"index": 0, "id": "c1", "type": "function", "function": function}
        return chunk(delta={"tool_calls": [tool]})

    said = [call(name="find", arguments=""), call(arguments='{"a'), call(arguments='": 1}')]
    says(*said, *chunks(*PIECES))
    with playing("once", lm):
        first = data(streamed())
    with playing("none", lm):
        assert data(streamed()) == first
    called = [each["choices"][0]["delta"]["tool_calls"] for each in first[:3]]
    assert [calls[0]["function"]["arguments"] for calls in called] == ["", '{"a', '": 1}']


def test_one_that_breaks_off_breaks_off_again_after_the_same_chunks(
    says: Any, playing: Any, lm: Any, litellm: Any
) -> None:
    down = litellm.InternalServerError("down", "openai", "gpt-4o-mini")
    seen = []

    class Seen(dspy.streaming.StreamListener):  # type: ignore[misc]
        def receive(self, chunk: Any) -> Any:
            heard.append(chunk.choices[0].delta.content)
            return super().receive(chunk)

    says(*map(chunk, PIECES[:2]), down)
    for mode in ("new", "none"):
        heard: list[Any] = []
        program = dspy.streamify(
            dspy.Predict("question -> answer"), stream_listeners=[Seen("answer")]
        )

        async def main(program: Any = program) -> Any:
            return [each async for each in program(question="Why?")]

        with playing(mode, lm), pytest.raises(lm_error("LMServerError")) as raised:
            asyncio.run(main())
        seen.append((heard, str(raised.value)))
    assert seen[0] == seen[1]
    assert seen[0][0] == list(PIECES[:2])


def test_a_secret_that_is_cut_in_two_is_not_kept(
    path: Any, says: Any, playing: Any, lm: Any, streamed: Any
) -> None:
    redaction.remember("canary-7f3a9c21", "${KEY}")
    token = {"logprobs": {"content": [{"token": "can", "logprob": -0.5, "top_logprobs": []}]}}
    said = ("[[ ## answer ## ]]\nthe key is ", "ary-7f", "3a9c21 indeed")
    says(chunk(said[0] + "can", choice=token), *chunks(*said[1:]))
    with playing("once", lm):
        first = data(streamed())
    assert b"7f3a" not in path.read_bytes()
    assert first[0]["choices"][0]["logprobs"] is None
    text = "".join(each["choices"][0]["delta"]["content"] or "" for each in first)
    assert text.endswith("the key is ${KEY} indeed")
    with playing("none", lm):
        assert data(streamed()) == first


def test_what_differs_each_time_is_not_kept(
    path: Any, says: Any, playing: Any, lm: Any, streamed: Any
) -> None:
    says(*chunks(*PIECES))
    with playing("once", lm):
        streamed()
    text = path.read_text()
    assert '"pieces":["[[ ## ans","wer ## ]]\\nPa","ris is"," large"' in text
    for passing in ("chatcmpl", '"created"', "predict_id"):
        assert passing not in text


def test_it_answers_a_call_that_does_not_stream(
    says: Any, playing: Any, lm: Any, streamed: Any, ask: Any
) -> None:
    says(*chunks(*PIECES))
    with playing("once", lm):
        streamed()
    with playing("none", lm):
        assert ask() == "Paris is large"


def test_what_was_recorded_without_a_stream_is_one_chunk(
    playing: Any, lm: Any, litellm: Any, streamed: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = litellm.ModelResponse(
        choices=[{"message": {"role": "assistant", "content": "".join(PIECES)}}], usage=USAGE
    )
    monkeypatch.setattr(litellm, "completion", lambda **_: said)
    with playing("once", lm):
        ask()
    with playing("none", lm):
        found = streamed()
    (sent,) = data(found)
    assert sent["choices"][0]["delta"]["content"] == "".join(PIECES)
    assert found[-1].answer == "Paris is large"


def test_chunks_of_another_kind_are_refused(
    path: Any, says: Any, playing: Any, lm: Any, streamed: Any
) -> None:
    class Own:
        """What some other library streams."""

    says(Own())
    with playing("once", lm), pytest.raises(Refused, match=r"cannot be recorded.*\.Own"):
        streamed()
    assert not path.exists()


def test_without_a_cassette_they_are_not_held_up(
    says: Any, playing: Any, lm: Any, litellm: Any, streamed: Any
) -> None:
    says(*map(chunk, PIECES), litellm.InternalServerError("down", "openai", "gpt-4o-mini"))
    with playing("off", lm), pytest.raises(lm_error("LMServerError")):
        streamed()
