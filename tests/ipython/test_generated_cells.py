"""Cells of any kind under our first line: what they do is what they do without it."""

import ast
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dspy_profiles_ipython import _cell as cell
from dspy_profiles_ipython._cell import CellBlocks, FirstLine

GENERATED = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
HEADS = st.sampled_from(["%%dspy_profile prod", "%%dspy_record a 'b c'", "%%dspy_profile"])
PIECES = st.sampled_from(
    [
        *("'text'", "from __future__ import annotations", "a = 1", "b: int = 2", "a += 1"),
        *("a", "", "# c", "(c := 3)", "if a:\n    d = 4\n", "for e in (1, 2):\n\n    e", "1, *[2]"),
        *("def f():\n    return '''\n  x\n'''\n", "class C:\n    x = 1", "f'{a}'", "a = d = 5"),
        *("lambda: a", "...", "a,", "import os", "del a", "try:\n    z\nexcept NameError: g = 7"),
    ]
)
KINDS = st.sampled_from(["all", "last", "last_expr", "none", "last_expr_or_assign"])


def ran(tree: Any) -> Any:
    names: dict[str, Any] = {}
    try:
        exec(compile(tree, "<cell>", "exec"), names)
    except NameError as error:
        names["error"] = str(error)
    names.pop("__doc__", None)  # nobody asks a cell for its docstring
    return {name: value for name, value in names.items() if type(value) in {int, str, list, tuple}}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The words of the blocks that were entered."""
    words: list[str] = []

    def block(word: str) -> nullcontext[None]:
        words.append(word)
        return nullcontext()

    for name in cell.BLOCKS.values():
        monkeypatch.setattr(cell, name, block)
    return words


@GENERATED
@given(heads=st.lists(HEADS, min_size=1, max_size=2), pieces=st.lists(PIECES), shown=KINDS)
@example(["%%dspy_profile prod"], ["'text'", "from __future__ import annotations", "a"], "all")
def test_the_rest_does_what_it_does_alone(opened: Any, heads: Any, pieces: Any, shown: Any) -> None:
    body = "\n".join([*pieces, "last = 1\n"])
    try:
        alone = ast.parse(body)
        compile(alone, "<cell>", "exec")
    except SyntaxError:  # a future import that is not the first
        return
    text = "".join(FirstLine()([f"{head}\n" for head in heads] + body.splitlines(keepends=True)))
    opened.clear()
    tree = ast.parse(text)
    lines = {node.lineno - len(heads) for node in ast.walk(tree) if isinstance(node, ast.stmt)}
    assert {node.lineno for node in ast.walk(alone) if isinstance(node, ast.stmt)} <= lines

    shell: Any = SimpleNamespace(ast_node_interactivity=shown)
    made = CellBlocks(shell).visit_Module(tree)

    assert ran(made) == ran(alone)
    assert opened == [head.partition(" ")[2] for head in heads]


@GENERATED
@given(st.lists(st.text() | HEADS | PIECES, max_size=5).map("\n".join))
def test_any_text_keeps_its_lines(text: Any) -> None:
    lines = text.splitlines(keepends=True)
    made = FirstLine()(lines)
    if not cell.FIRST.match(text):
        assert made == lines
    elif not any(line.lstrip().startswith("%%") for line in lines[1:]):
        assert len(made) in {len(lines), 1}
    assert len(made) <= len(lines)
