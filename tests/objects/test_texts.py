"""Inputs and requests as texts: the same in every process."""

import dataclasses
import enum
from typing import Any

import dspy
from pydantic import BaseModel
from tests.shapes import lm15

from dspy_profiles.objects.engines.mock._text import prompt_of, text_of


class Colour(enum.StrEnum):
    RED = "red"


class Model(BaseModel):
    names: set[str]


@dataclasses.dataclass
class Data:
    number: int


class Thing:
    pass


def test_a_text_holds_no_address_and_no_order_of_a_set() -> None:
    assert text_of({"a": {"z", "b"}, "c": [Model(names={"y", "x"}), Data(1)]}) == (
        "{a: {b, z}, c: [{names: {x, y}}, {number: 1}]}"
    )
    assert text_of(Thing()) == text_of(Thing())
    assert text_of([Colour.RED, b"bytes", None]) == "[red, bytes, None]"


def test_dspys_own_values_are_read_by_what_they_hold() -> None:
    def look(term: str) -> None:
        """Look it up."""

    assert text_of(dspy.Tool(look)).startswith("{name: look, desc: Look it up.")
    assert text_of(dspy.Example(a=1)) == "{a: 1}"
    # A model that iterates over something else than its fields.
    assert text_of(dspy.Reasoning(content="so")) == "{content: so}"
    assert text_of(dspy.History(messages=[{"q": "x"}])) == "{messages: [{q: x}]}"


def test_an_input_that_holds_itself_comes_to_an_end() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert text_of(endless).count("[") < 50


def test_a_prompt_holds_every_part_of_every_message() -> None:
    call = lm15.ToolCallPart(id="1", name="look", input={"term": "x"})
    request = lm15.Request(
        model="m",
        system=(lm15.TextPart("be brief"),),
        messages=(
            lm15.Message.user([lm15.TextPart("see"), lm15.ImagePart(url="http://i")]),
            lm15.Message(role="assistant", parts=(call,)),
            lm15.Message(role="tool", parts=(lm15.tool_result("1", "found"),)),
        ),
    )
    assert (
        prompt_of(request) == 'be brief\n\nsee\n\n[image: http://i]\n\nlook({"term": "x"})\n\nfound'
    )
