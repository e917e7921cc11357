"""Which requests are the same."""

import asyncio
from typing import Any

import dspy
import pytest
from tests.shapes import lm15

from dspy_profiles.calls import Call, Refused
from dspy_profiles.calls.cassettes import checked_match
from dspy_profiles.calls.cassettes._requests import key_of, request_of
from dspy_profiles.errors import InvalidProfile

PNG = "iVBORw0KGgoA" * 50


def test_equal_requests_get_their_answers_in_turn_and_then_no_more(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("one", "two")):
        ask(), ask()
    with playing("none", silent):
        assert [ask(), ask()] == ["one", "two"]
        with pytest.raises(Refused, match=r"has 2 responses for this(.|\n)*the\s3rd request"):
            ask()


@pytest.mark.parametrize(
    "more", [{"temperature": 0.7}, {"rollout_id": 2, "temperature": 1.0}, {"max_tokens": 7}]
)
def test_what_matters_tells_requests_apart(
    more: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("plain", "other")):
        ask(), ask(**more)
    with playing("none", silent):
        assert ask(**more) == "other"
        assert ask() == "plain"


def test_rollouts_are_told_apart(playing: Any, lm_of: Any, silent: Any, ask: Any) -> None:
    with playing("once", lm_of("one", "two")):
        ask(rollout_id=1, temperature=1.0), ask(rollout_id=2, temperature=1.0)
    with playing("none", silent):
        assert ask(rollout_id=2, temperature=1.0) == "two"
        assert ask(rollout_id=1, temperature=1.0) == "one"


def test_a_rollout_of_the_lm_itself_counts_too(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("one", rollout_id=1, temperature=1.0)):
        ask()
    with playing("none", silent.copy(rollout_id=1, temperature=1.0)):
        assert ask() == "one"
    with playing("none", silent.copy(rollout_id=2, temperature=1.0)), pytest.raises(Refused):
        ask()


def test_another_model_is_another_request(playing: Any, lm_of: Any, silent: Any, ask: Any) -> None:
    with playing("once", lm_of("one")):
        ask()
    with playing("none", lm_of(model="own/other")), pytest.raises(Refused, match="own/other"):
        ask()


def test_tools_count(playing: Any, lm_of: Any, silent: Any) -> None:
    def tool(name: Any) -> Any:
        return lm15.FunctionTool(name=name, description="x", parameters={"type": "object"})

    def asked(*tools: Any) -> Any:
        messages = (lm15.Message.user("hi"),)
        return lm15.Request(model="own/model", messages=messages, tools=tools)

    with playing("once", lm_of("one", "two")) as cassette:
        dspy.settings.lm(asked(tool("a"))), dspy.settings.lm(asked(tool("b")))
    with playing("none", silent) as cassette:
        assert (
            dspy.settings.lm(asked(tool("b"))).text
            == "[[ ## answer ## ]]\ntwo\n\n[[ ## completed ## ]]"
        )
        with pytest.raises(Refused):
            dspy.settings.lm(asked())
    assert cassette.replayed == 1


@pytest.mark.parametrize("legacy", [False, True], ids=["native", "legacy"])
def test_the_ids_of_tool_calls_do_not_count_but_which_result_is_whose_does(legacy: Any) -> None:
    def key(calls: Any, results: Any) -> Any:
        if legacy:
            said = [{"id": call, "function": {"name": "look"}} for call in calls]
            messages: Any = [{"role": "assistant", "tool_calls": said}]
            messages += [
                {"role": "tool", "tool_call_id": call, "content": call[-1]} for call in results
            ]
            call = Call("lm", "m", legacy={"model": "m", "messages": messages})
        else:
            said = [lm15.ToolCallPart(id=call, name="look", input={}) for call in calls]
            given = [
                lm15.ToolResultPart(id=call, content=(lm15.TextPart("x"),)) for call in results
            ]
            messages = (
                lm15.Message.user("Look!"),
                lm15.Message.assistant(said),
                lm15.Message(role="tool", parts=tuple(given)),
            )
            call = Call("lm", "m", request=lm15.Request(model="m", messages=messages))
        request = request_of(call)
        assert calls[0] not in str(request)
        return key_of("lm", request)

    first = key(["x-1", "y-2"], ["x-1", "y-2"])
    assert key(["a-1", "b-2"], ["a-1", "b-2"]) == first
    assert key(["a-1", "b-2"], ["b-2", "a-1"]) != first


def test_addresses_keys_and_headers_do_not_count(playing: Any, ask: Any) -> None:
    class Old(dspy.BaseLM):  # type: ignore[misc]
        def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
            text = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"
            return _completion(text)

    with (
        pytest.warns(DeprecationWarning, match="forward"),
        playing("once", Old("old", api_key="abc", headers={})),
    ):
        assert ask() == "Paris"
    other = Old("old", api_key="xyz", api_base="http://elsewhere", extra_headers={"a": "b"})
    with pytest.warns(DeprecationWarning, match="forward"), playing("none", other) as cassette:
        assert ask() == "Paris"
    assert cassette.replayed == 1


def _completion(text: Any) -> Any:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    return {
        "id": "abc",
        "created": 17,
        "model": "old",
        "usage": usage,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": text}}],
    }


def test_async_and_sync_are_the_same_request(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    predict = dspy.Predict("question -> answer")
    with playing("once", lm_of("Paris")):
        ask("Why?")
    with playing("none", silent):
        assert asyncio.run(predict.acall(question="Why?")).answer == "Paris"


def test_only_what_match_names_is_compared(playing: Any, lm_of: Any, silent: Any, ask: Any) -> None:
    with playing("once", lm_of("Paris"), match=("messages",)):
        ask(temperature=0.1)
    other = lm_of(model="own/other")
    with playing("none", other, match=("messages",)):
        assert ask(temperature=0.9) == "Paris"


def test_requests_that_are_equal_by_match_are_answered_in_turn(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("a", "b"), match=["messages", "model"]):
        ask(temperature=0.9), ask(temperature=0.1)
    with playing("none", silent, match=["messages", "model"]):
        assert [ask(temperature=0.5), ask(temperature=0.5)] == ["a", "b"]


def test_match_takes_known_names_alone() -> None:
    assert checked_match(None) == ("model", "messages", "tools", "config", "rollout_id")
    assert checked_match(["config", "model"]) == ("model", "config")
    with pytest.raises(InvalidProfile, match='did you mean "messages"'):
        checked_match(["mesages"])
    with pytest.raises(InvalidProfile, match="match is empty"):
        checked_match([])


def test_images_are_matched_by_their_hash_and_not_kept(
    path: Any, playing: Any, lm_of: Any, silent: Any
) -> None:
    predict = dspy.Predict("picture: dspy.Image -> answer")
    image = dspy.Image(f"data:image/png;base64,{PNG}")
    with playing("once", lm_of("a cat")):
        predict(picture=image)
    assert PNG not in path.read_text()
    with playing("none", silent):
        assert predict(picture=image).answer == "a cat"
        with pytest.raises(Refused):
            predict(picture=dspy.Image(f"data:image/png;base64,{PNG[:-4]}AAAA"))
