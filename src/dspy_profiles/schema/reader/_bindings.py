"""What one file declares at its top level, in the order in which Python would bind it."""

# pathlib takes longer to import than a cached read takes in all.
# ruff: noqa: PTH123

import ast

from dspy_profiles.schema.reader._locate import Location
from dspy_profiles.schema.reader._skim import skim

__all__ = ["Function", "Module"]

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """The top level of one file: names in the order in which they are bound."""

    def __init__(self, name: str, location: Location) -> None:
        self.name = name
        self.location = location
        self.source = ""
        self._content = b""
        self.reason = location.reason
        self.stars: list[tuple[int, ast.ImportFrom]] = []
        self.exports: frozenset[str] | None = None
        self.dynamic = False  # anything may be a name of it
        self.late: set[str] = set()  # names that it makes when they are asked for
        self._bound: dict[str, tuple[int, ast.AST]] | None = None
        self._fallbacks: dict[str, ast.AST] = {}  # of `except` and `else`: the second choice
        self._lines: list[str] | None = None
        if location.file is not None:
            self._load(location.file)

    def bindings(self) -> dict[str, tuple[int, ast.AST]]:
        """Every name, with the place and the statement that binds it last."""
        if self._bound is None:
            self._bound = {}
            self._parse()
        return self._bound

    def classes(self) -> list[tuple[str, ast.ClassDef]]:
        """The public classes that are written here, in their order."""
        found = ((name, node) for name, (_, node) in self.bindings().items())
        return [(n, c) for n, c in found if isinstance(c, ast.ClassDef) and not n.startswith("_")]

    def bind(self, name: str, node: ast.AST, *, fallback: bool) -> None:
        if fallback:
            self._fallbacks.setdefault(name, node)
        elif self._bound is not None:
            self._bound.pop(name, None)
            self._bound[name] = len(self._bound) + len(self.stars), node

    def binding(self, name: str) -> tuple[int, ast.AST] | None:
        """Where and how a name is bound; -1 where only an alternative branch binds it."""
        found = self.bindings().get(name)
        if found is None and name in self._fallbacks:
            return -1, self._fallbacks[name]
        return found

    def shows(self, name: str) -> bool:
        """Whether the text alone shows a class of that name, with no need to parse it."""
        after = self.source.partition(f"\nclass {name}")[2][:1]
        return self._bound is None and after in {"(", ":"}

    def whole(self, path: str) -> ast.AST | None:
        """The function at `path` with its signature, which the lean source does not hold."""
        try:
            node: ast.AST | None = ast.parse(self._content)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        for name in path.split("."):
            inner = [n for n in getattr(node, "body", []) if getattr(n, "name", None) == name]
            node = inner[-1] if inner else None
        return node

    def text(self, node: ast.expr) -> str:
        """An expression as it is written."""
        if self._lines is None:
            self._lines = self.source.split("\n")
        if node.lineno == node.end_lineno and node.lineno <= len(self._lines):
            line = self._lines[node.lineno - 1]
            if line.isascii():  # columns are counted in bytes
                return line[node.col_offset : node.end_col_offset]
        return ast.unparse(node)

    def _load(self, path: str) -> None:
        try:
            with open(path, "rb") as file:
                content = self._content = file.read()
        except OSError as fault:
            self.reason = f"cannot be read: {fault.strerror}"
            return
        try:
            self.source = content.decode("utf-8-sig").replace("\r\n", "\n")
        except ValueError:  # another encoding: its first lines name it, and only ASCII matters here
            self.source = content.decode("latin-1").replace("\r\n", "\n")

    def _parse(self) -> None:
        try:
            body = self._tree().body
        except SyntaxError as fault:
            self.reason = f"has a syntax error in line {fault.lineno}"
        except (ValueError, RecursionError, MemoryError) as fault:
            self.reason = f"cannot be parsed: {type(fault).__name__}"
        else:
            _bind(self, body, fallback=False)

    def _tree(self) -> ast.Module:
        lean = skim(self.source)
        try:
            tree = ast.parse(lean)
        except SyntaxError:
            return ast.parse(self.source)
        self.source = lean
        return tree

    @property
    def package(self) -> bool:
        return bool(self.location.folders)

    def absolute(self, node: ast.ImportFrom) -> str:
        """The module that a `from … import` means, dots worked out."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - node.level + self.package]
        return ".".join([*parts, *([node.module] if node.module else [])])


def _bind(module: Module, body: list[ast.stmt], *, fallback: bool) -> None:
    for node in body:
        if isinstance(node, ast.ClassDef | Function):
            module.bind(node.name, node, fallback=fallback)
            if node.name == "__getattr__":
                _make_late(module, node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            _import(module, node, fallback=fallback)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            _assign(module, node, fallback=fallback)
        elif type(node).__name__ == "TypeAlias":  # Python 3.12 and later
            module.bind(ast.unparse(node.name), node.value, fallback=fallback)  # type: ignore[attr-defined]
        elif isinstance(node, ast.If | ast.Try | ast.With):
            _bind(module, node.body, fallback=fallback)
            for handler in getattr(node, "handlers", []):
                _bind(module, handler.body, fallback=True)
            otherwise = fallback or isinstance(node, ast.If)
            _bind(module, getattr(node, "orelse", []), fallback=otherwise)
            _bind(module, getattr(node, "finalbody", []), fallback=fallback)


def _make_late(module: Module, node: ast.AST) -> None:
    """Which names a module's `__getattr__` knows, where it compares with constants alone."""
    for branch in getattr(node, "body", []):
        test = branch.test if isinstance(branch, ast.If) else None
        if isinstance(test, ast.Compare) and isinstance(test.comparators[0], ast.Constant):
            module.late.add(str(test.comparators[0].value))
        elif not isinstance(branch, ast.Raise | ast.Expr | ast.Import | ast.ImportFrom):
            module.dynamic = True


def _import(module: Module, node: ast.Import | ast.ImportFrom, *, fallback: bool) -> None:
    for alias in node.names:
        if isinstance(node, ast.Import):
            module.bind(alias.asname or alias.name.partition(".")[0], node, fallback=fallback)
        elif alias.name == "*":
            module.stars.append((len(module.bindings()) + len(module.stars), node))
        else:
            module.bind(alias.asname or alias.name, node, fallback=fallback)


def _assign(
    module: Module, node: ast.Assign | ast.AnnAssign | ast.AugAssign, *, fallback: bool
) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if not isinstance(target, ast.Name) or node.value is None:
            continue
        if target.id == "__all__":
            _export(module, node.value, more=isinstance(node, ast.AugAssign))
        elif not isinstance(node, ast.AugAssign):
            module.bind(target.id, node.value, fallback=fallback)


def _export(module: Module, value: ast.expr, *, more: bool) -> None:
    try:
        names = frozenset(str(name) for name in ast.literal_eval(value))
    except (ValueError, TypeError):
        module.dynamic = True
        return
    module.exports = names | (module.exports or frozenset()) if more else names
