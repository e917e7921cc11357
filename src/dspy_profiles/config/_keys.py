"""Paths of keys in TOML: `lm.model`, `lm.extra_headers."x.y"`."""

import json
from typing import Any

import tomli

from dspy_profiles.errors import InvalidProfile

__all__ = ["KeyPath", "join_key", "split_key"]

KeyPath = tuple[str, ...]


def split_key(dotted: str) -> KeyPath:
    """A key as TOML writes it: `lm.model`, `lm.extra_headers."x.y"`."""
    # With two values, since `lm.model = 0 #` would bring one of its own.
    zero, one = _path_to(f"{dotted} = 0"), _path_to(f"{dotted} = 1")
    if zero is None or one is None or (zero[1], one[1]) != (0, 1) or "\n" in dotted:
        raise InvalidProfile(f'"{dotted}" is not a key', hint="write section.key, as in lm.model")
    return zero[0]


def _path_to(statement: str) -> tuple[KeyPath, object] | None:
    """What one statement sets, and to what."""
    try:
        node: Any = tomli.loads(statement)
    except (ValueError, RecursionError):  # no TOML, or more than TOML's reader takes
        return None
    path: list[str] = []
    while isinstance(node, dict) and len(node) == 1:
        ((key, node),) = node.items()
        path.append(key)
    return tuple(path), node


def join_key(path: KeyPath) -> str:
    """The reverse of `split_key`."""
    # An override may have keys that are no text, as {"logit_bias": {50256: -100}}.
    return ".".join(part if _is_bare(part) else _quoted(part) for part in map(str, path))


def _is_bare(part: str) -> bool:
    return part.isascii() and part.replace("_", "a").replace("-", "a").isalnum()


def _quoted(part: str) -> str:
    # A JSON string is a TOML one, but for the one control character that JSON lets stand.
    return json.dumps(part, ensure_ascii=False).replace("\x7f", "\\u007f")
