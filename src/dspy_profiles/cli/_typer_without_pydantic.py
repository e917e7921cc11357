"""Let Typer read strings, paths and flags without pydantic.

Typer reads every parameter with pydantic, which takes as long to import as everything else. These
types do not need it, so Typer gets readers of ours. In a Typer that keeps its readers elsewhere,
nothing changes, and pydantic is imported.
"""

from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

__all__ = ["read_without_pydantic", "without_pydantic"]


def without_pydantic(command: Any) -> Any:
    """Give a command, and the commands of a group, our readers."""
    for inner in getattr(command, "commands", {}).values():
        without_pydantic(inner)
    parse_args = command.parse_args

    def parse_without_pydantic(ctx: Any, args: list[str]) -> Any:
        read_without_pydantic(command.get_params(ctx))  # `--help` is added only now
        return parse_args(ctx, args)

    command.parse_args = parse_without_pydantic
    return command


def read_without_pydantic(parameters: Iterable[Any]) -> None:
    """Give parameters our reader, unless they have one or need pydantic."""
    for parameter in parameters:
        descriptor = getattr(parameter, "type_descriptor", None)
        kind = _plain_kind(getattr(descriptor, "annotation", None))
        if kind is not None and getattr(parameter, "_runtime_param", parameter) is None:
            parameter._runtime_param = _Reader(kind)  # noqa: SLF001


class _Reader:
    """A reader as Typer calls it: `coerce` converts a value."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def coerce(self, value: Any, **_of: object) -> Any:
        if isinstance(value, list | tuple):
            return [self._kind(item) for item in value]
        return None if value is None else self._kind(value)


def _plain_kind(annotation: Any) -> type | None:
    """Return `str`, `Path` or `bool` if the annotation is one of them, optional, or a list."""
    if annotation in (str, Path, bool):  # a flag is True, False or None already
        kind: type = annotation
        return kind
    if get_origin(annotation) in (Union, UnionType, list):
        inner = {_plain_kind(each) for each in get_args(annotation) if each is not NoneType}
        return inner.pop() if len(inner) == 1 else None
    return None
