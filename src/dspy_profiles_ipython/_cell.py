"""`%%dspy_profile NAME`: the rest of the cell runs in a block, as if it were indented there.

A cell magic of the usual kind would run the cell by itself: then no `await` works in it, and line
numbers are off. Here the first line becomes a call, and the syntax tree does the rest.
"""

import ast
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import get_ident
from types import TracebackType
from typing import Any, Self

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython
from IPython.core.inputtransformer2 import cell_magic, leading_indent
from IPython.core.interactiveshell import InteractiveShell

from dspy_profiles_ipython._errors import CELL, in_one_line
from dspy_profiles_ipython._state import look

__all__ = ["CellBlocks", "block", "keep", "recorded", "run_whole", "shown"]

BLOCKS = {"dspy_profile": "block", "dspy_record": "recorded"}  # magics, and what makes their block
FIRST = re.compile(rf"%%({'|'.join(BLOCKS)})(?:\s|$)")
# What stands for the first line until the tree is made: what IPython itself makes of a cell magic,
# but for its body. Tracebacks show it, and where no tree is made, as in %%timeit, it says so.
CALL = "get_ipython().run_cell_magic({!r}, {!r}, ...)\n"
# From a cell to this module whatever the user's names are, also after %reset.
HERE = f"__import__({__name__!r}, fromlist=['block'])"


class FirstLine:
    """`%%dspy_profile prod` becomes a call on a line of its own; the others stay."""

    has_side_effects = True  # for IPython: ask without it whether a cell is complete

    def __call__(self, lines: list[str]) -> list[str]:
        found = FIRST.match(lines[0]) if lines else None
        if found is None:
            return lines
        rest = lines[1:]
        inner = next((n for n, line in enumerate(rest) if line.strip()), None)
        if inner is None:
            return lines[:1]  # IPython says that there is nothing in the cell
        within = leading_indent(rest[inner:])
        if within[0].startswith("%%"):  # a cell magic inside of ours, or ours once more
            within = cell_magic(self(within))
        return [CALL.format(found[1], lines[0][found.end() :].strip()), *rest[:inner], *within]


class CellBlocks(ast.NodeTransformer):
    """Two transformers: one of the cell's text, one of its tree."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._first_line = FirstLine()

    def enter(self) -> None:
        self._shell.input_transformers_cleanup.append(self._first_line)
        self._shell.ast_transformers.append(self)

    def leave(self) -> None:
        if self._first_line in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self._first_line)
        if self in self._shell.ast_transformers:
            self._shell.ast_transformers.remove(self)

    def visit_Module(self, tree: ast.Module) -> ast.Module:
        heads, body = _heads(tree.body)
        if not heads:
            return tree
        future, body = _future(body)
        body, after = _with_value(body, self._shell.ast_node_interactivity)
        for head, magic, words in reversed(heads):
            entered = ast.withitem(_call(BLOCKS[magic], ast.Constant(words), at=head))
            body = [ast.copy_location(ast.With([entered], body or [ast.Pass()]), head)]
        whole = ast.Module([*future, *body, *after], tree.type_ignores)
        return ast.fix_missing_locations(whole)


def _heads(body: list[ast.stmt]) -> tuple[list[tuple[ast.stmt, str, str]], list[ast.stmt]]:
    """The statements that stand for magics of ours, with the words behind; and what follows."""
    heads: list[tuple[ast.stmt, str, str]] = []
    for statement in body:
        found = _magic(statement)
        if found is None:
            break
        heads.append((statement, *found))
    return heads, body[len(heads) :]


def _magic(statement: ast.stmt) -> tuple[str, str] | None:
    match statement:
        case ast.Expr(
            ast.Call(
                ast.Attribute(ast.Call(ast.Name("get_ipython")), "run_cell_magic"),
                [ast.Constant(str(magic)), ast.Constant(str(words)), ast.Constant(value)],
            )
        ) if value is Ellipsis and magic in BLOCKS:
            return magic, words
    return None


def _future(body: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The imports `from __future__` that the cell begins with: no block may hold them."""
    start = 1 if _is_text(body[:1]) else 0
    end = start
    while end < len(body) and _is_future(body[end]):
        end += 1
    return body[start:end], [*body[:start], *body[end:]]


def _is_text(body: list[ast.stmt]) -> bool:
    match body:
        case [ast.Expr(ast.Constant(str()))]:
            return True
    return False


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _with_value(body: list[ast.stmt], shown_are: str) -> tuple[list[ast.stmt], Sequence[ast.stmt]]:
    """The body, and behind the block what IPython is to display of it."""
    if not body or shown_are == "all":  # then IPython displays every expression in the block
        return body, ()
    *others, last = body
    if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Starred):
        kept = ast.Expr(_call("keep", last.value, at=last))
        body = [*others, ast.copy_location(kept, last)]
        return body, [ast.copy_location(ast.Expr(_call("shown", at=last)), last)]
    target = _target(last) if shown_are == "last_expr_or_assign" else None
    if target is not None:
        name = ast.copy_location(ast.Name(target, ast.Load()), last)
        return body, [ast.copy_location(ast.Expr(name), last)]
    return body, [ast.copy_location(ast.Pass(), last)]  # the block itself displays nothing


def _target(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Assign([ast.Name(name)]):
            return name
        case ast.AnnAssign(ast.Name(name)) | ast.AugAssign(ast.Name(name)):
            return name
    return None


def _call(name: str, *arguments: ast.expr, at: ast.stmt) -> ast.Call:
    """A call of a function in this module."""
    made = ast.parse(f"{HERE}.{name}()", mode="eval").body
    assert isinstance(made, ast.Call)  # noqa: S101 - as it is written one line above
    for node in ast.walk(made):
        if isinstance(node, ast.expr):
            ast.copy_location(node, at)
    made.args.extend(arguments)
    return made


_kept: dict[int, Any] = {}  # by thread, of which each runs one cell at a time


def keep(value: Any) -> None:
    """Hold the value of a cell's last expression until its block is left."""
    _kept[get_ident()] = value


def shown() -> Any:
    """The value that was held, for IPython to display."""
    return _kept.pop(get_ident(), None)


class _Block:
    """A block of ours, of which errors in entering and leaving are told in one line."""

    def __init__(self, inner: AbstractContextManager[Any]) -> None:
        self._inner = inner

    def __enter__(self) -> Self:
        with in_one_line():
            self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            with in_one_line():
                self._inner.__exit__(kind, error, traceback)
        except BaseException:
            shown()  # to nobody: the cell ends here
            raise


def recorded(words: str) -> _Block:
    """The block that a cell under `%%dspy_record` runs in."""
    from dspy_profiles_ipython._recorded_cell import recorded_block

    with in_one_line():
        shell = get_ipython()
        return _Block(recorded_block(words, {} if shell is None else shell.user_ns))


def block(words: str) -> _Block:
    """The block that a cell under `%%dspy_profile` runs in."""
    from dspy_profiles.activation import profile
    from dspy_profiles_ipython._asked import MagicArguments

    with in_one_line():
        look()
        asked = MagicArguments.of_a_cell(words)
        cassette = None if asked.cassette is None else Path(asked.cassette).expanduser()
        inner = profile(asked.name, cassette=cassette, cassettes=asked.mode, **asked.overrides)
        return _Block(inner)


def run_whole(shell: InteractiveShell, magic: str, line: str, cell: object) -> None:
    """Run a cell that another magic has kept whole; one that is typed never comes here."""
    if not isinstance(cell, str):
        raise UsageError(
            f"{magic} has to be the first line of its cell\n"
            "  hint: put it above the other magic, as in %%timeit"
        )
    if not cell.strip():
        meant = " Did you mean the line magic %dspy_profile (single %)?" if magic == CELL else ""
        raise UsageError(f"{magic} is a cell magic, but the cell body is empty.{meant}")
    shell.run_cell(f"{magic} {line}\n{cell}")
