"""Errors are recorded as answers are, and raised again as what they were."""

import time
from typing import Any

import dspy
import pytest
from tests.shapes import lm15, lm_error

from dspy_profiles.calls import Refused
from dspy_profiles.calls.cassettes._errors import error_dict, error_from
from dspy_profiles.errors import InvalidFile, Place
from dspy_profiles.secrets import _redaction as redaction

ERRORS = [
    lm15.RateLimitError("slow down", provider="openai", status=429, retry_after=30),
    lm15.AuthError("wrong key", provider="openai", status=401, env_keys=("OPENAI_API_KEY",)),
    lm15.ContextLengthError("too long", status=400, provider_code="context_length_exceeded"),
    lm15.ServerError("down", status=503),
    lm15.UnsupportedFeatureError("no images here", feature="messages[0].parts[1]"),
    lm15.NotConfiguredError("no key", provider="openai", env_keys=("OPENAI_API_KEY",)),
    lm15.TransportError("connection refused"),
    lm15.BillingError("pay first", status=402),
    dspy.LMRateLimitError("slow down", model="x", retry_after=3.0),
    dspy.LMUnsupportedFeatureError("no", features=["a", "b"]),
    ValueError("odd"),
    KeyError("answer"),
    ConnectionResetError(104, "reset"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_after_it_was_kept(error: Any) -> None:
    kept = error_dict(error)
    assert kept is not None
    again = error_from(kept, replayed=False)
    assert type(again) is type(error)
    assert (str(again), again.args) == (str(error), error.args)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("error", ERRORS[:8], ids=lambda error: type(error).__name__)
def test_the_program_gets_the_same_error_when_it_is_replayed(
    error: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    def seen() -> Any:
        with pytest.raises(lm_error("LMError")) as raised:
            ask()
        told = raised.value
        return type(told), str(told), told.status, told.code, told.retry_after, told.provider

    with playing("once", lm_of(error)):
        first = seen()
    with playing("none", silent) as cassette:
        assert seen() == first
    assert cassette.replayed == 1


def test_a_call_that_was_tried_again_is_tried_again_without_waiting(
    playing: Any, lm_of: Any, silent: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    down = lm15.ServerError("down", status=503, retry_after=7)
    with playing("once", lm_of(down, down, "Paris", num_retries=3)) as cassette:
        assert ask() == "Paris"
    assert (cassette.recorded, waits) == (0, [7.0, 7.0])
    waits.clear()
    silent.num_retries = 3
    with playing("none", silent) as cassette:
        assert ask() == "Paris"
    assert (cassette.replayed, waits) == (3, [0.0, 0.0])


def test_a_secret_in_an_error_is_neither_kept_nor_shown(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    redaction.remember("canary-7f3a9c21", "${OPENAI_API_KEY}")
    error = lm15.AuthError("the key canary-7f3a9c21 is wrong", status=401)
    error.credential_origin = "canary-7f3a9c21"
    for mode, lm in (("once", lm_of(error)), ("none", silent)):
        with playing(mode, lm), pytest.raises(lm_error("LMAuthError")) as raised:
            ask()
        assert "the key ${OPENAI_API_KEY} is wrong" in str(raised.value)
        assert "canary" not in str(raised.value)
    assert b"canary" not in path.read_bytes()


def test_what_differs_each_time_is_not_kept(path: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    headers = {"x-ratelimit-remaining-requests": ["0"]}
    error = lm15.RateLimitError("no", request_id="req_17", rate_limit_headers=headers)
    with playing("once", lm_of(error)), pytest.raises(lm_error("LMRateLimitError")):
        ask()
    assert "req_17" not in path.read_text()
    assert "ratelimit" not in path.read_text()


def test_an_error_of_a_class_that_cannot_be_made_again_is_not_recorded(
    path: Any, playing: Any, lm_of: Any, ask: Any
) -> None:
    class Own(Exception):
        pass

    with (
        playing("once", lm_of(Own("odd"))) as cassette,
        pytest.raises(lm_error("LMError")) as raised,
    ):
        ask()
    assert isinstance(raised.value.__cause__, Own)
    assert not path.exists()
    assert cassette.recorded == 0


@pytest.mark.parametrize("name", ["os:system", "builtins:exit", "subprocess:Popen", "dspy:LM"])
def test_a_file_cannot_name_just_any_class(
    name: Any, path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of(ValueError("odd"))), pytest.raises(lm_error("LMError")):
        ask()
    path.write_text(path.read_text().replace("builtins:ValueError", name))
    with playing("none", silent), pytest.raises(Refused) as held:
        ask()
    assert isinstance(held.value.error, InvalidFile)
    assert isinstance(held.value.error.where, Place)
    assert held.value.error.where.line == 3


def test_an_interrupted_call_leaves_nothing(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of(KeyboardInterrupt(), "Paris")):
        with pytest.raises(KeyboardInterrupt):
            ask()
        assert ask() == "Paris"
    with playing("none", silent):
        assert ask() == "Paris"
