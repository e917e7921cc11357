"""`%%dspy_profile NAME`: the rest of the cell runs in a block, as if it were indented there.

An ordinary cell magic would run the cell itself: without `await`, and with wrong line numbers. Here
the first line becomes a call, and a transformer of the syntax tree adds the block.
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

BLOCKS = {
    "dspy_profile": "block",
    "dspy_record": "recorded",
}  # magics, and the functions that create their blocks
FIRST = re.compile(rf"%%({'|'.join(BLOCKS)})(?:\s|$)")
# The call that replaces the first line until the tree is transformed: IPython's own call for a cell
# magic, without the body. Tracebacks show it; if the tree is not transformed, as in %%timeit, it
# raises an error.
CALL = "get_ipython().run_cell_magic({!r}, {!r}, ...)\n"
# Refers to this module whatever names the user defines, even after %reset.
HERE = f"__import__({__name__!r}, fromlist=['block'])"


class FirstLine:
    """Text transformer: replaces the line `%%dspy_profile prod` by a call."""

    has_side_effects = True  # for IPython: skip this to check whether a cell is complete

    def __call__(self, lines: list[str]) -> list[str]:
        match = FIRST.match(lines[0]) if lines else None
        if match is None:
            return lines
        rest = lines[1:]
        inner = next((n for n, line in enumerate(rest) if line.strip()), None)
        if inner is None:
            return lines[:1]  # IPython reports that the cell is empty
        within = leading_indent(rest[inner:])
        if within[0].startswith("%%"):  # another cell magic, or ours again
            within = cell_magic(self(within))
        return [CALL.format(match[1], lines[0][match.end() :].strip()), *rest[:inner], *within]


class CellBlocks(ast.NodeTransformer):
    """Transformers of a cell's text and of its syntax tree."""

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
    """Split off the calls of our magics, with their arguments."""
    heads: list[tuple[ast.stmt, str, str]] = []
    for statement in body:
        magic = _magic(statement)
        if magic is None:
            break
        heads.append((statement, *magic))
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
    """Split off leading imports from `__future__`, which cannot be in a block."""
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


def _with_value(
    body: list[ast.stmt], interactivity: str
) -> tuple[list[ast.stmt], Sequence[ast.stmt]]:
    """Return the body, and the statements after the block that display its value."""
    if not body or interactivity == "all":  # IPython displays every expression in the block
        return body, ()
    *others, last = body
    if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Starred):
        kept = ast.Expr(_call("keep", last.value, at=last))
        body = [*others, ast.copy_location(kept, last)]
        return body, [ast.copy_location(ast.Expr(_call("shown", at=last)), last)]
    target = _target(last) if interactivity == "last_expr_or_assign" else None
    if target is not None:
        name = ast.copy_location(ast.Name(target, ast.Load()), last)
        return body, [ast.copy_location(ast.Expr(name), last)]
    return body, [ast.copy_location(ast.Pass(), last)]  # the block displays nothing


def _target(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Assign([ast.Name(name)]):
            return name
        case ast.AnnAssign(ast.Name(name)) | ast.AugAssign(ast.Name(name)):
            return name
    return None


def _call(name: str, *arguments: ast.expr, at: ast.stmt) -> ast.Call:
    """Return a call of a function in this module."""
    call = ast.parse(f"{HERE}.{name}()", mode="eval").body
    assert isinstance(call, ast.Call)  # noqa: S101 - see the line above
    for node in ast.walk(call):
        if isinstance(node, ast.expr):
            ast.copy_location(node, at)
    call.args.extend(arguments)
    return call


_kept: dict[int, Any] = {}  # by thread: each runs one cell at a time


def keep(value: Any) -> None:
    """Keep the value of a cell's last expression until its block ends."""
    _kept[get_ident()] = value


def shown() -> Any:
    """Return the kept value, for IPython to display."""
    return _kept.pop(get_ident(), None)


class _Block:
    """A block whose errors on entry and exit are shown in one line."""

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
            shown()  # drop the value: the cell ends here
            raise


def recorded(words: str) -> _Block:
    """Return the block for a cell under `%%dspy_record`."""
    from dspy_profiles_ipython._recorded_cell import recorded_block

    with in_one_line():
        shell = get_ipython()
        return _Block(recorded_block(words, {} if shell is None else shell.user_ns))


def block(words: str) -> _Block:
    """Return the block for a cell under `%%dspy_profile`."""
    from dspy_profiles.activation import profile
    from dspy_profiles_ipython._arguments import MagicArguments

    with in_one_line():
        look()
        arguments = MagicArguments.of_cell(words)
        path = arguments.cassette
        cassette = None if path is None else Path(path).expanduser()
        mode, overrides = arguments.mode, arguments.overrides
        return _Block(profile(arguments.name, cassette=cassette, cassettes=mode, **overrides))


def run_whole(shell: InteractiveShell, magic: str, line: str, cell: object) -> None:
    """Run a cell that is inside of another magic; a typed cell is transformed instead."""
    if not isinstance(cell, str):
        raise UsageError(
            f"{magic} must be the first line of its cell\n  hint: move it above the other magic"
        )
    if not cell.strip():
        meant = " Did you mean the line magic %dspy_profile (single %)?" if magic == CELL else ""
        raise UsageError(f"{magic} is a cell magic, but the cell body is empty.{meant}")
    shell.run_cell(f"{magic} {line}\n{cell}")
