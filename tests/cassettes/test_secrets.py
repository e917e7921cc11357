"""No secret is on a cassette, and what was replaced is replaced in the recording run too."""

import json
from typing import Any

import dspy
import pytest
from tests.shapes import lm15

from dspy_profiles.calls import Refused
from dspy_profiles.calls.cassettes import Cassette
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.secrets import _redaction as redaction

CANARY = "canary-7f3a9c21e5"


@pytest.fixture(autouse=True)
def canary() -> None:
    redaction.remember(CANARY, "${KEY}")


def test_a_secret_in_a_prompt_is_not_kept_and_the_request_is_found_all_the_same(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")):
        ask(f"Is {CANARY} a good key?")
    assert CANARY not in path.read_text()
    with playing("none", silent):
        assert ask(f"Is {CANARY} a good key?") == "Paris"


def test_with_another_key_it_is_the_same_request(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")):
        ask(f"Is {CANARY} a good key?")
    redaction.remember("another-0123", "${KEY}")
    with playing("none", silent):
        assert ask("Is another-0123 a good key?") == "Paris"


def test_a_secret_in_an_answer_is_shown_to_neither_run(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of(f"it is {CANARY}!")):
        assert ask() == "it is ${KEY}!"
    assert CANARY not in path.read_text()
    with playing("none", silent):
        assert ask() == "it is ${KEY}!"


def test_logprobs_that_spell_a_secret_are_left_out(path: Any, playing: Any, lm_of: Any) -> None:
    tokens = ("can", "ary-7f3a", "9c21e5")
    said = lm15.Response(
        id=None,
        model="own/model",
        message=lm15.Message.assistant([lm15.TextPart(CANARY)]),
        finish_reason="stop",
        usage=lm15.Usage(),
        logprobs=tuple(lm15.TokenLogprob(token=token, logprob=-1.0) for token in tokens),
    )
    request = lm15.Request(model="own/model", messages=(lm15.Message.user("Where?"),))
    with playing("once", lm_of(said)):
        assert dspy.settings.lm(request).logprobs is None
    assert "9c21e5" not in path.read_text()


def test_a_secret_in_a_tool_call_is_replaced(path: Any, playing: Any, lm_of: Any) -> None:
    call = lm15.ToolCallPart(id="1", name="open", input={CANARY: [f"a {CANARY}"]})
    message = lm15.Message.assistant([call])
    said = lm15.Response(
        id=None, model="m", message=message, finish_reason="tool_call", usage=lm15.Usage()
    )
    request = lm15.Request(model="own/model", messages=(lm15.Message.user("Where?"),))
    with playing("once", lm_of(said)):
        assert dspy.settings.lm(request).tool_calls[0].input == {"${KEY}": ["a ${KEY}"]}
    assert CANARY not in path.read_text()


def test_what_a_plugins_rule_masks_is_masked(path: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    redaction.add_redaction_rule(r"\d{3}-\d{2}-\d{4}")
    with playing("once", lm_of("it is 123-45-6789")):
        assert ask("Who has 987-65-4321?") == "it is ********"
    assert "6789" not in path.read_text()
    assert "4321" not in path.read_text()


def no_names(record: Any) -> Any:
    return json.loads(json.dumps(record).replace("Alice", "NAME"))


def test_a_filter_is_applied_to_all_that_is_kept(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("Alice it is"), filter=no_names):
        assert ask("Who is Alice?") == "NAME it is"
    assert "Alice" not in path.read_text()
    with playing("none", silent, filter=no_names):
        assert ask("Who is Alice?") == "NAME it is"


def test_what_a_filter_leaves_out_is_not_kept(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    def some(record: Any) -> Any:
        return None if "Alice" in str(record) else record

    with playing("once", lm_of("A", "B", "Alice"), filter=some) as cassette:
        assert [ask("Alice?"), ask("Bob?"), ask("Who?")] == ["A", "B", "Alice"]
        assert cassette.recorded == 1
    with playing("none", silent, filter=some):
        assert ask("Bob?") == "B"
        with pytest.raises(Refused, match="a filter drops it"):
            ask("Alice?")


@pytest.mark.parametrize("keep", [lambda record: 1 / 0, lambda record: {}], ids=["raises", "odd"])
def test_a_filter_that_fails_says_so(keep: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    with playing("once", lm_of("A"), filter=keep), pytest.raises(Refused) as held:
        ask()
    assert isinstance(held.value.error, InvalidProfile)
    assert "cassette filter failed" in str(held.value)


def test_keys_and_headers_of_a_connection_are_not_kept(path: Any, playing: Any, ask: Any) -> None:
    class Old(dspy.BaseLM):  # type: ignore[misc]
        def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
            text = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"
            choice = {"index": 0, "finish_reason": "stop", "message": {"content": text}}
            return {"id": "abc", "created": 1, "model": "old", "usage": {}, "choices": [choice]}

    secrets = {
        "api_key": "hidden-1",
        "headers": {"Authorization": "Bearer hidden-2"},
        "extra_headers": {"X-Key": "hidden-3"},
        "aws_secret_access_key": "hidden-4",
        "api_base": "http://hidden-5",
    }
    with pytest.warns(DeprecationWarning, match="forward"), playing("once", Old("old", **secrets)):
        assert ask() == "Paris"
    assert "hidden" not in path.read_text()
    assert "created" not in path.read_text()


def test_a_cassette_that_shows_itself_shows_no_answer(path: Any) -> None:
    assert repr(Cassette(path, "none")) == "Cassette('cassettes/x.jsonl', 'none')"
