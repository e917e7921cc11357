"""On which line a key stands, shape by shape."""

from pathlib import Path
from typing import Any

import pytest
import tomli

from dspy_profiles.config import Document


def line(text: Any, *key: Any) -> Any:
    return Document(Path("x.toml"), text, tomli.loads(text)).line(key)


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("a = 1", ["a"], 1),
        ("\n# a = 0\na = 1", ["a"], 3),
        ("[a]\nb = 1", ["a"], 1),
        ("[a]\nb = 1", ["a", "b"], 2),
        ("[a.b]\nc = 1", ["a"], 1),
        ("[a.b]\nc = 1\n[a]\nd = 1", ["a"], 3),
        ("[a]\n[a.b]\nc = 1", ["a"], 1),
        ("[a]\nb.c = 1\nb.d = 1", ["a", "b"], 2),
        ("[a]\nb.c = 1\nb.d = 1", ["a", "b", "d"], 3),
        ("a = { b = 1 }", ["a", "b"], 1),
        ("\na = [\n1,\n{ b = 1 }]", ["a", "b"], 2),
        ("[[a]]\nb = 1\n[[a]]\nb = 2", ["a"], 1),
        ("[[a]]\nb = 1\n[[a]]\nc = 2", ["a", "c"], 1),
        ("[[a]]\n[a.b]\nc = 2\n[[a.d]]\n", ["a", "b", "c"], 1),
        ("[a]\n[[a.b]]\nc = 1\n[a.d]", ["a", "d"], 4),
        ("'a.b' = 1\na.b = 2", ["a.b"], 1),
        ("'a.b' = 1\na.b = 2", ["a", "b"], 2),
        ('"\\u0061\\"" = 1', ['a"'], 1),
        ("# c\n'' = 1", [""], 2),
        ("3.1 = 1\n", ["3", "1"], 1),
        ("[ a . \"b\" . 'c' ]  # d\nx=1", ["a", "b", "c", "x"], 2),
        ('a = """\nb = 1\n"""\nb = 2', ["b"], 4),
        ("a = '''\n[b]'\n''''\nb = 2", ["b"], 4),
        ('a = """""\\""""""\nb = 2', ["b"], 2),
        ("a = [\"]\", # ]\n'#',\n]\nb = 2", ["b"], 4),
        ("a = 1979-05-27 07:32:00 # b\nb = 2", ["b"], 2),
        ('a = "\\\\" # "\nb = 2', ["b"], 2),
        ("a = 1\r\n\r\n[b]\r\nc = 1", ["b", "c"], 4),
        ("a = '\u2028\x85'\nb = 1", ["b"], 2),
        ("a = 1", ["b"], None),
        ("a = 1", ["a", "b", "c"], 1),
        ("", ["a"], None),
        ("a = 1", [], None),
    ],
)
def test_a_key_is_on_its_own_line_or_on_that_of_its_nearest_parent(
    text: Any, key: Any, expected: Any
) -> None:
    assert line(text, *key) == expected


def test_an_inline_table_may_be_long_and_deep() -> None:
    value = "{ a = [" * 150 + "] }" * 150

    assert line(f"x = {value}\ny = {value}\nz = 1", "z") == 3
