"""What a class takes when it is made, as its source declares it."""

import ast

from dspy_profiles.schema.reader import _docs, _fields
from dspy_profiles.schema.reader._bindings import Function, Module
from dspy_profiles.schema.reader._modules import Reader, Target
from dspy_profiles.schema.reader._signatures import declared, parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Parameter = dict[str, Any]
    Description = dict[str, Any]

__all__ = ["describe_target", "inherits"]

MODELS = {"pydantic.BaseModel", "pydantic.main.BaseModel"}

# Bases that bring no constructor of their own.
_EMPTY = {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"}
_EMPTY |= {"typing_extensions.Generic", "typing_extensions.Protocol"}

# Decorators of a constructor that leave its parameters as they are.
_HARMLESS = {"deprecated", "overload", "override", "wraps"}
# Decorators of a class that write no constructor for it.
_INERT = {"dataclass", "deprecated", "experimental", "final", "runtime_checkable"}
_INERT |= {"total_ordering", "add_metaclass"}


class _Signature:
    """Parameters, and whether others are taken as well (with the reason)."""

    __slots__ = ("doc", "parameters", "read", "reason")

    def __init__(
        self, parameters: "list[Parameter]", reason: str | None = None, *, read: bool = True
    ) -> None:
        self.parameters = parameters
        self.reason = reason  # None: closed, anything else is refused
        self.read = read  # False: the source does not tell all parameters that have names
        self.doc = ""


def _unread(reason: str) -> _Signature:
    return _Signature([], reason, read=False)


def describe_target(reader: Reader, target: Target, name: str) -> "Description":
    """The description of one class or function; open, with the reason, where it cannot be told."""
    made: Description = {"name": name, "target": target.path, "kind": target.kind}
    if target.kind == "class":
        order = lineage(reader, target)
        signature = _constructor(reader, order)
        doc = _docs.docstring(order[0].node) if isinstance(order[0].node, ast.ClassDef) else ""
        signature.reason = signature.reason or _metaclass(reader, order)
        made["bases"] = [base.path for base in order[1:]]
        made["deprecated"] = _class_deprecation(order[0], doc)
    elif target.kind == "function" and target.module is not None:
        node = target.module.whole(target.name) or target.node
        signature = _taken(reader, target, node, [], bound=False)
        doc = signature.doc
    else:
        reason = target.reason or f"{name} is made while the program runs"
        if target.kind == "external":
            reason = f"{target.name} is not read"
        signature, doc = _unread(reason), ""
    said = _docs.parameters(doc)
    for each in signature.parameters:
        each["doc"] = each["doc"] or said.get(each["name"])
        each["deprecated"] = each["deprecated"] or _docs.deprecated_by_text(each["doc"])
    made["found"] = target.kind != "missing"
    made["doc"] = _docs.summary(doc) or _docs.summary(signature.doc)
    made["open"] = signature.reason is not None
    made["reason"] = signature.reason
    made["read"] = signature.read
    made["parameters"] = signature.parameters
    return {"bases": [], "deprecated": None} | made


def _constructor(reader: Reader, order: list[Target]) -> _Signature:
    """What the first class that has a constructor takes."""
    for index, target in enumerate(order):
        if target.kind == "external" and target.name in MODELS:
            return _Signature(*_fields.of_model(reader, order[:index], order))
        if not isinstance(target.node, ast.ClassDef) or target.module is None:
            return _unread(target.reason or f"{target.path} is not read")
        node = _method(target.node, "__init__") or _method(target.node, "__new__")
        if node is not None:
            return _taken(reader, target, node, order[index + 1 :], bound=True)
        decorator = _fields.dataclass_decorator(reader, target)
        if decorator is not None:
            fields, reason = _fields.of_dataclass(reader, order[index:], decorator)
            return _Signature(fields, reason, read=reason is None)
        strange = [d for d in map(_name, target.node.decorator_list) if d not in _INERT]
        if strange:  # attrs and the like write constructors too
            return _unread(f"{target.path} is decorated with {strange[0]}")
    return _Signature([])


def _metaclass(reader: Reader, order: list[Target]) -> str | None:
    """A metaclass that stands between the call and the constructor."""
    for target in order:
        node = target.node
        for keyword in node.keywords if isinstance(node, ast.ClassDef) else []:
            if keyword.arg == "metaclass" and target.module is not None:
                meta = reader.expression(target.module, keyword.value)
                if isinstance(meta.node, ast.ClassDef) and _method(meta.node, "__call__"):
                    return f"{target.path} is made by its metaclass {meta.name}"
    return None


def inherits(description: "Description", base: str) -> bool:
    """Whether the described class is `base` or one of its subclasses."""
    return description["target"] == base or base in description["bases"]


def _method(owner: ast.ClassDef, name: str) -> Function | None:
    for node in reversed(owner.body):
        if isinstance(node, Function) and node.name == name:
            return node
    return None


def _taken(
    reader: Reader, target: Target, node: ast.AST | None, above: list[Target], *, bound: bool
) -> _Signature:
    if target.module is None or not isinstance(node, Function):
        return _unread(target.reason or f"{target.path} is not read")
    own = declared(reader, target.module, node, bound=bound)
    signature = _Signature(own)
    signature.doc = _docs.docstring(node)
    strange = [d for d in map(_name, node.decorator_list) if d not in _HARMLESS]
    extra = next((p["name"] for p in own if p["kind"] == "VAR_KEYWORD"), None)
    if strange and bound:
        signature.reason = f"{target.path}.{node.name} is decorated with {strange[0]}"
        signature.read = False
    elif extra is not None:
        signature.reason = f"{target.path} takes **{extra}"
        _widen(reader, target.module, signature, node, above, extra)
    return signature


def _widen(  # noqa: PLR0913, PLR0917 - one place where all of them meet
    reader: Reader,
    module: Module,
    signature: _Signature,
    node: Function,
    above: list[Target],
    extra: str,
) -> None:
    """Follow `**kwargs`: what the base's constructor takes is taken here, and nothing else."""
    use = _Use(node, extra)
    taken = {p["name"] for p in signature.parameters}
    base = _constructor(reader, above) if use.forwarded else _Signature([])
    given = use.given | {p["name"] for p in base.parameters[: use.positional]}
    for each in base.parameters:
        if not each["kind"].startswith("VAR") and each["name"] not in taken | given:
            widened = {"kind": "KEYWORD_ONLY", "from": each["from"] or _owner(above)}
            signature.parameters.append(each | widened)
    taken |= {p["name"] for p in signature.parameters}
    for name in sorted(use.picked - taken):
        added = parameter(reader, module, name, "KEYWORD_ONLY", None, None)
        signature.parameters.append(added | {"required": False, "from": extra})
    signature.read = base.read
    if use.forwarded and not use.escapes:
        signature.reason = base.reason


def _owner(above: list[Target]) -> str:
    holders = (t for t in above if isinstance(t.node, ast.ClassDef) and _method(t.node, "__init__"))
    return next((t.path for t in holders), "a base class")


class _Use:
    """What a constructor does with its `**kwargs`."""

    def __init__(self, node: Function, extra: str) -> None:
        self.extra = extra
        self.forwarded = False  # handed to the base's constructor
        self.escapes = False  # handed to somebody else, or kept
        self.picked: set[str] = set()  # kwargs.pop("x"), kwargs["x"]
        self.given: set[str] = set()  # what the base gets by name from here
        self.positional = 0
        known = 0
        for part in ast.walk(node):
            known += self._call(part) if isinstance(part, ast.Call) else self._item(part)
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == extra]
        self.escapes = len(names) > known or not names

    def _call(self, call: ast.Call) -> int:
        function = call.func
        if isinstance(function, ast.Attribute) and self._is(function.value):
            key = call.args[0] if call.args else None
            if function.attr in {"pop", "get", "setdefault"} and self._pick(key):
                return 1
            return 0
        spread = [k for k in call.keywords if k.arg is None and self._is(k.value)]
        if not spread or not _is_super(function):
            return 0
        self.forwarded = True
        self.given |= {k.arg for k in call.keywords if k.arg}
        named = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
        plain = [a for a in call.args if not isinstance(a, ast.Starred)]
        self.positional = len(plain) - (not named.startswith("super("))
        return len(spread)

    def _item(self, node: ast.AST) -> int:
        if isinstance(node, ast.Subscript) and self._is(node.value):
            if isinstance(node.ctx, ast.Store):
                return int(isinstance(node.slice, ast.Constant))
            return int(self._pick(node.slice))
        if isinstance(node, ast.Compare) and len(node.comparators) == 1:
            return int(self._is(node.comparators[0]) and isinstance(node.left, ast.Constant))
        return 0

    def _pick(self, key: ast.expr | None) -> bool:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            self.picked.add(key.value)
            return True
        return False

    def _is(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self.extra


def _is_super(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr in {"__init__", "__new__"}


def _name(decorator: ast.expr) -> str:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(node).rpartition(".")[2]


def _class_deprecation(target: Target, doc: str) -> str | None:
    node = target.node
    for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else []:
        if _name(decorator) == "deprecated":
            texts = [a for a in getattr(decorator, "args", []) if isinstance(a, ast.Constant)]
            return str(texts[0].value) if texts else "deprecated"
    first = _docs.summary(doc) or ""
    return first if first.lower().lstrip(" .*[(").startswith("deprecated") else None


def lineage(reader: Reader, target: Target) -> list[Target]:
    """`target` and its bases; one that cannot be read stands there as what it is."""
    return _order(reader, target, frozenset())


def _order(reader: Reader, target: Target, above: frozenset[str]) -> list[Target]:
    if target.kind != "class" or target.module is None:
        return [target]
    if target.path in above:
        return [Target("opaque", target.path, reason=f"{target.path} inherits from itself")]
    assert isinstance(target.node, ast.ClassDef)  # noqa: S101 - what kind == "class" means
    bases: list[Target] = []
    for node in target.node.bases:
        base = reader.expression(target.module, _unsubscripted(node))
        if base.kind == "external" and base.name in _EMPTY:
            continue
        bases.append(base if base.kind in {"class", "external"} else _opaque(base, node))
    orders = [_order(reader, base, above | {target.path}) for base in bases]
    return [target, *_merge([*orders, bases])]


def _unsubscripted(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Subscript) else node


def _opaque(base: Target, node: ast.expr) -> Target:
    name = ast.unparse(node)
    return Target("opaque", name, reason=base.reason or f"{name} is made while the program runs")


def _merge(orders: list[list[Target]]) -> list[Target]:
    """Python's own way (C3); where that finds no order, depth first."""
    merged: list[Target] = []
    rest = [list(order) for order in orders if order]
    while rest:
        tails = {t.path for order in rest for t in order[1:]}
        head = next((o[0] for o in rest if o[0].path not in tails), rest[0][0])
        merged.append(head)
        rest = [[t for t in order if t.path != head.path] for order in rest]
        rest = [order for order in rest if order]
    return merged
