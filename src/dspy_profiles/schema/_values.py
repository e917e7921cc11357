"""Check a value against the type of a parameter, and describe types in words."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "check_value",
    "is_import_path",
    "is_reference",
    "is_secret_name",
    "names_role",
    "without_references",
    "words",
]

Type = Mapping[str, Any]

_LATER = object()  # not a TOML value: accepted
_SHOWN = 40  # characters of a wrong string that a message may repeat
_NOUNS = {
    "any": "anything",
    "null": "nothing",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "table": "a table",
    "callable": "the import path of a function",
    "class": "the import path of a class",
}
_OBJECTS = {"role": "the name of a role under lms", "path": "an import path"}
_SECRET = ("key", "token", "secret", "password", "passwd", "authorization", "credential", "cookie")


def check_value(expected: Type, value: object, *, secret: bool = False) -> str | None:
    """Return what is wrong with `value` for the type `expected`, or None.

    Accepts values that no TOML file can hold, such as objects from Python code. Never repeats a
    `secret`.

    >>> check_value({"kind": "number"}, "hot")
    'expected a number, got the string "hot"'
    """
    if _fits(expected, value):
        return None
    inner = _inside(expected, value, secret=secret)
    return inner or f"expected {words(expected)}, got {_shown(value, secret=secret)}"


def words(kind: Type) -> str:
    """Return a type in words."""
    name = kind["kind"]
    if name == "literal":
        return _either([_quoted(v) for v in kind["values"]], "one of ")
    if name == "union":
        parts = [words(k) for k in kind["of"] if k["kind"] != "null"]
        return _either(parts, "") if parts else "nothing"
    if name == "object":
        bare = kind["class"].rpartition(".")[2]
        return _OBJECTS.get(kind["written"], f"a {bare} object, which a file cannot hold")
    if name == "list" and kind["items"]["kind"] in {"string", "integer", "number", "object"}:
        return f"a list, each {words(kind['items'])}"
    return _NOUNS[name]


def is_secret_name(name: str) -> bool:
    """Return whether a value of this name is never shown; in doubt it is not."""
    plain = name.lower()
    if plain.endswith(("_path", "tokens")):
        return False
    return any(part in plain for part in _SECRET)


def is_reference(value: object, prefixes: tuple[str, ...] = ("env:", "file:", "keyring:")) -> bool:
    """Return whether a value is a reference."""
    if not isinstance(value, str):
        return False
    return value.startswith(prefixes) or "${" in value.replace("$${", "")


def without_references(value: object, prefixes: tuple[str, ...]) -> object:
    """Return the value with references replaced by an object that every check accepts."""
    if isinstance(value, Mapping):
        return {k: without_references(v, prefixes) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_references(v, prefixes) for v in value]
    return _LATER if is_reference(value, prefixes) else value


def names_role(kind: Type) -> bool:
    """Return whether a string of this type is a role under lms."""
    if kind["kind"] == "union":
        return any(names_role(part) for part in kind["of"])
    return kind["kind"] == "object" and bool(kind["written"] == "role")


def _fits(kind: Type, value: object) -> bool:
    name = kind["kind"]
    if name == "any" or not _is_toml(value):
        return True
    if name == "union":
        return any(_fits(part, value) for part in kind["of"])
    if name == "literal":
        return any(value == v and type(value) is type(v) for v in kind["values"])
    if name == "list":
        return isinstance(value, list | tuple) and all(_fits(kind["items"], v) for v in value)
    if name == "table":
        return isinstance(value, Mapping) and all(_fits(kind["values"], v) for v in value.values())
    if name == "object":
        return _names_object(kind["written"], value)
    return _is_plain(name, value)


def _is_plain(name: str, value: object) -> bool:
    if name == "null":
        return value is None
    if name == "boolean":
        return isinstance(value, bool)
    if name in {"integer", "number"}:
        kinds = int if name == "integer" else int | float
        return isinstance(value, kinds) and not isinstance(value, bool)
    if name in {"callable", "class"}:
        return isinstance(value, str) and is_import_path(value)
    return isinstance(value, str)


def _names_object(written: str, value: object) -> bool:
    if written == "path":
        return isinstance(value, str) and is_import_path(value)
    if written == "role":
        return isinstance(value, str)
    return written == "unknown"


def is_import_path(text: str) -> bool:
    """Return whether this is `pkg.mod.Name` or `pkg.mod:Name`."""
    module, colon, inner = text.partition(":")
    parts = [*module.split("."), *(inner.split(".") if colon else [])]
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def _is_toml(value: object) -> bool:
    plain = isinstance(value, str | int | float | list | tuple | Mapping) or value is None
    return plain or type(value).__module__ == "datetime"


def _inside(kind: Type, value: object, *, secret: bool) -> str | None:
    """Return what is wrong with an item of a list or table, or None."""
    if kind["kind"] == "union":
        messages = (_inside(part, value, secret=secret) for part in kind["of"])
        return next(filter(None, messages), None)
    if kind["kind"] == "list" and isinstance(value, list | tuple):
        parts = [(f"item {n}", v, secret) for n, v in enumerate(value, 1)]
        inner = kind["items"]
    elif kind["kind"] == "table" and isinstance(value, Mapping):
        parts = [(_quoted(k), v, secret or is_secret_name(str(k))) for k, v in value.items()]
        inner = kind["values"]
    else:
        return None
    for name, part, hidden in parts:
        message = check_value(inner, part, secret=hidden)
        if message:
            return f"{name}: {message}"
    return None


def _shown(value: object, *, secret: bool) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean" if secret else f"the boolean {str(value).lower()}"
    if isinstance(value, str):
        shown = len(value) <= _SHOWN and value.isprintable() and not value.startswith("sk-")
        return f"the string {_quoted(value)}" if shown and not secret else "a string"
    if isinstance(value, int | float):
        return "a number" if secret else f"the number {value}"
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, list | tuple) else "a date or time"


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _either(parts: list[str], prefix: str) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{prefix}{', '.join(parts[:-1])} or {parts[-1]}"
