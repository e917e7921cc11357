"""The mock answers every type through every adapter."""

import asyncio
import dataclasses
import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union
from uuid import UUID

import dspy
import pytest
from dspy.adapters.baml_adapter import BAMLAdapter
from pydantic import BaseModel, Field, HttpUrl, TypeAdapter
from tests.shapes import engine_lm
from typing_extensions import TypedDict

from dspy_profiles.objects.engines.mock import MockEngine


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Tone(enum.StrEnum):
    WARM = "warm"
    COLD = "cold"


class Address(BaseModel):
    street: str
    country: Literal["US", "CA"]
    zip_code: str = Field(alias="zipCode", pattern=r"^\d{5}$")


class Person(BaseModel):
    name: str
    age: int = Field(ge=18, lt=120)
    address: Address | None
    post_boxes: list[str] = Field(alias="postBoxes")
    nicknames: list[str] = []
    scores: dict[str, float] = Field(default_factory=dict)


class Tree(BaseModel):
    label: str
    children: list["Tree"] = []


class Options(TypedDict):
    depth: int
    tags: list[str]


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Span(NamedTuple):
    start: int
    end: int


TYPES = [
    str, int, float, bool, bytes, Any,
    list[str], list[int], set[int], frozenset[str], tuple[int, str], tuple[int, ...],
    dict[str, int], dict[str, Any], dict[int, str], dict[str, list[int]],
    Literal["yes", "no"], Literal[1, 2, 3], Colour, Level, Tone,
    Optional[int], Optional[str], int | None, str | None,  # noqa: UP045  # both are met in programs
    Union[int, str], int | str, list[Colour], Colour | None,  # noqa: UP007
    datetime, date, time, timedelta, Decimal, UUID, Path, HttpUrl,
    Options, Point, Span, Person, list[Person], Person | None, dict[str, Person], Tree,
    Annotated[int, Field(ge=5, le=7)], Annotated[list[int], Field(min_length=3)],
    dspy.Image, dspy.Audio, dspy.Code, dspy.Code["java"], dspy.Reasoning, dspy.History,
    dspy.ToolCalls, list[dspy.Image],
]  # fmt: skip
ADAPTERS = {
    "chat": dspy.ChatAdapter,
    "json": dspy.JSONAdapter,
    "xml": dspy.XMLAdapter,
    "baml": BAMLAdapter,
    "two-step": dspy.TwoStepAdapter,
}
# What these adapters refuse before they ask an LM at all.
REFUSED = {(dspy.ToolCalls, "json"), (dspy.ToolCalls, "baml"), (Tree, "baml")}
PAIRS = [
    pytest.param(kind, adapter, id=f"{kind}-{adapter}")
    for kind in TYPES
    for adapter in ADAPTERS
    if (kind, adapter) not in REFUSED
]


def adapter_called(name: Any, lm: Any) -> Any:
    kind = ADAPTERS[name]
    if kind is dspy.TwoStepAdapter:
        return kind(lm)
    if kind in (dspy.ChatAdapter, dspy.XMLAdapter):
        # No second attempt as JSON: the first answer has to do.
        return kind(use_json_adapter_fallback=False)
    return kind()


def signature_of(kind: Any) -> Any:
    return dspy.Signature("question -> answer").with_updated_fields("answer", type_=kind)


@pytest.mark.parametrize(("kind", "adapter"), PAIRS)
def test_every_type_is_answered_through_every_adapter(
    kind: Any, adapter: Any, mock_lm: Any
) -> None:
    lm = mock_lm()
    with dspy.context(lm=lm, adapter=adapter_called(adapter, lm)):
        answer = dspy.Predict(signature_of(kind))(question="What is it?").answer
    TypeAdapter(kind).validate_python(answer)
    assert answer is not None


@pytest.mark.parametrize("kind", [str, Person, list[Level], Options], ids=str)
def test_the_answer_does_not_depend_on_the_adapter_or_on_async(kind: Any, mock_lm: Any) -> None:
    lm = mock_lm()
    predict = dspy.Predict(signature_of(kind))
    answers = []
    for name in ADAPTERS:
        with dspy.context(lm=lm, adapter=adapter_called(name, lm)):
            answers.append(predict(question="What is it?").answer)
            answers.append(asyncio.run(predict.acall(question="What is it?")).answer)
    assert all(answer == answers[0] for answer in answers)


def test_bounds_written_on_the_field_are_kept(mocked: Any) -> None:
    class Rate(dspy.Signature):  # type: ignore[misc]
        text: str = dspy.InputField()
        stars: int = dspy.OutputField(ge=4, le=5)
        title: str = dspy.OutputField(max_length=6)

    for number in range(20):
        rated = dspy.Predict(Rate)(text=f"text {number}")
        assert rated.stars in (4, 5)
        assert len(rated.title) <= 6


def test_a_users_own_adapter_is_answered_in_its_format(mock_lm: Any) -> None:
    class Shouting(dspy.ChatAdapter):  # type: ignore[misc]
        def format_assistant_message_content(
            self, signature: Any, outputs: Any, missing_field_message: Any = None
        ) -> Any:
            return "!!".join(f"{name}={outputs[name]}" for name in signature.output_fields)

        def parse(self, signature: Any, completion: Any) -> Any:
            return dict(part.split("=") for part in completion.split("!!"))

    with dspy.context(lm=mock_lm(), adapter=Shouting()):
        said = dspy.Predict("question -> answer, reason")(question="hi")
    assert said.answer.startswith("mock answer ")
    assert said.reason.startswith("mock reason ")


def test_an_adapter_around_another_is_answered_in_the_inner_ones_format(mock_lm: Any) -> None:
    class Around(dspy.Adapter):  # type: ignore[misc]
        def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
            return dspy.XMLAdapter()(lm, lm_kwargs, signature, demos, inputs)

    with dspy.context(lm=mock_lm(), adapter=Around()):
        assert dspy.Predict("question -> answer")(question="hi").answer.startswith("mock answer ")


def test_the_second_attempt_as_json_is_answered_as_json() -> None:
    class Broken(dspy.ChatAdapter):  # type: ignore[misc]
        def parse(self, signature: Any, completion: Any) -> Any:
            return super().parse(signature, "nothing of use")

    engine = MockEngine()
    with dspy.context(lm=engine_lm("mock", engine=engine, cache=False), adapter=Broken()):
        said = dspy.Predict("question -> answer")(question="hi")
    assert said.answer.startswith("mock answer ")
    assert [call.reply and call.reply[:1] for call in engine.calls] == ["[", "{"]
