"""A server on loopback that speaks OpenAI's chat completions, and knows who has asked it what."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ANSWER = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"


class Server:
    """Answers every request in one way: with a text, or with an error of this status."""

    def __init__(
        self,
        status: int = 200,
        says: str = ANSWER,
        *,
        headers: dict[str, str] | None = None,
        echoes_key: bool = False,
        tokens: tuple[int, int] = (10, 5),
    ) -> None:
        self.asked: list[str] = []  # the path of each request
        self.keys: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer({"topk": []})

            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key = self.headers.get("Authorization", "").removeprefix("Bearer ")
                server.keys.append(key)
                text = f"{says} {key}" if echoes_key else says
                if self.path.endswith("embeddings"):
                    self._answer({"data": [{"embedding": [1.0], "index": 0}], "model": "m"})
                elif "search" in self.path:
                    self._answer({"topk": []})
                elif status == 200:
                    body = completion(sent["model"], text, *tokens)
                    self._answer(body, streamed=bool(sent.get("stream")))
                else:
                    self._answer({"error": {"message": text, "type": "error", "code": None}})

            def _answer(self, body: dict[str, Any], *, streamed: bool = False) -> None:
                server.asked.append(self.path)
                out = (as_events(body) if streamed else json.dumps(body)).encode()
                self.send_response(status)
                for name, value in {**(headers or {}), "Connection": "close"}.items():
                    self.send_header(name, value)
                kind = "text/event-stream" if streamed else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            def log_message(self, *_words: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._http.server_port}"
        self.url = f"{self.root}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def profile(
        self, name: str = "live", model: str = "gpt-4o-mini", *, cache: bool = False
    ) -> str:
        """A profile that asks this server, once for each call."""
        return profile(name, self.url, model, cache=cache)


def profile(name: str, url: str, model: str = "gpt-4o-mini", *, cache: bool = False) -> str:
    return f"""
[{name}.lm]
model = "openai/{model}"
api_base = "{url}"
api_key = "${{TEST_KEY:-not-needed}}"
num_retries = 0
cache = {str(cache).lower()}
"""


def nobody() -> str:
    """An address on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}/v1"


def completion(model: str, text: str, prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def as_events(whole: dict[str, Any]) -> str:
    """The completion as one piece of a stream, and the stream's end."""
    choice = {**whole["choices"][0], "delta": whole["choices"][0]["message"]}
    piece = {**whole, "object": "chat.completion.chunk", "choices": [choice]}
    return f"data: {json.dumps(piece)}\n\ndata: [DONE]\n\n"
