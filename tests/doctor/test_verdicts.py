"""An LM's errors, told apart."""

import socket
import ssl
from json import JSONDecodeError

import dspy
import pytest
from dspy.utils import exceptions as lm_errors

from dspy_profiles.cli.doctor._addresses import Route
from dspy_profiles.cli.doctor._verdicts import Answer, Request, verdict

ASKED = Request(Route("gw.example:4000", "https://gw.example:4000"), "openai/m", 20, ("GW_KEY",))
LOCAL = Request(Route("localhost:11434", "http://localhost:11434"), "ollama_chat/m", 20)


def because(cause: BaseException, error: Exception | None = None) -> Exception:
    """An error with a cause two levels down, as clients wrap them."""
    outer = error or lm_errors.LMTransportError("it failed")
    outer.__cause__ = RuntimeError("wrapped")
    outer.__cause__.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("cause", "kind", "message"),
    [
        (ConnectionRefusedError(), "refused", "https://gw.example:4000 refused the connection"),
        (socket.gaierror(-2, "unknown"), "dns", "host gw.example not found"),
        (ssl.SSLError("bad"), "tls", "TLS connection to gw.example:4000 failed"),
        (TimeoutError(), "timeout", "no response within 20 s"),
        (OSError(113, "no route"), "unreachable", "https://gw.example:4000 is unreachable"),
    ],
)
def test_what_kept_the_call_from_arriving(cause: Exception, kind: str, message: str) -> None:
    answer = verdict(because(cause), ASKED)
    assert (answer.kind, answer.message) == (kind, message)
    assert answer.hint


def test_a_local_address_that_refuses_may_be_an_ollama_that_is_not_running() -> None:
    assert verdict(because(ConnectionRefusedError()), LOCAL).hint == "start Ollama: ollama serve"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "denied"),
        (403, "denied"),
        (402, "billing"),
        (404, "not-found"),
        (429, "rate-limited"),
        (500, "server-error"),
        (503, "server-error"),
        (400, "error"),
        (418, "error"),
    ],
)
def test_each_status_means_something_of_its_own(status: int, kind: str) -> None:
    answer = verdict(lm_errors.LMProviderError("said so", status=status), ASKED)
    assert (answer.kind, answer.status, answer.detail) == (kind, status, "said so")
    assert f"({status})" in answer.message
    assert answer.hint


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Invalid model name passed in model=x", "not-found"),
        ("The model `x` does not exist", "not-found"),
        ("Authentication Error, Invalid proxy server token passed", "denied"),
        ("messages must not be empty", "error"),
    ],
)
def test_a_bad_request_is_judged_by_its_words(said: str, kind: str) -> None:
    assert verdict(lm_errors.LMInvalidRequestError(said, status=400), ASKED).kind == kind


def test_a_missing_key_is_named() -> None:
    lm = dspy.LM("anthropic/claude-x", cache=False, num_retries=0)
    with pytest.raises(dspy.LMError) as raised:
        lm("hi")
    answer = verdict(raised.value, ASKED)
    assert (answer.kind, answer.message) == ("no-key", "ANTHROPIC_API_KEY is not set")


def test_a_server_that_speaks_of_missing_keys_did_answer() -> None:
    answer = verdict(lm_errors.LMAuthError("No API key given", status=401), ASKED)
    assert answer.kind == "denied"


def test_how_long_to_wait_is_told() -> None:
    error = lm_errors.LMRateLimitError("slow down", status=429, retry_after=7.0)
    answer = verdict(error, ASKED)
    assert (answer.retry_after, answer.hint) == (7.0, "try again in 7 s")


def test_text_in_place_of_json_is_another_kind_of_server() -> None:
    error = because(JSONDecodeError("x", "<html>", 0), lm_errors.LMProviderError("no", status=200))
    assert verdict(error, ASKED).kind == "no-model"


def test_an_error_page_of_a_proxy_is_the_servers_failure() -> None:
    error = because(JSONDecodeError("x", "<html>", 0), lm_errors.LMServerError("no", status=502))
    assert verdict(error, ASKED).kind == "server-error"


def test_anything_else_is_told_by_its_name() -> None:
    answer = verdict(ZeroDivisionError("division by zero"), ASKED)
    assert answer == Answer(
        "error", "ZeroDivisionError: division by zero", detail="division by zero"
    )


def test_no_part_of_a_secret_is_shown() -> None:
    asked = Request(ASKED.route, "m", 20, (), ("canary-0123456789-abcdef",))
    error = lm_errors.LMAuthError("body starts: 'Bearer canary-01234567", status=401)
    assert "canary" not in repr(verdict(error, asked))


def test_what_a_server_says_cannot_paint_the_terminal() -> None:
    error = lm_errors.LMServerError("\x1b[31mred\x07\nnext", status=500)
    assert verdict(error, ASKED).detail == "␛[31mred␇ next"


def test_a_long_speech_is_cut() -> None:
    answer = verdict(lm_errors.LMServerError("no " * 500, status=500), ASKED)
    assert answer.detail is not None
    assert len(answer.detail) < 310
