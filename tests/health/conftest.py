"""Servers of every temper on loopback, and the command as a process of its own."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

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


class Server:
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
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append((dict(self.headers), sent))
                server.asked.set()
                if silent:
                    server.released.wait()
                    return
                made = body(self.headers) if callable(body) else body
                out = made.encode() if isinstance(made, str) else json.dumps(made).encode()
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            def log_message(self, *_words: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._http.server_port}"
        self.url = f"http://{self.host}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


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
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


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
