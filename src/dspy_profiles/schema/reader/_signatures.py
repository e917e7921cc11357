"""Parameters of a function as its `def` declares them."""

import ast

from dspy_profiles.schema.reader import _docs
from dspy_profiles.schema.reader._annotations import annotation
from dspy_profiles.schema.reader._bindings import Function, Module
from dspy_profiles.schema.reader._modules import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Parameter = dict[str, Any]

__all__ = ["UNKNOWN", "constant", "declared", "parameter"]

UNKNOWN = object()


def declared(reader: Reader, module: Module, node: Function, *, bound: bool) -> "list[Parameter]":
    """The parameters of a function; of a `bound` one without its `self`."""
    arguments = node.args
    positional = [(a, "POSITIONAL_ONLY") for a in arguments.posonlyargs]
    positional += [(a, "POSITIONAL_OR_KEYWORD") for a in arguments.args]
    blanks: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults = [*blanks, *arguments.defaults]
    rows = [(a, kind, default) for (a, kind), default in zip(positional, defaults, strict=True)]
    rows = rows[1:] if bound and rows else rows
    if arguments.vararg:
        rows.append((arguments.vararg, "VAR_POSITIONAL", None))
    keyword_only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    rows += [(a, "KEYWORD_ONLY", default) for a, default in keyword_only]
    if arguments.kwarg:
        rows.append((arguments.kwarg, "VAR_KEYWORD", None))
    said = _docs.parameters(_docs.docstring(node))
    warned = _warned(node) if "Deprecation" in module.source else {}
    made = []
    for argument, kind, default in rows:
        one = parameter(reader, module, argument.arg, kind, argument.annotation, default)
        one["doc"] = said.get(argument.arg)
        one["deprecated"] = warned.get(argument.arg) or _docs.deprecated_by_text(one["doc"])
        made.append(one)
    return made


def parameter(  # noqa: PLR0913, PLR0917 - what a declaration consists of
    reader: Reader,
    module: Module,
    name: str,
    kind: str,
    written: ast.expr | None,
    default: ast.expr | None,
) -> "Parameter":
    """One parameter; its `default` is there only where its value can be told."""
    made: Parameter = {
        "name": name,
        "kind": kind,
        "annotation": None if written is None else module.text(written),
        "type": annotation(reader, module, written),
        "required": default is None and not kind.startswith("VAR"),
        "doc": None,
        "deprecated": None,
        "from": None,
    }
    if default is not None:
        made["default_source"] = module.text(default)
        value = constant(reader, module, default)
        if value is not UNKNOWN:
            made["default"] = value
    return made


def constant(reader: Reader, module: Module, node: ast.expr) -> "Any":
    """The JSON value of an expression, or UNKNOWN."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        if isinstance(node, ast.Name | ast.Attribute):
            target = reader.expression(module, node, near=True)
            if target.kind == "value" and target.module and isinstance(target.node, ast.Constant):
                return target.node.value if _is_json(target.node.value) else UNKNOWN
        return UNKNOWN
    return value if _is_json(value) else UNKNOWN


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_json(v) for k, v in value.items())
    finite = not isinstance(value, float) or abs(value) <= 1.7e308  # noqa: PLR2004 - no inf, no nan
    return value is None or (isinstance(value, str | int | float) and finite)


def _warned(node: Function) -> dict[str, str]:
    """Parameters whose use makes the function's own body warn of deprecation."""
    names = {a.arg for a in [*node.args.args, *node.args.kwonlyargs]}
    warned: dict[str, str] = {}
    for branch in ast.walk(node):
        if not isinstance(branch, ast.If):
            continue
        asked = {n.id for n in ast.walk(branch.test) if isinstance(n, ast.Name)} & names
        message = next((m for m in map(_warning, branch.body) if m), None)
        if message and len(asked) == 1:
            warned[asked.pop()] = message
    return warned


def _warning(statement: ast.stmt) -> str | None:
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith("warn"):
        return None
    category = [*call.args[1:], *(k.value for k in call.keywords if k.arg == "category")]
    if not any("Deprecation" in ast.unparse(part) for part in category):
        return None
    text = call.args[0] if call.args else None
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return text.value
    return "deprecated"
