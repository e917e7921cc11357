"""`%%dspy_profile NAME`: the rest of the cell runs in a block, as if it were indented there.

A cell magic of the usual kind would run the cell by itself: then no `await` works in it, and line
numbers are off. Here the first line becomes a call, and the syntax tree does the rest.
"""

import ast
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import cell_magic
from IPython.core.interactiveshell import InteractiveShell

from dspy_profiles.errors import ProfileError

__all__ = ["CellBlocks", "usage_error"]

MAGIC = "%%dspy_profile"
MARK = "__dspy_profile_cell__"  # in the place of the first line, until the tree is made
BLOCK = "__dspy_profile_block__"
KEEP = "__dspy_profile_keep__"
SHOW = "__dspy_profile_show__"


class CellBlocks(ast.NodeTransformer):
    """Two transformers: one of the cell's text, one of its tree."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._values: list[Any] = []
        self._names = {BLOCK: block, KEEP: self._values.append, SHOW: self._shown}

    def enter(self) -> None:
        self._shell.input_transformers_cleanup.append(self.first_line)
        self._shell.ast_transformers.append(self)
        self._shell.user_ns.update(self._names)
        self._shell.user_ns_hidden.update(self._names)

    def leave(self) -> None:
        if self.first_line in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self.first_line)
        if self in self._shell.ast_transformers:
            self._shell.ast_transformers.remove(self)
        for name in self._names:
            self._shell.user_ns.pop(name, None)
            self._shell.user_ns_hidden.pop(name, None)

    def first_line(self, lines: list[str]) -> list[str]:
        """`%%dspy_profile prod` becomes a call on a line of its own; the others stay."""
        if not lines or not lines[0].startswith(MAGIC):
            return lines
        words = lines[0][len(MAGIC) :].strip()
        if lines[0][len(MAGIC)] not in " \t\n" or words.endswith("?"):
            return lines
        rest = lines[1:]
        if rest and rest[0].startswith("%%"):  # a cell magic of somebody else's, inside of ours
            rest = cell_magic(rest)
        return [f"{MARK}({words!r})\n", *rest]

    def visit_Module(self, tree: ast.Module) -> ast.Module:
        words = _marked(tree)
        if words is None:
            return tree
        body = tree.body[1:] or [ast.Pass()]
        shown: list[ast.stmt] = []
        if isinstance(body[-1], ast.Expr):
            body = [*body[:-1], ast.Expr(_call(KEEP, body[-1].value))]
            shown = [ast.Expr(_call(SHOW))]
        entered = ast.withitem(_call(BLOCK, ast.Constant(words)))
        whole = ast.Module([ast.With([entered], body), *shown], tree.type_ignores)
        for node in (*whole.body, *body[-1:]):
            ast.copy_location(node, tree.body[0])
        last = tree.body[-1]
        if shown:
            ast.copy_location(shown[0], last)
            ast.copy_location(body[-1], last)
        return ast.fix_missing_locations(whole)

    def _shown(self) -> Any:
        """The value of the cell's last expression, once its block is left."""
        return self._values.pop() if self._values else None


def block(words: str) -> AbstractContextManager[Any]:
    """The block that a cell runs in."""
    from dspy_profiles.activation import profile
    from dspy_profiles_ipython.magics import cell_words

    try:
        name, overrides = cell_words(words)
        return _entered(profile(name, **overrides))
    except ProfileError as error:
        raise usage_error(error) from None


@contextmanager
def _entered(inner: AbstractContextManager[Any]) -> Iterator[Any]:
    """A profile's block, of which errors in entering are told in one line."""
    with ExitStack() as stack:
        try:
            entered = stack.enter_context(inner)
        except ProfileError as error:
            raise usage_error(error) from None
        yield entered


def usage_error(error: ProfileError) -> UsageError:
    """An error as IPython shows it without a traceback."""
    from dspy_profiles.redaction import redact

    return UsageError(redact(str(error)))


def _marked(tree: ast.Module) -> str | None:
    """The words behind the magic, if the first statement stands for it."""
    match tree.body[:1]:
        case [ast.Expr(ast.Call(ast.Name(name), [ast.Constant(str(words))]))] if name == MARK:
            return words
    return None


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])
