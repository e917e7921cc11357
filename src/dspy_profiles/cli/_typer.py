"""Typer reads every parameter by pydantic, which takes as long to import as all else together.

Texts, paths and flags need no pydantic. This hands Typer readers of our own for them; where Typer
keeps its readers elsewhere, nothing happens but that pydantic is imported.
"""

from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

__all__ = ["read_plainly", "without_pydantic"]


def without_pydantic(command: Any) -> Any:
    """The command, and those in it if it is a group, with plain readers for what is plain."""
    for inner in getattr(command, "commands", {}).values():
        without_pydantic(inner)
    parse_args = command.parse_args

    def parse_plainly(ctx: Any, args: list[str]) -> Any:
        read_plainly(command.get_params(ctx))  # only now is `--help` among them
        return parse_args(ctx, args)

    command.parse_args = parse_plainly
    return command


def read_plainly(parameters: Iterable[Any]) -> None:
    """Give these parameters plain readers, where they have none and need no other."""
    for parameter in parameters:
        descriptor = getattr(parameter, "type_descriptor", None)
        kind = _plain_kind(getattr(descriptor, "annotation", None))
        if kind is not None and getattr(parameter, "_runtime_param", parameter) is None:
            parameter._runtime_param = _Reader(kind)  # noqa: SLF001


class _Reader:
    """What Typer asks of a reader: `coerce`."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def coerce(self, value: Any, **_of: object) -> Any:
        if isinstance(value, list | tuple):
            return [self._kind(item) for item in value]
        return None if value is None else self._kind(value)


def _plain_kind(annotation: Any) -> type | None:
    """`str`, `Path` or `bool`, where that is all that the annotation asks for."""
    if annotation in (str, Path, bool):  # a flag is True, False or None already
        kind: type = annotation
        return kind
    if get_origin(annotation) in (Union, UnionType, list):
        inner = {_plain_kind(each) for each in get_args(annotation) if each is not NoneType}
        return inner.pop() if len(inner) == 1 else None
    return None
