"""Read the keys of `dspy.settings` from the table of defaults in DSPy's source."""

import ast

from dspy_profiles.schema.reader._annotations import ANY, instance
from dspy_profiles.schema.reader._modules import Reader
from dspy_profiles.schema.reader._signatures import UNKNOWN, constant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Parameter = dict[str, Any]

__all__ = ["settings"]

# DSPy sets these itself while it runs; users set all others.
_INTERNAL = {"branch_idx", "trace", "send_stream", "usage_tracker", "stream_listeners"}
_INTERNAL |= {"caller_predict", "caller_modules"}

# Types that the default, None or an empty list, does not show.
_TYPES = {
    "callbacks": {"kind": "list", "items": instance("dspy.utils.callback.BaseCallback")},
    "interpreter_factory": {"kind": "callable"},
    "max_errors": {"kind": "integer"},
}


def settings(reader: Reader) -> "tuple[dict[str, Parameter], str | None]":
    """Return every key with its default, and why there may be other keys, or None."""
    module = reader.module("dspy.dsp.utils.settings")
    table = module.binding("DEFAULT_CONFIG")
    if module.reason is not None:
        return {}, f"{module.name} {module.reason}"
    rows = _rows(table and table[1])
    if rows is None:
        return {}, f"{module.name} has no readable table DEFAULT_CONFIG"
    comments = _comments(module.source)
    made = {}
    for name, node in rows:
        value = constant(reader, module, node)
        made[name] = {
            "name": name,
            "type": _TYPES.get(name) or _type_of(value),
            "required": False,
            "default_source": module.text(node),
            "doc": comments.get(name),
            "deprecated": None,
            "internal": name in _INTERNAL,
        }
        if value is not UNKNOWN:
            made[name]["default"] = value
    return made, None


def _rows(table: ast.AST | None) -> list[tuple[str, ast.expr]] | None:
    if isinstance(table, ast.Call):
        inner = _rows(table.args[0]) if table.args else []
        named = [(k.arg, k.value) for k in table.keywords if k.arg]
        return None if inner is None else inner + named
    if isinstance(table, ast.Dict):
        pairs = zip(table.keys, table.values, strict=True)
        return [(str(k.value), v) for k, v in pairs if isinstance(k, ast.Constant)]
    return None


def _type_of(default: object) -> "dict[str, Any]":
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    if type(default) in kinds:
        return {"kind": kinds[type(default)]}
    return {"kind": "list", "items": ANY} if isinstance(default, list) else ANY


def _comments(source: str) -> dict[str, str]:
    """Return the comment of each key: on its line, or on the lines right above."""
    comments: dict[str, str] = {}
    above: list[str] = []
    for line in source.partition("DEFAULT_CONFIG")[2].split("\n"):
        text = line.strip()
        if text.startswith("#"):
            above.append(text.lstrip("# "))
            continue
        code, _, comment = text.partition("  #")
        name = code.replace('"', "").partition("=")[0].partition(":")[0].strip()
        if name.isidentifier() and (comment.strip() or above):
            comments.setdefault(name, comment.strip() or " ".join(above))
        above = []
    return comments
