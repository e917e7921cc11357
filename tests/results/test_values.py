"""Whatever a program hands around is written down: as data, redacted, bounded, never failing."""

import dataclasses
import datetime as dt
import decimal
import enum
import math
import re
import uuid
from base64 import b64decode
from pathlib import Path
from typing import Any

import dspy
import orjson
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspy_profiles.results._words import words
from dspy_profiles.results.journal import whole
from dspy_profiles.results.journal._base import MemoryStorage
from dspy_profiles.results.recording._json import FOLD, LONGEST, MOST_ITEMS, encoded, plain
from dspy_profiles.secrets import _redaction as redaction


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: Any


class Model(pydantic.BaseModel):
    name: str
    secret: pydantic.SecretStr


class Shown:
    def __repr__(self) -> str:
        return f"<Shown at 0x{id(self):x}>"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Settable(dict[str, Any]):
    pass


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (math.nan, {"$float": "nan"}),
        (-math.inf, {"$float": "-inf"}),
        (2**64, {"$int": "18446744073709551616"}),
        (b"ab", {"$bytes": "YWI="}),
        (b"\xff", {"$bytes": "/w=="}),
        ((1, 2), [1, 2]),
        ({2, 1}, [1, 2]),
        ({1: "a"}, {"1": "a"}),
        ({1: "a", "1": "b"}, {"$pairs": [[1, "a"], ["1", "b"]]}),
        ({"$blob": "x"}, {"$table": {"$blob": "x"}}),
        (Settable(a=1), {"a": 1}),
        (Colour.RED, "red"),
        (Point(1, [Point(2, 3)]), {"x": 1, "y": [{"x": 2, "y": 3}]}),
        (
            Model(name="n", secret=pydantic.SecretStr("s3cret")),
            {"name": "n", "secret": {"$repr": "SecretStr('**********')"}},
        ),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("a") / "b", str(Path("a") / "b")),
        (dspy.Example(a=1).with_inputs("a"), {"a": 1}),
        (dspy.Prediction(answer="x"), {"answer": "x"}),
        (Shown(), {"$repr": "<Shown>"}),
        (len, {"$repr": "builtins.len"}),
        (Point, {"$repr": f"{__name__}.Point"}),
        ("a\ud800b", "a?b"),
    ],
)
def test_values_are_written_so_that_people_can_read_them(value: Any, written: Any) -> None:
    assert plain(value) == written
    line = encoded({"value": {"is": value}}, lambda _: None, "value")
    assert orjson.loads(line) == {"value": {"is": written}}


def test_an_object_that_cannot_be_shown_says_so() -> None:
    assert "cannot be shown: RuntimeError" in plain(Broken())["$repr"]
    assert plain([1, Broken()])[0] == 1


def test_an_image_is_written_with_what_it_holds() -> None:
    image = dspy.Image(url="https://example.com/a.png")
    assert plain(image)["url"] == "https://example.com/a.png"


def test_a_tool_is_written_by_its_name_and_arguments() -> None:
    def add(x: int) -> int:
        return x

    written = plain(dspy.Tool(add))
    assert written["name"] == "add"
    assert written["func"] == {"$repr": f"{__name__}.{add.__qualname__}"}


def test_circles_end() -> None:
    one: dict[str, Any] = {}
    one["self"] = [one]
    assert plain(one) == {"self": [{"$repr": "<the builtins.dict that this is in>"}]}
    orjson.loads(encoded({"value": one}, lambda _: None, "value"))


def test_what_is_deep_ends() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert "too deep" in str(plain(deep))
    orjson.loads(encoded({"value": deep}, lambda _: None, "value"))


def test_what_is_long_is_cut_and_says_how_long_it_was() -> None:
    written = plain(list(range(MOST_ITEMS + 10)))
    kept, count = written["$cut"]
    assert (len(kept), count) == (MOST_ITEMS, MOST_ITEMS + 10)
    text, count = plain("x" * (LONGEST + 1))["$cut"]
    assert (len(text), count) == (LONGEST, LONGEST + 1)
    data, count = plain(b"x" * (LONGEST + 1))["$cut"]
    assert (len(b64decode(data["$bytes"])), count) == (LONGEST, LONGEST + 1)


@pytest.mark.parametrize("table", [{"$blob": "a", "size": 1}, {"size": 1, "$blob": "a"}])
def test_a_table_that_looks_like_a_long_text_is_none(table: dict[str, Any]) -> None:
    assert whole(plain(table), MemoryStorage()) == {"$table": table}


def test_long_texts_are_kept_apart_by_their_hash() -> None:
    kept: list[bytes] = []

    def keep(text: bytes) -> str:
        kept.append(text)
        return "name"

    text = "é" * (FOLD + 1)
    assert plain(["short", text], keep) == ["short", {"$blob": "name", "size": 2 * FOLD + 2}]
    assert kept == [text.encode()]
    assert plain(text, lambda _: None) == {"$lost": FOLD + 1}


CANARY = 'sk-"canary"\n\\ünicode-0123456789'


@pytest.mark.parametrize("secret", ["sk-canary-0123456789", 'a"b\\c\nd', "schlüssel-123", CANARY])
@pytest.mark.parametrize("around", ["{}", "Bearer {}!", "x" * 10_000 + "{}"])
def test_no_resolved_secret_is_written(secret: str, around: str) -> None:
    redaction.remember(secret, "${KEY}")
    kept: list[bytes] = []
    text = around.format(secret)
    value = {text: [text, {"a": text.encode()}, Point(1, text), ValueError(text)]}

    def keep(long: bytes) -> str:
        kept.append(long)
        return "n"

    line = encoded({"value": value, "name": text}, keep, "value", "name")
    written = line.decode() + b"".join(kept).decode()
    assert "KEY" in written
    for spelled in (secret, orjson.dumps(secret).decode()[1:-1], repr(secret)[1:-1]):
        assert spelled not in written


def test_a_rule_of_a_plugin_is_about_each_text_as_it_is() -> None:
    redaction.add_redaction_rule(r"^card \d+$")
    line = encoded({"value": {"a": "card 1234", "b": "a card 1234"}}, lambda _: None, "value")
    assert orjson.loads(line)["value"] == {"a": redaction.MASK, "b": "a card 1234"}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.datetimes()
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers() | st.booleans(), inner)
        | st.tuples(inner, inner)
        | st.builds(Point, x=st.integers(), y=inner)
    ),
)


@given(anything)
def test_both_ways_of_writing_come_to_the_same(value: Any) -> None:
    written = plain(value)
    assert orjson.loads(orjson.dumps(written)) == written
    line = encoded({"value": {"is": value}}, lambda _: "n" * 64, "value")
    assert line.count(b"\n") == 1
    assert orjson.loads(line)["value"] == plain({"is": value}, lambda _: "n" * 64)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_words_are_the_same_whatever_their_case(text: str) -> None:
    assert words(text) == words(f" {text}. ")
    assert all(re.fullmatch(r"\S+", word) for word in words(text))
