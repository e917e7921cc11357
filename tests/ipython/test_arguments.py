"""The words of a line: quotes, JSON, Python's values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspy_profiles_ipython._arguments import expand, quote, tokenize


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  dev\t prod ", ["dev", "prod"]),
        ("'two words' \"and two\"", ["two words", "and two"]),
        (r'"a \"b\" \\ c:\new"', [r'a "b" \ c:\new']),
        ("it's fine", ["it's", "fine"]),
        ("'open quote", ["'open", "quote"]),
        ('--set lm.stop=["a b", "c"] x', ["--set", 'lm.stop=["a b", "c"]', "x"]),
        ('--set=lm.a={"b": 1}', ["--set", 'lm.a={"b": 1}']),
        ('lm.a="b c" d', ['lm.a="b c"', "d"]),
        ("lm.a='b c' d", ["lm.a=b c", "d"]),
        ("lm.a=[1, d", ["lm.a=[1,", "d"]),
        ("lm.a=", ["lm.a="]),
        ("lm.a=b=c", ["lm.a=b=c"]),
        ("lm.a={1 + 1} {names[0] + 'x'} c", ["lm.a={1 + 1}", "{names[0] + 'x'}", "c"]),
        ("=", ["="]),
        ("{", ["{"]),
        ("lm.a={", ["lm.a={"]),
        ("lm.url=http://a/b?c=d&e=f", ["lm.url=http://a/b?c=d&e=f"]),
    ],
)
def test_a_line_is_split_as_in_a_shell_but_json_stays_whole(line: Any, words: Any) -> None:
    assert tokenize(line) == words


@given(st.text())
def test_every_line_can_be_split(line: Any) -> None:
    assert len(tokenize(line)) <= len(line)


@given(st.text(min_size=1).filter(lambda name: "$" not in name and "{" not in name))
def test_a_quoted_name_is_one_word(name: Any) -> None:
    assert tokenize(quote(name)) == [name]


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("$name", "dev"),
        ("{name}", "dev"),
        ("lm.a={n + 1}", "lm.a=3"),
        ("${name}", "${name}"),
        ("a${name}$name", "a${name}dev"),
        ("$${name}", "$${name}"),
        ("{nobody}", "{nobody}"),
        ('lm.a={"b": 1}', 'lm.a={"b": 1}'),
        ("{", "{"),
        ("$", "$"),
    ],
)
def test_python_values_are_filled_in_and_references_are_not(word: Any, filled: Any) -> None:
    assert expand([word], {"name": "dev", "n": 2}) == [filled]
