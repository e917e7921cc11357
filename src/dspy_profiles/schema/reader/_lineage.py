"""The classes that a class inherits from, in the order in which Python asks them."""

import ast

from dspy_profiles.schema.reader._modules import Reader, Target

__all__ = ["MODELS", "lineage"]

MODELS = {"pydantic.BaseModel", "pydantic.main.BaseModel"}

# Bases that bring no constructor of their own.
_EMPTY = {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"}
_EMPTY |= {"typing_extensions.Generic", "typing_extensions.Protocol"}


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
