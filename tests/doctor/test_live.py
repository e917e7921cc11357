"""Short calls to real servers, side by side, by the command itself."""

import json
from typing import Any

import pytest

from dspy_profiles.cli.doctor._live import call_all, calls
from dspy_profiles.cli.doctor._walk import examine

CANARY = "sk-canary-0123456789abcdefgh"


def gateway(name: str, url: str, more: str = "") -> str:
    return f'[{name}.lm]\nmodel = "openai/m"\napi_base = "{url}"\napi_key = "${{GW_KEY}}"\n{more}\n'


@pytest.fixture
def user_file(write: Any, home: Any) -> Any:
    """Writes the user's own file: its addresses ask nobody."""
    return lambda text: write(home / ".dspy/profiles.toml", text)


def test_every_way_of_failing_is_told_apart(
    serve: Any, nobody: str, user_file: Any, results: Any
) -> None:
    error = {"error": {"message": "that is why"}}
    tempers: dict[str, tuple[str, str]] = {
        "good": (serve().url, "answered"),
        "refused": (f"http://{nobody}/v1", "refused"),
        "dns": ("http://nowhere.invalid/v1", "dns"),
        "tls": (serve().url.replace("http:", "https:"), "tls"),
        "s401": (serve(401, error).url, "denied"),
        "s402": (serve(402, error).url, "billing"),
        "s403": (serve(403, error).url, "denied"),
        "s404": (serve(404, error).url, "not-found"),
        "s429": (serve(429, error, {"Retry-After": "7"}).url, "rate-limited"),
        "s500": (serve(500, error).url, "server-error"),
        "page": (serve(502, "<html>oops").url, "server-error"),
        "garbage": (serve(200, "<html>hello").url, "no-model"),
        "bad": (serve(400, error).url, "error"),
    }
    text = "".join(
        gateway(f"{name}-{engine}", url, f'engine = "{engine}"')
        for name, (url, _) in tempers.items()
        for engine in ("auto", "litellm")
    )
    user_file(text + '[offline]\nprovider.class = "mock"\n[nokey.lm]\nmodel = "openai/m"\n')
    found = results(GW_KEY=CANARY)
    done = found.pop("")
    expected = {
        f"{name}-{engine}": kind
        for name, (_, kind) in tempers.items()
        for engine in ("auto", "litellm")
    }
    live = {name: one["live"] for name, one in found.items()}
    assert {name: one["result"] for name, one in live.items()} == {
        **expected,
        "offline": "answered",
        "nokey": "no-key",
    }
    assert live["nokey"]["message"] == "OPENAI_API_KEY is not set"
    assert live["nokey"]["host"] == "api.openai.com"
    for engine in ("auto", "litellm"):
        assert live[f"s429-{engine}"]["retry_after"] == 7.0
        assert "Ollama" in live[f"refused-{engine}"]["hint"]
        assert live[f"s401-{engine}"]["hint"] == "check GW_KEY"
        assert "that is why" in live[f"s500-{engine}"]["detail"]
        assert found[f"good-{engine}"]["ready"]
    assert done.returncode == 1
    assert "canary" not in done.stdout + done.stderr


def test_a_server_that_never_answers_is_not_waited_for(
    serve: Any, user_file: Any, results: Any
) -> None:
    silent, good = serve(silent=True), serve()
    user_file(
        gateway("silent", silent.url)
        + gateway("slow", silent.url, 'engine = "litellm"')
        + gateway("impatient", silent.url, "timeout = 0.5")
        + gateway("good", good.url)
    )
    found = results("--timeout", "4", GW_KEY=CANARY)
    assert {name: found[name]["live"]["message"] for name in ("silent", "slow", "impatient")} == {
        "silent": "no response within 4 s",
        "slow": "no response within 4 s",
        "impatient": "no response within 0.5 s",
    }
    assert found["good"]["ready"]
    assert len(silent.requests) <= 3  # none was tried again


@pytest.mark.parametrize("engine", ["auto", "litellm"])
def test_a_server_that_echoes_the_key_gives_nothing_away(
    serve: Any, user_file: Any, run: Any, engine: str
) -> None:
    def echo(headers: Any) -> Any:
        sent = headers["Authorization"]
        return {"error": {"message": f"you sent {sent}, or {sent[:25]}, or {sent[-12:]}"}}

    refusing = serve(401, echo)
    garbled = serve(200, lambda headers: f"<html>{headers['Authorization'] * 40}")
    user_file(
        gateway("echo", refusing.url, f'engine = "{engine}"')
        + gateway("garbled", garbled.url, f'engine = "{engine}"')
        + f'[implied.lm]\nmodel = "openai/m"\napi_base = "{refusing.url}"\nengine = "{engine}"\n'
    )
    for words in ((), ("--json",), ("--debug",)):
        done = run("doctor", "--all", "--live", *words, GW_KEY=CANARY, OPENAI_API_KEY=f"{CANARY}-2")
        for start in range(len(CANARY) - 8):
            assert CANARY[start : start + 8] not in done.stdout + done.stderr
        assert "you sent Bearer ${OPENAI_API_KEY}, or" in done.stdout
    assert len(refusing.requests) == 6


def test_the_request_is_short_and_sent_once(serve: Any, user_file: Any, run: Any) -> None:
    server = serve()
    user_file(
        gateway(
            "a",
            server.url,
            'max_tokens = 4000\nn = 1\nresponse_format = { type = "json_object" }\n'
            "num_retries = 8\ncache = true",
        )
    )
    for _ in range(2):
        assert run("doctor", "a", "--live", GW_KEY=CANARY).returncode == 0
    assert len(server.requests) == 2  # the second was no cache's answer
    headers, sent = server.requests[0]
    assert headers["Authorization"] == f"Bearer {CANARY}"
    assert (sent.get("max_tokens") or sent["max_completion_tokens"]) == 16
    assert "response_format" not in sent


def test_no_callback_hears_of_the_call(serve: Any, write: Any, user_file: Any, run: Any) -> None:
    write(
        "listening.py",
        "from pathlib import Path\nfrom dspy.utils.callback import BaseCallback\n"
        "class Listener(BaseCallback):\n"
        "    def on_lm_start(self, **_): Path('heard').touch()\n",
    )
    user_file(
        gateway("a", serve().url, 'callbacks = ["listening.Listener"]')
        + '[a.settings]\ncallbacks = ["listening.Listener"]\n'
    )
    done = run("doctor", "a", "--live", GW_KEY=CANARY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not write("other", "").with_name("heard").exists()


def test_the_cache_folder_is_not_even_made(serve: Any, user_file: Any, run: Any, home: Any) -> None:
    user_file(gateway("a", serve().url))
    assert run("doctor", "a", "--live", GW_KEY=CANARY).returncode == 0
    assert not (home / ".dspy_cache").exists()


def test_the_hosts_are_shown_before_anything_is_sent(serve: Any, write: Any, run: Any) -> None:
    server = serve()
    write("profiles.toml", gateway("a", server.url) + '[b]\nprovider.class = "mock"\n')
    done = run("doctor", "--all", "--live", "--yes", GW_KEY=CANARY)
    assert done.stderr.splitlines() == [
        f"  a   →  {server.host}   set by profiles.toml:3",
        "  b   →  offline",
    ]


@pytest.mark.usefixtures("stranger")
def test_where_nobody_can_be_asked_a_projects_address_gets_no_secret(
    serve: Any, write: Any, run: Any
) -> None:
    server = serve()
    write("profiles.toml", gateway("a", server.url) + '[b]\nprovider.class = "mock"\n')
    done = run("doctor", "--all", "--live", GW_KEY=CANARY)
    assert done.returncode == 1
    assert f"not called: profiles.toml:3 sends GW_KEY to {server.host}" in done.stdout
    assert "1 of 2 profiles ready" in done.stdout
    assert server.requests == []


def test_a_profile_without_a_model_has_nobody_to_ask(write: Any, run: Any) -> None:
    write("profiles.toml", "[a.settings]\nnum_threads = 2\n")
    done = run("doctor", "a", "--live")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no model to call" in done.stdout


def test_a_profile_that_is_not_sound_is_not_asked(serve: Any, user_file: Any, run: Any) -> None:
    server = serve()
    user_file(gateway("a", server.url, 'temperature = "hot"'))
    assert run("doctor", "a", "--live", GW_KEY=CANARY).returncode == 1
    assert server.requests == []


def test_a_mock_that_fails_is_judged_as_a_server_would_be(write: Any) -> None:
    write(
        "profiles.toml",
        "".join(
            f'[{kind}.provider]\nclass = "mock"\nfailure_rate = 1.0\nfailure = "{kind}"\n'
            for kind in ("auth", "billing", "rate_limit", "server", "timeout", "unsupported_model")
        ),
    )
    answers = call_all(calls(examine(every=True)))
    assert {name: one.kind for name, one in answers.items()} == {
        "auth": "denied",
        "billing": "billing",
        "rate_limit": "rate-limited",
        "server": "server-error",
        "timeout": "timeout",
        "unsupported_model": "not-found",
    }


def test_each_answer_is_told_as_it_comes(write: Any) -> None:
    write("profiles.toml", '[a]\nprovider.class = "mock"\n[b]\nprovider.class = "mock"\n')
    heard: list[str] = []
    call_all(calls(examine(every=True)), lambda name, answer: heard.append(f"{name} {answer.kind}"))
    assert sorted(heard) == ["a answered", "b answered"]


def test_an_lm_that_ends_the_process_is_only_an_answer(write: Any, monkeypatch: Any) -> None:
    import sys

    monkeypatch.setattr(sys, "path", [*sys.path])
    write("ending.py", "class Engine:\n    def complete(self, request): raise SystemExit(3)\n")
    write("profiles.toml", '[a]\nprovider.class = "ending.Engine"\n')
    (answer,) = call_all(calls(examine(["a"]))).values()
    assert (answer.kind, answer.message) == ("error", "SystemExit: 3")


def test_json_is_all_that_stdout_holds(write: Any, run: Any) -> None:
    write("talking.py", "print('hello')\nclass Engine:\n    def complete(self, r): print('hi')\n")
    write("profiles.toml", '[a]\nprovider.class = "talking.Engine"\n')
    done = run("doctor", "a", "--live", "--json")
    assert json.loads(done.stdout)["profiles"][0]["live"]["result"] == "error"
