"""Programs under the mock: typed, streamed, awaited, with tools, by each adapter."""

import asyncio
import enum
from typing import Any, Literal

import dspy
import pydantic
import pytest
from tests.shapes import engine_lm

from dspy_profiles import profile


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0, le=150)
    likes: list[Literal["tea", "coffee"]]


class Typed(dspy.Signature):  # type: ignore[misc]
    """Answer with a value of each kind."""

    question: str = dspy.InputField()
    text: str = dspy.OutputField()
    number: float = dspy.OutputField()
    is_true: bool = dspy.OutputField()
    color: Color = dspy.OutputField()
    one_of: Literal["a", "b"] = dspy.OutputField()
    person: Person = dspy.OutputField()
    table: dict[str, int] = dspy.OutputField()
    maybe: int | None = dspy.OutputField()


@pytest.mark.parametrize("adapter", ["ChatAdapter", "JSONAdapter", "XMLAdapter"])
def test_every_field_has_a_value_of_its_type(adapter: str) -> None:
    if adapter == "XMLAdapter":  # it writes no nested values before DSPy 3.4
        signature: Any = "question -> answer, number: float, is_true: bool"
        kinds: dict[str, Any] = {"answer": str, "number": float, "is_true": bool}
    else:
        signature = Typed
        kinds = {"text": str, "number": float, "is_true": bool, "color": Color, "person": Person}
    with profile("mock"), dspy.context(adapter=getattr(dspy, adapter)()):
        answer = dspy.Predict(signature)(question="Why?")
    assert {name: type(getattr(answer, name)) for name in kinds} == kinds


def test_the_same_question_has_the_same_answer_everywhere() -> None:
    with profile("mock"):
        ask = dspy.ChainOfThought("question -> answer: int")
        first, again = ask(question="Why?"), asyncio.run(ask.acall(question="Why?"))
    assert (first.answer, first.reasoning) == (again.answer, again.reasoning)
    assert (first.answer, first.reasoning) == (4, "mock reasoning 7112")


def test_several_answers_differ() -> None:
    with profile("mock"):
        answers = dspy.Predict("question -> answer", n=3)(question="Why?").completions.answer
        said = dspy.settings.lm("Why?", n=2)
    assert len(set(answers)) == 3
    assert len(set(said)) == 2


def test_scripted_answers_are_given() -> None:
    with profile("mock", provider={"answers": [{"answer": "Paris"}]}):
        assert dspy.Predict("question -> answer")(question="Capital?").answer == "Paris"


def test_an_agent_comes_to_its_end() -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"sunny in {city}"

    with profile("mock"):
        done = dspy.ReAct("question -> answer", tools=[weather])(question="Is it sunny?")
    assert done.answer
    assert done.trajectory


def test_tools_are_called() -> None:
    class Call(dspy.Signature):  # type: ignore[misc]
        question: str = dspy.InputField()
        tools: list[dspy.Tool] = dspy.InputField()
        calls: dspy.ToolCalls = dspy.OutputField()

    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    with profile("mock"):
        done = dspy.Predict(Call)(question="Is it sunny?", tools=[dspy.Tool(weather)])
    assert [call.name for call in done.calls.tool_calls] == ["weather"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_an_answer_is_streamed(asynchronous: bool) -> None:
    class Program(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            return self.ask(question=question)

        async def aforward(self, question: str) -> Any:
            return await self.ask.acall(question=question)

    async def read() -> list[Any]:
        listener = dspy.streaming.StreamListener(signature_field_name="answer")
        options: dict[str, Any] = {"is_async_program": asynchronous}
        program = dspy.streamify(Program(), stream_listeners=[listener], **options)
        with profile("mock"):
            return [each async for each in program(question="Why?")]

    *pieces, last = asyncio.run(read())
    streamed = "".join(piece.chunk for piece in pieces if hasattr(piece, "chunk"))
    assert streamed.strip() == last.answer
    assert len(pieces) > 1


def test_usage_is_tracked() -> None:
    with profile("mock"), dspy.context(track_usage=True):
        answer = dspy.Predict("question -> answer")(question="Why?")
    assert answer.get_lm_usage()["mock"]["total_tokens"] > 0


def test_an_engines_own_error_is_not_its_own_cause() -> None:
    class Fails:
        def complete(self, request: Any) -> Any:
            raise ValueError("odd")

    with pytest.raises(Exception, match="odd") as raised:
        engine_lm("own/model", Fails(), cache=False)("Why?")
    assert raised.value.__cause__ is not raised.value


def test_a_failure_has_its_kind_and_is_retried() -> None:
    fails = profile("mock", provider={"failure_rate": 1, "failure": "rate_limit"})
    with fails, pytest.raises(Exception, match="failed on purpose") as raised:
        dspy.settings.lm("Why?")
    assert "RateLimit" in type(raised.value).__name__
    with profile("mock", lm={"num_retries": 30}, provider={"failure_rate": 0.5}):
        assert dspy.settings.lm("Why?")
