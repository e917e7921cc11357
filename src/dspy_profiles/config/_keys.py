"""Paths of keys in TOML: `lm.model`, `lm.extra_headers."x.y"`."""

import json
from typing import Any

import tomli

from dspy_profiles._control import escaped
from dspy_profiles.errors import InvalidProfile

__all__ = ["KeyPath", "join_key", "split_key", "touches"]

KeyPath = tuple[str, ...]


def split_key(dotted: str) -> KeyPath:
    """Split a key in TOML's spelling: `lm.model`, `lm.extra_headers."x.y"`."""
    # Parse it with two values: `lm.model = 0 #` would bring a value of its own.
    zero, one = _path_to(f"{dotted} = 0"), _path_to(f"{dotted} = 1")
    if zero is None or one is None or (zero[1], one[1]) != (0, 1) or "\n" in dotted:
        raise InvalidProfile(f'"{dotted}" is not a key', hint="write section.key, as in lm.model")
    return zero[0]


def _path_to(statement: str) -> tuple[KeyPath, object] | None:
    """Return the key that one statement sets, and its value."""
    try:
        node: Any = tomli.loads(statement)
    except (ValueError, RecursionError):  # not TOML, or nested too deeply for its parser
        return None
    path: list[str] = []
    while isinstance(node, dict) and len(node) == 1:
        ((key, node),) = node.items()
        path.append(key)
    return tuple(path), node


def join_key(path: KeyPath) -> str:
    """Return the key in TOML's spelling, the reverse of `split_key`."""
    # Overrides can have keys that are not strings: {"logit_bias": {50256: -100}}.
    return ".".join(part if _is_bare(part) else _quoted(part) for part in map(str, path))


def _is_bare(part: str) -> bool:
    return part.isascii() and part.replace("_", "a").replace("-", "a").isalnum()


def _quoted(part: str) -> str:
    # A JSON string is a TOML string, but for control characters that JSON does not escape.
    return escaped(json.dumps(part, ensure_ascii=False))


def touches(one: KeyPath, other: KeyPath) -> bool:
    """Return whether one of the keys is the other, or a table around it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
