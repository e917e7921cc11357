"""Made-up values: valid for any type, readable, and always the same."""

import enum
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import dspy
import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MultipleOf
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    UUID7,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    Field,
    FutureDate,
    FutureDatetime,
    HttpUrl,
    IPvAnyAddress,
    Json,
    NaiveDatetime,
    PastDate,
    PostgresDsn,
    SecretStr,
    TypeAdapter,
    condecimal,
    constr,
    field_validator,
)

from dspy_profiles.objects.engines.mock._values import make_json, make_value


def made(kind: Any, seed: str = "hello", name: str = "answer", **more: Any) -> Any:
    return make_value(kind, seed_text=seed, name=name, **more)


def test_a_text_tells_that_it_is_the_mocks_and_which_field_it_is_in() -> None:
    assert made(str, name="next_step").rsplit(" ", 1)[0] == "mock next step"


def test_the_same_seed_and_name_make_the_same_value_and_others_another() -> None:
    assert made(list[str]) == made(list[str])
    assert made(str, seed="a") != made(str, seed="b")
    assert made(str, name="a") != made(str, name="b")


class Colour(enum.Enum):
    RED = "red"


CONSTRAINED = [
    Annotated[int, Gt(5), Lt(7)],
    Annotated[int, Le(-5)],
    Annotated[int, Ge(1000), MultipleOf(7)],
    Annotated[float, Gt(0.1), Lt(0.2)],
    Annotated[float, Ge(1e300)],
    Annotated[float, Lt(-3)],
    Annotated[float, MultipleOf(0.25)],
    Annotated[str, Len(50)],
    Annotated[str, Len(0, 3)],
    Annotated[list[int], Len(5, 5)],
    Annotated[set[bool], Len(2)],
    Annotated[dict[str, int], Len(4)],
    Annotated[dict[int, str], Len(0, 1)],
    Annotated[int, Interval(ge=3, lt=4)],
    Annotated[date, Gt(date(2030, 1, 1))],
    Annotated[datetime, Ge(datetime(1999, 1, 1)), Lt(datetime(1999, 1, 2))],  # noqa: DTZ001
    Annotated[timedelta, Gt(timedelta(days=3))],
    condecimal(max_digits=4, decimal_places=2, gt=1),
    condecimal(max_digits=1),
    condecimal(decimal_places=0),
    condecimal(multiple_of=Decimal("0.5")),
    constr(pattern=r"^[A-Z]{3}-\d{4}$"),
    constr(pattern=r"^(red|blue)[^a-z]?x+\w*$"),
    constr(pattern=r"^[\d.]+\s?(?:kg|lb)$", max_length=40),
]
SPECIAL = [
    HttpUrl, PostgresDsn, IPvAnyAddress, SecretStr, Base64Bytes, UUID7,
    AwareDatetime, NaiveDatetime, PastDate, FutureDate, FutureDatetime,
    dspy.Image, dspy.Audio, dspy.Code, dspy.Code["java"], dspy.Reasoning, dspy.History,
    dspy.ToolCalls, list[dspy.Image], dict[str, dspy.Code],
    type(None), None, dict, list, tuple, tuple[()], set, object,
]  # fmt: skip


@pytest.mark.parametrize("kind", CONSTRAINED + SPECIAL, ids=str)
@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_the_value_is_valid(kind: Any, seed: Any) -> None:
    TypeAdapter(kind).validate_python(made(kind, seed=seed))


def test_json_inside_a_text_is_read() -> None:
    assert all(isinstance(number, int) for number in made(Json[list[int]]))


KEYS = st.sampled_from([str, int, date, UUID, Literal["a", "b"], Colour])
LEAVES = st.sampled_from(
    [str, int, float, bool, bytes, Any, None, datetime, date, time, timedelta, Decimal, UUID, Path,
     Colour, Literal["a", 1], Annotated[int, Ge(3), Le(4)], Annotated[str, Len(3, 5)],
     dspy.Image, dspy.Code]
)  # fmt: skip
HASHABLE = st.sampled_from([str, int, bool, date, UUID, Colour, Literal["a", "b"]])


def of(generic: Any, *kinds: Any) -> Any:
    """`generic[kinds]` with kinds that are known at run time alone."""
    return generic[kinds]


def nested(children: Any) -> Any:
    return st.one_of(
        children.map(lambda kind: of(list, kind)),
        children.map(lambda kind: of(tuple, kind, ...)),
        children.map(lambda kind: kind and kind | None),
        HASHABLE.map(lambda kind: of(set, kind)),
        HASHABLE.map(lambda kind: of(frozenset, kind)),
        st.tuples(children, children).map(lambda pair: of(tuple, *pair)),
        st.tuples(KEYS, children).map(lambda pair: of(dict, *pair)),
        st.tuples(LEAVES, children).map(lambda pair: pair[0] and pair[0] | pair[1]),
        children.map(lambda kind: of(Annotated, of(list, kind), Len(1, 3))),
    )


@settings(max_examples=150, deadline=None)
@given(st.recursive(LEAVES, nested, max_leaves=6), st.text(max_size=5))
def test_any_nesting_of_types_gets_a_valid_value(kind: Any, seed: Any) -> None:
    read = TypeAdapter(kind)
    value = made(kind, seed=seed)
    read.validate_python(value)
    # What an LM would write is JSON, and reads as that value.
    read.validate_json(json.dumps(make_json(kind, seed_text=seed, name="answer")))


class Tree(BaseModel):
    label: str
    children: list["Tree"] = []
    parent: Optional["Tree"] = None


def test_a_model_within_itself_comes_to_an_end() -> None:
    tree = made(Tree)
    assert tree.children[0].children == []
    assert tree.parent.parent is None


class Endless(BaseModel):
    within: "Endless"


class Stranger:
    pass


@pytest.mark.parametrize("kind", [Endless, Stranger, type[int], "no type", 3, of(list, "Nowhere")])
def test_what_cannot_be_made_is_none(kind: Any) -> None:
    assert made(kind) is None


class Picky(BaseModel):
    city: str = Field(examples=["Paris"])
    country: str = "France"

    @field_validator("city", "country")
    @classmethod
    def known(cls, value: Any) -> Any:
        assert value in ("Paris", "France")
        return value


def test_what_a_validator_refuses_is_taken_from_examples_and_defaults() -> None:
    assert made(Picky) == Picky(city="Paris")


def test_aliases_are_followed_where_they_are_read() -> None:
    class Named(BaseModel):
        zip_code: str = Field(alias="zipCode")

    assert made(Named).zip_code.startswith("mock")
    assert "zipCode" in make_json(Named, seed_text="x", name="y")
    assert "zip_code" in make_json(Named, seed_text="x", name="y", by_alias=False)


def test_a_moment_has_a_time_zone_only_where_the_type_wants_one() -> None:
    assert made(datetime).tzinfo is None
    assert made(AwareDatetime).utcoffset() == UTC.utcoffset(None)


def test_code_in_python_is_python() -> None:
    compile(made(dspy.Code).code, "made", "exec")


def test_a_type_that_cannot_be_hashed_is_made_too() -> None:
    assert made(Annotated[int, Field(json_schema_extra={"a": []}), {}]) >= 1
