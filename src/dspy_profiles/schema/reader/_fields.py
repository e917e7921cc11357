"""Constructors that Python or pydantic write: dataclasses and models. Best effort."""

import ast

from dspy_profiles.schema.reader._bindings import Module
from dspy_profiles.schema.reader._modules import Reader, Target
from dspy_profiles.schema.reader._signatures import constant, parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Parameter = dict[str, Any]

__all__ = ["dataclass_decorator", "of_dataclass", "of_model"]


def dataclass_decorator(reader: Reader, target: Target) -> ast.expr | None:
    """The `@dataclass` of a class that lets it write the constructor."""
    if not isinstance(target.node, ast.ClassDef) or target.module is None:
        return None
    for decorator in target.node.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        if reader.expression(target.module, function, near=True).name == "dataclasses.dataclass":
            return None if _flag(decorator, "init") is False else decorator
    return None


def of_dataclass(
    reader: Reader, order: list[Target], decorator: ast.expr
) -> "tuple[list[Parameter], str | None]":
    """The parameters of a dataclass, its bases' fields first."""
    made: dict[str, Parameter] = {}
    unread = next((t for t in order if t.kind != "class"), None)
    for target in reversed(order):
        own = decorator if target is order[0] else dataclass_decorator(reader, target)
        if own is None or target.module is None or not isinstance(target.node, ast.ClassDef):
            continue
        keyword_only = _flag(own, "kw_only") is True
        for field in _annotated(target.node):
            written = ast.unparse(field.annotation)
            if written.endswith("KW_ONLY"):
                keyword_only = True
                continue
            one = _dataclass_field(reader, target.module, field, keyword_only=keyword_only)
            if one is None:
                made.pop(_name(field), None)
            else:
                made[one["name"]] = one
    ordered = sorted(made.values(), key=lambda p: p["kind"] == "KEYWORD_ONLY")
    return ordered, None if unread is None else unread.reason or f"{unread.path} is not read"


def of_model(
    reader: Reader, owners: list[Target], order: list[Target]
) -> "tuple[list[Parameter], str | None]":
    """The fields of a pydantic model. Unknown ones it drops, unless it is told otherwise."""
    made: dict[str, Parameter] = {}
    extra: object = None
    for target in reversed(owners):
        if target.module is None or not isinstance(target.node, ast.ClassDef):
            continue
        for field in _annotated(target.node):
            if _name(field) == "model_config" or _name(field).startswith("_"):
                continue
            one = _model_field(reader, target.module, field)
            made[one["name"]] = one
        extra = _extra(reader, target.module, target.node) or extra
    if extra == "forbid":
        return list(made.values()), None
    verb = "takes" if extra == "allow" else "drops"
    return list(made.values()), f"{order[0].path} {verb} fields that it does not know"


def _annotated(owner: ast.ClassDef) -> list[ast.AnnAssign]:
    fields = [n for n in owner.body if isinstance(n, ast.AnnAssign)]
    named = [f for f in fields if isinstance(f.target, ast.Name)]
    return [f for f in named if "ClassVar" not in ast.unparse(f.annotation)]


def _name(field: ast.AnnAssign) -> str:
    return field.target.id if isinstance(field.target, ast.Name) else ""


def _dataclass_field(
    reader: Reader, module: Module, field: ast.AnnAssign, *, keyword_only: bool
) -> "Parameter | None":
    default = field.value
    if isinstance(default, ast.Call) and ast.unparse(default.func).endswith("field"):
        if _flag(default, "init") is False:
            return None
        own = _flag(default, "kw_only")
        keyword_only = keyword_only if own is None else own is True
        default = _keyword(default, "default") or _keyword(default, "default_factory")
    kind = "KEYWORD_ONLY" if keyword_only else "POSITIONAL_OR_KEYWORD"
    return _field(reader, module, field, kind, default)


def _model_field(reader: Reader, module: Module, field: ast.AnnAssign) -> "Parameter":
    default = field.value
    name = None
    doc = None
    if isinstance(default, ast.Call) and ast.unparse(default.func).endswith("Field"):
        call = default
        default = _keyword(call, "default") or _keyword(call, "default_factory")
        if default is None and call.args:
            default = call.args[0]
        name = _flag(call, "alias")
        doc = _flag(call, "description")
    if isinstance(default, ast.Constant) and default.value is ...:
        default = None
    made = _field(reader, module, field, "KEYWORD_ONLY", default)
    if isinstance(name, str):
        made["name"] = name
    return made | {"doc": doc if isinstance(doc, str) else None}


def _field(
    reader: Reader, module: Module, field: ast.AnnAssign, kind: str, default: ast.expr | None
) -> "Parameter":
    made = parameter(reader, module, _name(field), kind, field.annotation, default)
    if default is not None and default is not field.value and _is_factory(field, default):
        made.pop("default", None)
    return made


def _is_factory(field: ast.AnnAssign, default: ast.expr) -> bool:
    return isinstance(field.value, ast.Call) and default is _keyword(field.value, "default_factory")


def _extra(reader: Reader, module: Module, owner: ast.ClassDef) -> object:
    for node in owner.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            names = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(n, ast.Name) and n.id == "model_config" for n in names):
                if isinstance(node.value, ast.Call):
                    return _flag(node.value, "extra")
                value = node.value and constant(reader, module, node.value)
                return value.get("extra") if isinstance(value, dict) else None
    return None


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def _flag(call: ast.expr, name: str) -> object:
    """The constant that a call is given under a name; None where there is none."""
    value = _keyword(call, name) if isinstance(call, ast.Call) else None
    return value.value if isinstance(value, ast.Constant) else None
