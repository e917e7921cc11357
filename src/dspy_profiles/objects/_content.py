"""Compare values by content, hashable or not."""

from collections.abc import Hashable, Mapping
from typing import Any

__all__ = ["Content", "content"]


class Content:
    """A key that is equal for equal content. Its repr hides the content, which can be a secret."""

    __slots__ = ("_content",)

    def __init__(self, content: Hashable) -> None:
        self._content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)


def content(value: Any) -> Content:
    """Return a hashable key that is equal for equal content."""
    return Content(_content(value))


def _content(value: Any) -> Hashable:
    if isinstance(value, Mapping):
        return frozenset((name, _content(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return (tuple if isinstance(value, tuple) else list, *map(_content, value))
    if value is None or isinstance(value, str | int | float | bool):
        return (type(value).__name__, value)  # 1, 1.0 and True are not the same
    compare: Any = type(value).__eq__
    if compare is not object.__eq__ and _is_hashable(value):
        return (type(value), value)
    return _Itself(value)


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:  # a frozen dataclass with a list in it
        return False
    return True


class _Itself:
    """A key for an object that is equal to itself only; keeps it alive."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)
