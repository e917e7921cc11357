"""A clean DSPy, stores of every kind, and small programs to record."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import build
from dspy_profiles.activation import prepared
from dspy_profiles.results import Store, open_store

NUMBERS = itertools.count()
SAID = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"


@pytest.fixture(autouse=True)
def clean_dspy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """DSPy as a fresh process has it, with its cache in memory."""
    module = sys.modules["dspy.dsp.utils.settings"]
    before = dict(module.main_thread_config)
    module.config_owner_thread_id = module.config_owner_async_task = None
    prepared._ready.clear()
    build._objects.clear()
    in_memory = dspy.clients.Cache(
        enable_disk_cache=False, enable_memory_cache=True, disk_cache_dir=None
    )
    monkeypatch.setitem(vars(dspy), "cache", in_memory)
    yield
    assert dspy.settings.callbacks == [], "something is still recorded"
    dict.clear(module.main_thread_config)
    dict.update(module.main_thread_config, before)
    module.config_owner_thread_id = module.config_owner_async_task = None


def memory_url(_folder: Path) -> str:
    return f"memory:{next(NUMBERS)}"


def file_url(folder: Path) -> str:
    return f"file:{folder / 'results'}"


# Each kind of store adds its line here, and so passes the same suite.
URLS: dict[str, Callable[[Path], str]] = {"memory": memory_url, "file": file_url}


@pytest.fixture(params=sorted(URLS))
def url(request: pytest.FixtureRequest, project: Path) -> str:
    """The URL of an empty store, of each kind in turn."""
    return URLS[request.param](project)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def file_store(project: Path) -> Store:
    return open_store(file_url(project))


class Engine:
    """Answers at once: with the same, or with what a function makes of the request."""

    def __init__(
        self,
        answer: Callable[[Any], str] | str = SAID,
        tokens: Callable[[Any], int] = lambda _: 10,
    ) -> None:
        self.answer = answer
        self.tokens = tokens

    def complete(self, request: Any) -> Any:
        text = self.answer if isinstance(self.answer, str) else self.answer(request)
        return dspy.lm15.Response(
            id="1",
            model="model",
            message=dspy.lm15.Message.assistant([dspy.lm15.TextPart(text)]),
            finish_reason="stop",
            usage=dspy.lm15.Usage(
                input_tokens=self.tokens(request),
                output_tokens=2,
                total_tokens=self.tokens(request) + 2,
            ),
        )


class AsyncSide:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def complete(self, request: Any) -> Any:
        return self.engine.complete(request)


@pytest.fixture
def lm_of() -> Callable[..., Any]:
    """An LM on such an engine, with both of its sides and no cache."""

    def lm_of(answer: Any = SAID, tokens: Any = lambda _: 10, **more: Any) -> Any:
        engine, more = Engine(answer, tokens), {"cache": False, **more}
        return dspy.LM("own/model", engine=engine, async_engine=AsyncSide(engine), **more)

    return lm_of


@pytest.fixture
def lm(lm_of: Callable[..., Any]) -> Iterator[Any]:
    """The LM that is configured."""
    made = lm_of()
    with dspy.context(lm=made):
        yield made


class Program(dspy.Module):
    """One module around another."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.acall(question=question)


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def examples() -> Callable[[int], list[Any]]:
    def examples(count: int) -> list[Any]:
        return [
            dspy.Example(question=f"question {n}", answer="Paris").with_inputs("question")
            for n in range(count)
        ]

    return examples
