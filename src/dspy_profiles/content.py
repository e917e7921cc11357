"""Telling whether two values say the same, hashable or not."""

from collections.abc import Hashable, Mapping
from typing import Any

__all__ = ["content"]


def content(value: Any) -> Hashable:
    """Something hashable that is equal where the content is: {} is content like any other."""
    if isinstance(value, Mapping):
        return frozenset((name, content(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return (type(value).__name__, *map(content, value))
    if value is None or isinstance(value, str | int | float | bool):
        return (type(value).__name__, value)  # 1, 1.0 and True are not the same
    if isinstance(value, Hashable) and type(value).__eq__ is not object.__eq__:
        return value if _can_be_hashed(value) else _Itself(value)
    return _Itself(value)


def _can_be_hashed(value: object) -> bool:
    try:
        hash(value)
    except TypeError:  # a frozen dataclass says that it can, and may hold a list
        return False
    return True


class _Itself:
    """Stands for an object that is equal to nothing else, and keeps it alive."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)
