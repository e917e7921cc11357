"""What holds on each DSPy that is supported; the other tests say more, about the newest."""

import json
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from tests.loopback import Loopback, Reply

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.every_dspy)


@pytest.fixture(autouse=True)
def offline_prices(monkeypatch: pytest.MonkeyPatch, clean_calls: None) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


class Server(Loopback):
    """An OpenAI on loopback that knows one capital; it streams where it is asked to."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.statuses: list[int] = []  # of the next answers; 200 where there is none
        super().__init__()

    def reply(self, path: str, headers: Message, asked: Any) -> Reply:
        self.asked.append(asked)
        if self.statuses:
            error = {"message": "down", "type": "server_error", "code": "x"}
            return Reply({"error": error}, self.statuses.pop(0), {"Retry-After": "0"})
        text = _text_for(asked)
        head = {"id": "1", "created": 1, "model": "gpt-4o-mini"}
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        if asked.get("stream"):
            return Reply("".join(_lines(head, text, usage)), kind="text/event-stream")
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return Reply({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def _text_for(asked: dict[str, Any]) -> str:
    if "JSON object" in json.dumps(asked["messages"]):
        return json.dumps({"reasoning": "because", "answer": "Paris"})
    return "".join(
        f"[[ ## {name} ## ]]\n{value}\n\n"
        for name, value in (("reasoning", "because"), ("answer", "Paris"), ("completed", ""))
    ).rstrip()


def _lines(head: dict[str, Any], text: str, usage: dict[str, int]) -> Iterator[str]:
    head = {**head, "object": "chat.completion.chunk"}
    for place in range(0, len(text), 7):
        delta = {"content": text[place : place + 7]}
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield f"data: {json.dumps({**head, 'choices': [choice], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


@pytest.fixture
def live(server: Server, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a profile whose calls reach the server."""
    monkeypatch.setenv("LIVE_KEY", "sk-canary-every-4f1c9a7e2b")
    write(
        "profiles.toml",
        f'[live.lm]\nmodel = "openai/gpt-4o-mini"\napi_base = "{server.root}/v1"\n'
        'api_key = "${LIVE_KEY}"\ncache = false\n',
    )
    return "live"
