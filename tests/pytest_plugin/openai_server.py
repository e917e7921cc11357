"""A server on loopback that speaks OpenAI's chat completions, and knows who has asked it what."""

import json
from email.message import Message
from typing import Any

from tests.loopback import Loopback, Reply

ANSWER = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"


class Server(Loopback):
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
        self._status, self._headers = status, headers or {}
        self._says, self._echoes_key, self._tokens = says, echoes_key, tokens
        super().__init__()
        self.url = f"{self.root}/v1"

    def reply(self, path: str, headers: Message, asked: Any) -> Reply:
        self.asked.append(path)
        if "search" in path:
            return self._reply({"topk": []})
        key = headers.get("Authorization", "").removeprefix("Bearer ")
        self.keys.append(key)
        text = f"{self._says} {key}" if self._echoes_key else self._says
        if path.endswith("embeddings"):
            return self._reply({"data": [{"embedding": [1.0], "index": 0}], "model": "m"})
        if self._status != 200:
            return self._reply({"error": {"message": text, "type": "error", "code": None}})
        body = completion(asked["model"], text, *self._tokens)
        if asked.get("stream"):
            return self._reply(as_events(body), "text/event-stream")
        return self._reply(body)

    def _reply(self, body: Any, kind: str = "application/json") -> Reply:
        return Reply(body, self._status, self._headers, kind)

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
