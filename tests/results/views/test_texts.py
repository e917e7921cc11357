"""Texts and values as a view shows them: readable, and harmless to look at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspy_profiles.display import (
    brief,
    duration,
    exact,
    money,
    number,
    on_one_line,
    readable,
    visible,
)
from dspy_profiles.results.recording._json import plain
from dspy_profiles.secrets import _redaction as redaction

SECRET = "canary-0123456789-secret"


class TestControlCharacters:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
            ("a\x00b\x07c\x7f", "a␀b␇c␡"),
            ("over\rwritten", "over␍written"),
            ("windows\r\nlines", "windows\nlines"),
            ("\x9b31m", "⟨U+009B⟩31m"),
            ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
            ("one\u2028line", "one⟨U+2028⟩line"),
            ("half\ud800", "half\ufffd"),
            ("tab\tand\nline, שלום, 👩‍👩‍👧, é", "tab\tand\nline, שלום, 👩‍👩‍👧, é"),
        ],
    )
    def test_are_pictures(self, text: str, shown: str) -> None:
        assert visible(text) == shown

    @given(st.text())
    def test_none_is_left(self, text: str) -> None:
        left = {c for c in visible(text) if not c.isprintable() and c.isascii()}
        assert left <= {"\t", "\n"}
        visible(text).encode()


class TestOneLine:
    def test_has_no_line_feeds_and_is_cut(self) -> None:
        assert on_one_line("one\n\n  two\tthree", 9) == "one two…"
        assert on_one_line("x" * 10**6, 300) == "x" * 299 + "…"

    def test_no_half_of_a_secret_is_left_where_it_is_cut(self) -> None:
        redaction.remember(SECRET, "${THE_KEY}")
        for before in range(60):
            line = on_one_line(" " * before + "a" * before + SECRET * 9, 8)
            assert "canary" not in line


class TestValues:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("a text\nas it is", "a text\nas it is"),
            ({"answer": "Paris", "sure": True}, "answer: Paris\nsure: True"),
            ({"says": "7", "empty": "", "is": 7}, 'says: "7"\nempty: ""\nis: 7'),
            ({"two": "lines\nof it"}, "two:\n  lines\n  of it"),
            (["a", {"b": [1, 2]}], "- a\n-\n  b:\n    - 1\n    - 2"),
            ([], "⟨an empty list⟩"),
            ({}, "⟨an empty table⟩"),
            ({"$float": "nan"}, "nan"),
            ({"$int": "9" * 30}, "9" * 30),
            ({"$repr": "<object>"}, "<object>"),
            ({"$bytes": "AAEC"}, "⟨bytes, in base 64⟩ AAEC"),
            ({"$cut": ["begun", 9000]}, "begun\n… ⟨the beginning; there were 9,000 characters⟩"),
            ({"$cut": [[1], 60000]}, "- 1\n… ⟨the beginning; there were 60,000 items⟩"),
            ({"$lost": 5000}, "⟨a text of 5,000 characters that could not be written⟩"),
            ({"$missing": "9f86"}, "⟨a long text whose file is gone: 9f86⟩"),
            (
                {"$blob": "9f86", "size": 4097},
                "⟨a text of 4,097 bytes, in a file of its own: 9f86⟩",
            ),
            ({"$pairs": [[1, "a"], ["1", "b"]]}, '1: a\n"1": b'),
            ({"$table": {"$float": 1}}, "$float: 1"),
            ({"$float": "nan", "$int": "1"}, '$float: nan\n$int: "1"'),
        ],
    )
    def test_are_readable(self, value: object, shown: str) -> None:
        assert readable(value) == shown

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ({"question": "Why?\nSo?"}, "Why? So?"),
            ({"a": 1, "b": [1, {"c": 2}]}, "a: 1 · b: [1, c: 2]"),
            ({"$float": "nan"}, "nan"),
            ("x" * 50, "x" * 9 + "…"),
            (list(range(10**6)), "[0, 1, 2,…"),
        ],
    )
    def test_begin_on_one_line(self, value: object, shown: str) -> None:
        assert brief(value, 10 if len(str(value)) > 40 else 300) == shown

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text(), inner)
            | st.dictionaries(st.sampled_from(["$cut", "$pairs", "$table", "$blob", "size"]), inner)
        ),
    )

    @given(JSON)
    def test_of_any_kind_are_shown(self, value: object) -> None:
        for data in (value, plain(value)):
            assert isinstance(readable(data), str)
            assert "\n" not in brief(data)

    def test_nested_too_deep_end_somewhere(self) -> None:
        value: object = "end"
        for _ in range(500):
            value = [value]
        assert "too deep" in readable(value)
        assert brief(value).endswith("…") or len(brief(value)) < 300

    def test_show_no_secret(self) -> None:
        redaction.remember(SECRET, "${THE_KEY}")
        value = {SECRET: [SECRET, {"$repr": SECRET}, {"$bytes": SECRET}, f"a\n{SECRET}"]}
        assert "canary" not in readable(value) + brief(value)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"), (0, "0 ms"), (0.0123, "12 ms"), (0.9996, "1.0 s"), (8.24, "8.2 s"),
        (59.7, "1 min"), (185, "3 min 5 s"), (7_260, "2 h 1 min"), (200_000, "2 d 7 h"),
    ],
)  # fmt: skip
def test_a_length_of_time_has_two_units_at_most(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (None, "unknown"), (0, "$0"), (1e-9, "<$0.000001"), (0.000_015, "$0.000015"),
        (0.00224, "$0.0022"), (0.031, "$0.031"), (0.417, "$0.417"), (1234.5, "$1,234.50"),
    ],
)  # fmt: skip
def test_money_shows_something_of_every_amount(cost: float | None, shown: str) -> None:
    assert money(cost) == shown


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (0, "$0.00"),
        (0.5, "$0.50"),
        (0.1 + 0.2, "$0.30"),
        (0.0125, "$0.0125"),
        (1e6, "$1,000,000.00"),
    ],
)
def test_what_is_held_against_a_limit_loses_no_place(cost: float, shown: str) -> None:
    assert exact(cost) == shown


def test_a_score_is_short() -> None:
    assert [number(value) for value in (None, 1.0, 0.0, 2 / 3)] == ["–", "1", "0", "0.6667"]
