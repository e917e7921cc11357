"""Annotations as plain JSON: what kind of value is meant, as far as the source says.

| kind | further keys |
|---|---|
| any, string, integer, number, boolean, null, callable | |
| literal | `values` |
| list | `items` |
| table | `values` |
| union | `of` |
| class | a class itself is meant: `of` |
| object | an instance: `class` is its path; `written` says how a file names one |

`written` is "role" (of the profile's further LMs), "path" (of what is imported), "nothing" (a
DSPy object that no file can hold) or "unknown" (somebody else's, who may convert a value).
"""

import ast

from dspy_profiles.schema.reader._bindings import Module
from dspy_profiles.schema.reader._modules import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Type = dict[str, Any]

__all__ = ["ANY", "annotation", "instance", "union"]

_WRITTEN = {
    "dspy.clients.base_lm.BaseLM": "role",
    "dspy.clients.lm.LM": "role",
    "dspy.utils.callback.BaseCallback": "path",
}

ANY: "Type" = {"kind": "any"}
_PLAIN = {
    "builtins.str": "string",
    "builtins.int": "integer",
    "builtins.float": "number",
    "builtins.bool": "boolean",
    "builtins.object": "any",
    "typing.Any": "any",
    "typing.Text": "string",
    "typing.LiteralString": "string",
    "numbers.Number": "number",
    "types.NoneType": "null",
}
_LISTS = {"list", "List", "set", "Set", "frozenset", "FrozenSet", "AbstractSet", "tuple", "Tuple"}
_LISTS |= {"Sequence", "MutableSequence", "Iterable", "Collection", "MutableSet"}
_TABLES = {"dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "DefaultDict"}
_WRAPPERS = {"Annotated", "ClassVar", "Final", "Required", "NotRequired", "InitVar"}
_CALLS = {"Callable", "Coroutine", "Awaitable"}
_GENERIC = {"builtins", "typing", "typing_extensions", "collections", "collections.abc"}
_DEEP = 12  # aliases of aliases of aliases: somebody's circle


def annotation(reader: Reader, module: Module, node: ast.expr | None, depth: int = 0) -> "Type":
    """The type that an annotation written in `module` stands for; `any` where it is not clear."""
    if node is None or depth > _DEEP:
        return ANY
    if isinstance(node, ast.Constant):
        return _constant(reader, module, node, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = (annotation(reader, module, side, depth) for side in (node.left, node.right))
        return union(*sides)
    if isinstance(node, ast.Subscript):
        return _subscript(reader, module, node, depth)
    if isinstance(node, ast.Name | ast.Attribute):
        return _named(reader, module, node, depth)
    return ANY


def union(*types: "Type") -> "Type":
    """One of several types, flat and without repetition."""
    flat: list[Type] = []
    for kind in types:
        for part in kind["of"] if kind["kind"] == "union" else [kind]:
            if part not in flat:
                flat.append(part)
    if ANY in flat:
        return ANY
    return flat[0] if len(flat) == 1 else {"kind": "union", "of": flat}


def instance(path: str) -> "Type":
    """The type of an object of the class that is defined at `path`."""
    otherwise = "nothing" if path.startswith("dspy.") else "unknown"
    return {"kind": "object", "class": path, "written": _WRITTEN.get(path, otherwise)}


def _constant(reader: Reader, module: Module, node: ast.Constant, depth: int) -> "Type":
    if node.value is None:
        return {"kind": "null"}
    if not isinstance(node.value, str):
        return ANY
    try:
        inner = ast.parse(node.value.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return ANY
    return annotation(reader, module, inner, depth + 1)


def _named(reader: Reader, module: Module, node: ast.expr, depth: int) -> "Type":
    target = reader.expression(module, node, near=True)
    if target.kind == "class":
        return instance(target.path)
    if target.kind == "value" and target.module is not None and isinstance(target.node, ast.expr):
        return annotation(reader, target.module, target.node, depth + 1)
    if target.kind != "external":
        return ANY
    if target.name in _PLAIN:
        return {"kind": _PLAIN[target.name]}
    return _bare(target.name)


def _bare(path: str) -> "Type":
    package, _, name = path.rpartition(".")
    if package in {"pathlib", "os"} and name in {"Path", "PurePath", "PathLike"}:
        return {"kind": "string"}
    if package in _GENERIC:
        if name in _LISTS:
            return {"kind": "list", "items": ANY}
        if name in _TABLES:
            return {"kind": "table", "values": ANY}
        if name in _CALLS:
            return {"kind": "callable"}
        if name in {"type", "Type"}:
            return {"kind": "class", "of": ANY}
        if package.startswith("typing"):
            return ANY
    return instance(path)


def _subscript(reader: Reader, module: Module, node: ast.Subscript, depth: int) -> "Type":
    target = reader.expression(module, node.value, near=True)
    if target.kind != "external":
        return instance(target.path) if target.kind == "class" else ANY
    name = target.name.rpartition(".")[2]
    if name == "Literal":
        return _literal(node.slice)
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name in _CALLS:
        return {"kind": "callable"}
    if name in _WRAPPERS:
        return annotation(reader, module, inner[0], depth + 1)
    parts = [
        annotation(reader, module, part, depth + 1)
        for part in inner
        if not (isinstance(part, ast.Constant) and part.value is ...)
    ]
    return _generic(name, parts) or _bare(target.name)


def _generic(name: str, parts: "list[Type]") -> "Type | None":
    if name == "Optional":
        return union(*parts, {"kind": "null"})
    if name == "Union":
        return union(*parts)
    if name in _LISTS:
        return {"kind": "list", "items": union(*parts)}
    if name in _TABLES:
        return {"kind": "table", "values": parts[-1]}
    if name in {"type", "Type"}:
        return {"kind": "class", "of": parts[0]}
    return None


def _literal(node: ast.expr) -> "Type":
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    values = [part.value for part in parts if isinstance(part, ast.Constant)]
    plain = [v for v in values if isinstance(v, str | int | bool)]
    kinds: list[Type] = [{"kind": "literal", "values": plain}] if plain else []
    if None in values:
        kinds.append({"kind": "null"})
    return union(*kinds) if len(plain) + (None in values) == len(parts) and kinds else ANY
