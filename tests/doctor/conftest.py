"""Servers of every temper on loopback, and the command as a process of its own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import pytest
from tests import loopback
from tests.loopback import Loopback, Reply

ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "OK"}}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Server(Loopback):
    """An OpenAI-like server that answers every request in one way, and keeps what it was sent."""

    def __init__(
        self,
        status: int = 200,
        body: Any = ANSWER,
        headers: dict[str, str] | None = None,
        *,
        silent: bool = False,
    ) -> None:
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.asked = threading.Event()
        self._released = threading.Event()
        self._status, self._body, self._headers, self._silent = status, body, headers or {}, silent
        super().__init__()
        self.url = f"{self.root}/v1"

    def reply(self, path: str, headers: Message, asked: Any) -> Reply | None:
        self.requests.append((dict(headers), asked))
        self.asked.set()
        if self._silent:
            self._released.wait()
            return None
        body = self._body(headers) if callable(self._body) else self._body
        return Reply(body, self._status, self._headers)

    def stop(self) -> None:
        self._released.set()
        super().stop()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers, and stops them after the test."""
    running: list[Server] = []

    def start(*args: Any, **kwargs: Any) -> Server:
        running.append(Server(*args, **kwargs))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def nobody() -> str:
    """An address on which nobody listens."""
    return loopback.nobody()


@pytest.fixture
def command() -> list[str]:
    """What starts the program, before its own words."""
    return [sys.executable, "-m", "dspy_profiles"]


@pytest.fixture
def run(command: list[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the program with these words; stdin is no terminal."""

    def ran(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )

    return ran


@pytest.fixture
def results(run: Any) -> Callable[..., dict[str, Any]]:
    """What `doctor --live` found of each profile, by name, and the process itself under ""."""

    def found(*words: str, **environment: str) -> dict[str, Any]:
        done = run("doctor", "--all", "--live", "--json", *words, **environment)
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)
        return {"": done, **{one["name"]: one for one in told["profiles"]}}

    return found
