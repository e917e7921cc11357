"""On a terminal: the question before a secret leaves, the progress display, Ctrl-C."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("stranger")

if sys.platform == "win32":
    pytest.skip("pexpect needs a pseudo-terminal", allow_module_level=True)
pexpect = pytest.importorskip("pexpect")

KEY = "sk-canary-0123456789abcdefgh"


@pytest.fixture
def terminal(command: list[str]) -> Iterator[Callable[..., Any]]:
    """Starts the program on a terminal of 200 columns."""
    started = []

    def start(*words: str) -> Any:
        first, *rest = [*command, *words]
        child = pexpect.spawn(
            first,
            rest,
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 200),
            env={**os.environ, "GW_KEY": KEY, "TERM": "xterm"},
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


@pytest.fixture
def gateway(write: Any) -> Callable[[Any], None]:
    def written(server: Any) -> None:
        write(
            "profiles.toml",
            f'[a.lm]\nmodel = "openai/m"\napi_base = "{server.url}"\napi_key = "${{GW_KEY}}"\n',
        )

    return written


def ended(child: Any) -> int:
    child.expect(pexpect.EOF)
    child.wait()
    return int(child.exitstatus)


def test_yes_sends_the_key(serve: Any, gateway: Any, terminal: Any) -> None:
    server = serve()
    gateway(server)
    child = terminal("doctor", "a", "--live")
    child.expect_exact(f"a: send GW_KEY to {server.host}, set by profiles.toml:3?")
    assert server.requests == []
    child.sendline("y")
    child.expect_exact("model answers")
    assert ended(child) == 0
    assert len(server.requests) == 1


def test_no_keeps_it(serve: Any, gateway: Any, terminal: Any) -> None:
    server = serve()
    gateway(server)
    child = terminal("doctor", "a", "--live")
    child.expect_exact("set by profiles.toml:3?")
    child.sendline("n")
    child.expect_exact("not called")
    assert ended(child) == 1
    assert server.requests == []


def test_ctrl_c_at_the_question_ends_it(serve: Any, gateway: Any, terminal: Any) -> None:
    server = serve()
    gateway(server)
    child = terminal("doctor", "a", "--live")
    child.expect_exact("set by profiles.toml:3?")
    child.sendintr()
    assert ended(child) == 130
    assert server.requests == []


@pytest.mark.parametrize("engine", ["auto", "litellm"])
def test_ctrl_c_ends_a_call_at_once(serve: Any, write: Any, terminal: Any, engine: str) -> None:
    server = serve(silent=True)
    write(
        "profiles.toml",
        f'[a.lm]\nmodel = "openai/m"\napi_base = "{server.url}"\napi_key = "none"\n'
        f'engine = "{engine}"\n',
    )
    child = terminal("doctor", "a", "--live", "--timeout", "3600")
    assert server.asked.wait(60)
    child.sendintr()
    assert ended(child) == 130  # long before an hour has gone by


def test_the_progress_shows_who_is_waited_for(serve: Any, write: Any, terminal: Any) -> None:
    server = serve(silent=True)
    write(
        "profiles.toml",
        f'[a.lm]\nmodel = "openai/m"\napi_base = "{server.url}"\napi_key = "none"\n',
    )
    child = terminal("doctor", "a", "--live", "--timeout", "2")
    child.expect(rf"a  {server.host} .*0:00:0\d")
    child.expect_exact("no response within 2 s")
    assert ended(child) == 1
