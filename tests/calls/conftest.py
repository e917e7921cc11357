"""A clean DSPy, a stage that keeps what it hears, and what calls may reach: engines, a server."""

import threading
from collections.abc import Callable, Iterator
from email.message import Message
from types import SimpleNamespace
from typing import Any

import dspy
import pytest
from tests.loopback import Loopback, Reply
from tests.shapes import engine_lm, lm15

from dspy_profiles.calls import Answer, Call, Stage

SAID = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"


@pytest.fixture(autouse=True)
def fresh(clean_calls: None) -> None:
    """For every test here."""


class Heard(Stage):
    """Keeps what it hears, in order; says what it was told to say."""

    def __init__(self, log: list[str] | None = None, name: str = "") -> None:
        self.log = [] if log is None else log
        self.name = name
        self.says: Answer | BaseException | None = (
            None  # an answer, or an error that holds the call back
        )
        self.calls: list[Call] = []
        self.answers: list[Answer] = []
        self.errors: list[BaseException] = []
        self.costs: list[float | None] = []
        self.paid: list[Call] = []  # the calls that the costs are of

    def _note(self, what: str) -> None:
        self.log.append(f"{self.name} {what}".lstrip())

    def before(self, call: Call) -> Answer | None:
        self._note("before")
        self.calls.append(call)
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says

    def after(self, call: Call, answer: Answer) -> None:
        self._note("after")
        self.answers.append(answer)

    def failed(self, call: Call, error: BaseException) -> None:
        self._note("failed")
        self.errors.append(error)

    def held(self, call: Call, error: Exception) -> None:
        self._note("held")
        self.errors.append(error)

    def priced(self, call: Call, cost: float | None) -> None:
        self._note("priced")
        self.costs.append(cost)
        self.paid.append(call)

    def cached(self, lm: Any) -> None:
        self._note("cached")


@pytest.fixture
def heard(stand: Any) -> Heard:
    """One stage that stands already, and keeps what it hears."""
    stage = Heard()
    stand(stage)
    return stage


@pytest.fixture
def listener() -> type[Heard]:
    return Heard


def reply(text: str = SAID) -> Any:
    return lm15.Response(
        id="1",
        model="model",
        message=lm15.Message.assistant([lm15.TextPart(text)]),
        finish_reason="stop",
        usage=lm15.Usage(input_tokens=10, output_tokens=2, total_tokens=12),
    )


class Engine:
    """Somebody's own; counts what reaches it, and fails with what it is given, first of all."""

    def __init__(self, *errors: BaseException, answer: Any = None, offline: bool = False) -> None:
        self.errors = list(errors)
        self.answer = reply() if answer is None else answer
        self.offline = offline
        self.made = 0
        self._lock = threading.Lock()

    def complete(self, request: Any) -> Any:
        with self._lock:
            self.made += 1
            if self.errors:
                raise self.errors.pop(0)
        return self.answer

    def stream(self, request: Any) -> Iterator[Any]:
        yield from lm15.response_to_events(self.complete(request))


class AsyncSide:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def complete(self, request: Any) -> Any:
        return self.engine.complete(request)

    async def stream(self, request: Any) -> Any:
        for event in self.engine.stream(request):
            yield event


@pytest.fixture
def engine() -> Callable[..., Engine]:
    return Engine


@pytest.fixture
def lm_of() -> Callable[..., Any]:
    """An LM on an engine, with both of its sides and no cache."""

    def lm_of(engine: Any, **more: Any) -> Any:
        more = {"cache": False, **more}
        return engine_lm("own/model", engine=engine, async_engine=AsyncSide(engine), **more)

    return lm_of


class Server(Loopback):
    """OpenAI's chat and embeddings and a ColBERTv2 on loopback; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.statuses: list[int] = []  # of the next answers; 200 where there is none
        super().__init__()
        self.url = self.root

    def reply(self, path: str, headers: Message, asked: Any) -> Reply:
        self.asked.append((path, asked))
        status = self.statuses.pop(0) if self.statuses else 200
        return Reply(self.answer(path, asked), status, {"Retry-After": "0"})

    def answer(self, path: str, asked: Any) -> Any:
        if "embeddings" in path:
            data = [{"object": "embedding", "index": n, "embedding": [1.0, 2.0]} for n in (0, 1)]
            usage = {"prompt_tokens": 3, "total_tokens": 3}
            kept = data[: len(asked["input"])]
            return {"object": "list", "model": asked["model"], "data": kept, "usage": usage}
        if "chat" in path:
            message = {"role": "assistant", "content": SAID}
            usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            head = {"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"]}
            return {**head, "choices": [choice], "usage": usage}
        return {"topk": [{"text": "a passage", "pid": 1}]}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


@pytest.fixture
def openai(server: Server) -> Iterator[Callable[..., Any]]:
    """LMs whose calls reach the server, over sockets that are closed in the end."""
    made: list[Any] = []

    def openai(model: str = "openai/gpt-4o-mini", **more: Any) -> Any:
        more = {"cache": False, "api_base": f"{server.url}/v1", "api_key": "x", **more}
        made.append(dspy.LM(model, **more))
        return made[-1]

    yield openai
    for each in made:
        if hasattr(each, "close"):
            each.close()


@pytest.fixture
def without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """DSPy turns embeddings into arrays when all calls are over; here they stay lists."""
    import dspy.clients.embedding

    plain = SimpleNamespace(array=lambda values, dtype=None: values, float32=None)
    monkeypatch.setattr(dspy.clients.embedding, "np", plain)
