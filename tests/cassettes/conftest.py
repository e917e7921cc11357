"""A clean DSPy, an engine that says what it is told to, and one that may not be called."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dspy
import pytest
from tests.shapes import engine_lm, lm15

from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls import STAGES
from dspy_profiles.calls.cassettes import Cassette, stages_for
from dspy_profiles.objects.engines._async import AsyncSide


@pytest.fixture(autouse=True)
def no_stages(
    clean_dspy: None, cache_in_memory: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """DSPy as a fresh process has it, and nothing between it and its LMs when the test is over."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    yield
    assert STAGES not in dspy.settings, "stages still stand"


def response(text: str, **more: Any) -> Any:
    """What a model says, as lm15 has it."""
    parts = more.pop("parts", None) or [lm15.TextPart(text)]
    usage = lm15.Usage(input_tokens=10, output_tokens=2, total_tokens=12)
    said = {"id": "1", "model": "own/model", "finish_reason": "stop", "usage": usage, **more}
    return lm15.Response(message=lm15.Message.assistant(parts), **said)


def says(answer: str) -> Any:
    """A response from which DSPy's chat adapter reads one field, `answer`."""
    return response(f"[[ ## answer ## ]]\n{answer}\n\n[[ ## completed ## ]]")


class Engine:
    """Says what a function makes of a request; raises what it says if that is an error."""

    supports_function_calling = True
    supports_response_schema = True
    supported_params = frozenset({"response_format", "logprobs"})

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer = answer
        self.asked: list[Any] = []
        self._lock = threading.Lock()

    def complete(self, request: Any) -> Any:
        with self._lock:
            self.asked.append(request)
            said = self.answer(request)
        if isinstance(said, BaseException):
            raise said
        return said

    async def acomplete(self, request: Any) -> Any:
        return self.complete(request)

    def stream(self, request: Any) -> Iterator[Any]:
        said = self.complete(request)
        for event in said if isinstance(said, list) else lm15.response_to_events(said):
            if isinstance(event, Exception):
                raise event
            yield event


@pytest.fixture
def lm_of() -> Callable[..., Any]:
    """An LM that answers what it is given: a function of the request, or answers in turn."""

    def lm_of(*answers: Any, model: str = "own/model", **more: Any) -> Any:
        if len(answers) == 1 and callable(answers[0]):
            answer = answers[0]
        else:
            left = iter([says(each) if isinstance(each, str) else each for each in answers])

            def answer(_: Any) -> Any:
                return next(left)

        engine = Engine(answer)
        more = {"cache": False, "num_retries": 0, **more}
        return engine_lm(model, engine=engine, async_engine=AsyncSide(engine), **more)

    return lm_of


@pytest.fixture
def silent(lm_of: Any) -> Any:
    """An LM that fails the test when it is asked."""

    def fail(_: Any) -> Any:
        pytest.fail("the model was asked")

    return lm_of(fail)


@pytest.fixture
def path(project: Path) -> Path:
    return project / "cassettes" / "x.jsonl"


@pytest.fixture
def playing(path: Path) -> Callable[..., Any]:
    """A block in which a cassette stands, with an LM; it is saved when the block has ended."""

    @contextmanager
    def playing(
        mode: str = "none", lm: Any = None, also: Any = (), **more: Any
    ) -> Iterator[Cassette]:
        cassette = Cassette(path, mode, **more)
        stages.set_process_stages((*stages_for(cassette), *also))
        try:
            with dspy.context(lm=lm):
                yield cassette
        finally:
            stages.set_process_stages(())
        cassette.save()

    return playing


@pytest.fixture
def ask() -> Callable[..., str]:
    """What a program of one call answers."""

    def ask(question: str = "Why?", **config: Any) -> str:
        predict = dspy.Predict("question -> answer")
        answer: str = predict(question=question, config=config).answer
        return answer

    return ask
