"""The quotes of strings and keys in TOML: what stands in them, and how to keep them."""

import re

import tomli

from dspy_profiles.config._keys import join_key

__all__ = ["name_as", "quoted_as", "unquoted"]


def unquoted(part: str) -> str:
    """What a key, or a string on one line, says."""
    if part[0] == '"' and "\\" in part:
        name: str = tomli.loads(f"key = {part}")["key"]
        return name
    return part[1:-1] if part[0] in "\"'" else part


def quoted_as(old: str, new: str) -> str:
    """A value; a string in single quotes where the old one stood in them, and they can hold it."""
    if new[:1] != '"' or old[:1] != "'" or old[:3] == "'''":
        return new
    plain = unquoted(new)
    return f"'{plain}'" if _LITERAL.fullmatch(plain) else new


def name_as(old: str, name: str) -> str:
    """A part of a key, in the quotes of the old one."""
    new = join_key((name,))
    needs_none = old[0] in "\"'" and new[0] != '"'
    return quoted_as(old, f'"{new}"' if needs_none else new)


_LITERAL = re.compile(r"[^'\x00-\x08\n-\x1f\x7f]*")
