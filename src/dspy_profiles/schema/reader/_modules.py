"""Modules as their source declares them, and what a name in one of them stands for."""

import ast
import builtins
import sys
from collections.abc import Iterable

from dspy_profiles.schema.reader._bindings import Function, Module
from dspy_profiles.schema.reader._locate import NOT_FOUND, Location, locate, probe
from dspy_profiles.schema.reader._stamps import stamps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.schema.reader._stamps import Stamp

__all__ = ["Reader", "Target"]


class Target:
    """What a name stands for: a class, function, module or value, or why that is not known."""

    __slots__ = ("kind", "module", "name", "node", "reason")

    def __init__(
        self,
        kind: str,  # "class", "function", "module", "value", "external", "opaque", "missing"
        name: str,
        module: Module | None = None,
        node: ast.AST | None = None,
        reason: str | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.module = module
        self.node = node
        self.reason = reason

    @property
    def path(self) -> str:
        """`pkg.mod.Class`, of the module that defines it."""
        if self.module is None or self.kind == "module":
            return self.name
        return f"{self.module.name}.{self.name}"


class Reader:
    """Reads modules once each, and remembers which paths it looked at."""

    def __init__(self, search: Iterable[str] | None = None) -> None:
        self._search = None if search is None else list(search)
        self._modules: dict[str, Module] = {}
        self.looked: list[Stamp] = []  # taken before reading: a change in between shows

    def module(self, name: str) -> Module:
        """The module of that name; its `reason` says why where it could not be read."""
        found = self._modules.get(name)
        if found is None:
            found = self._modules[name] = Module(name, self._locate(name))
        return found

    def _locate(self, name: str) -> Location:
        parent, _, last = name.rpartition(".")
        if not parent:
            location, looked = locate(last, self._search)
        else:
            above = self.module(parent).location
            if not above.folders:
                return Location(reason=above.reason or NOT_FOUND)
            location, looked = probe(above.folders, last)
        self.looked.extend(stamps(looked))
        return location

    def find(self, path: str) -> Target:
        """The target of `pkg.mod.Class` or `pkg.mod:Class`."""
        name, colon, inner = path.partition(":")
        if not colon:
            name, inner = self._split(path)
        module = self.module(name)
        if module.reason is not None and not module.package:
            kind = "missing" if module.location.missing else "opaque"
            return Target(kind, path, module, reason=f"{name} {module.reason}")
        first, *rest = inner.split(".")
        return self._descend(self.lookup(module, first), rest)

    def _split(self, path: str) -> tuple[str, str]:
        parts = path.split(".")
        taken = 1
        for count in range(2, len(parts)):
            if self.module(".".join(parts[:count])).location.missing:
                break
            taken = count
        return ".".join(parts[:taken]), ".".join(parts[taken:])

    def _descend(self, target: Target, names: Iterable[str]) -> Target:
        for name in names:
            if target.kind == "module" and target.module is not None:
                target = self.lookup(target.module, name)
            elif target.kind == "class" and isinstance(target.node, ast.ClassDef):
                target = _member(target, target.node, name)
            else:
                target = _beyond(target, name)
        return target

    def lookup(
        self, module: Module, name: str, *, near: bool = False, seen: frozenset[str] = frozenset()
    ) -> Target:
        """What `name` is in `module`, through imports, stars and plain assignments.

        With `near` it does not leave the module's own top-level package.
        """
        step = f"{module.name}:{name}"
        if step in seen:
            return self._submodule(module, name) or Target(
                "opaque", name, module, reason=f"{step} is imported in a circle"
            )
        seen |= {step}
        place, node = module.binding(name) or (-2, None)
        hazy = module.reason
        for at, star in reversed(module.stars):
            if at < place:
                break
            found, doubt = self._through_star(module, name, star, near, seen)
            hazy = hazy or doubt
            if found is not None:
                return found
        if node is not None:
            return self._follow(module, name, node, near, seen)
        submodule = self._submodule(module, name)
        if submodule is not None:
            return submodule
        if module.dynamic or name in module.late:
            hazy = hazy or "makes names while it runs"
        if hazy is not None:
            return Target("opaque", name, module, reason=f"{module.name} {hazy}")
        return Target("missing", name, module, reason=f"{module.name} has no {name}")

    def _submodule(self, module: Module, name: str) -> Target | None:
        if not module.package:
            return None
        inner = self.module(f"{module.name}.{name}")
        return None if inner.location.missing else Target("module", inner.name, inner)

    def _through_star(
        self, module: Module, name: str, node: ast.ImportFrom, near: bool, seen: frozenset[str]
    ) -> tuple[Target | None, str | None]:
        source = module.absolute(node)
        if near and not _same_top(source, module.name):
            return None, None
        inner = self.module(source)
        inner.bindings()
        if inner.reason is not None:
            return None, f"imports * from {source}, which {inner.reason}"
        exported = not name.startswith("_") if inner.exports is None else name in inner.exports
        if not exported or f"{source}:{name}" in seen:
            return None, None
        found = self.lookup(inner, name, near=near, seen=seen)
        if found.kind == "missing" or (inner.exports is None and found.kind == "module"):
            return None, None
        return found, None

    def _follow(
        self, module: Module, name: str, node: ast.AST, near: bool, seen: frozenset[str]
    ) -> Target:
        if isinstance(node, ast.ClassDef):
            return Target("class", name, module, node)
        if isinstance(node, Function):
            return Target("function", name, module, node)
        if isinstance(node, ast.ImportFrom):
            attribute = next(a.name for a in node.names if (a.asname or a.name) == name)
            return self._imported(module, module.absolute(node), attribute, near, seen)
        if isinstance(node, ast.Import):
            alias = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == name)
            whole = alias.name if alias.asname else name
            if _closed(whole) or (near and not _same_top(whole, module.name)):
                return Target("external", whole)
            return Target("module", whole, self.module(whole))
        if isinstance(node, ast.Name | ast.Attribute):
            found = self.expression(module, node, near=near, seen=seen)
            if found.kind in {"class", "function", "module", "external", "opaque"}:
                return found
        return Target("value", name, module, node)

    def _imported(
        self, module: Module, source: str, attribute: str, near: bool, seen: frozenset[str]
    ) -> Target:
        if _closed(source) or (near and not _same_top(source, module.name)):
            return Target("external", f"{source}.{attribute}")
        inner = self.module(source)
        if inner.reason is not None and not inner.package:
            return Target("opaque", f"{source}.{attribute}", reason=f"{source} {inner.reason}")
        if near and inner.shows(attribute):
            return Target("class", attribute, inner)
        return self.lookup(inner, attribute, near=near, seen=seen)

    def expression(
        self,
        module: Module,
        node: ast.expr,
        *,
        near: bool = False,
        seen: frozenset[str] = frozenset(),
    ) -> Target:
        """What a dotted expression such as `dspy.Adapter` stands for in `module`."""
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return Target("opaque", "", module, reason="is worked out while the program runs")
        found = self.lookup(module, node.id, near=near, seen=seen)
        if found.kind == "missing" and hasattr(builtins, node.id):
            found = Target("external", f"builtins.{node.id}")
        return self._descend(found, names)


# Read by name alone: their classes are known, or their files are large and clever.
_CLOSED = frozenset({"pydantic", "typing_extensions"})


def _closed(name: str) -> bool:
    top = name.partition(".")[0]
    return top in _CLOSED or top in sys.stdlib_module_names


def _same_top(one: str, other: str) -> bool:
    return one.partition(".")[0] == other.partition(".")[0]


def _beyond(target: Target, name: str) -> Target:
    """An attribute of what is not looked into."""
    path = f"{target.name}.{name}"
    if target.kind == "external":
        return Target("external", path)
    kind = "missing" if target.kind == "missing" else "opaque"
    return Target(kind, path, reason=target.reason or f"{target.path} is no module or class")


def _member(outer: Target, node: ast.ClassDef, name: str) -> Target:
    path = f"{outer.name}.{name}"
    for inner in reversed(node.body):
        if isinstance(inner, ast.ClassDef) and inner.name == name:
            return Target("class", path, outer.module, inner)
        if isinstance(inner, Function) and inner.name == name:
            return Target("function", path, outer.module, inner)
    return Target("missing", path, outer.module, reason=f"{outer.path} has no {name}")
