"""Texts and draws that are the same in every process."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

import dspy
from pydantic import BaseModel

__all__ = ["Draw", "prompt_of", "text_of"]

T = TypeVar("T")

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_DEEPEST = 20  # an input that contains itself ends here


def text_of(value: Any, depth: int = 0) -> str:
    """Return `value` as text, without what differs between processes: order of sets, addresses.

    >>> text_of({"b": {3, 1}, "a": "x"})
    '{b: {1, 3}, a: x}'
    """
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Enum):
        return text_of(value.value, depth + 1)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if (items := _items(value)) is not None:
        parts = (f"{text_of(key, depth + 1)}: {text_of(one, depth + 1)}" for key, one in items)
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list | tuple | set | frozenset):
        texts = [text_of(one, depth + 1) for one in value]
        ordered = isinstance(value, list | tuple)
        return "[" + ", ".join(texts) + "]" if ordered else "{" + ", ".join(sorted(texts)) + "}"
    return value if isinstance(value, str) else _ADDRESS.sub("", str(value))


def _items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, dspy.Tool):
        return {"name": value.name, "desc": value.desc, "args": value.args}.items()
    if isinstance(value, dspy.Example):
        return list(value.items())
    if isinstance(value, BaseModel):  # by its fields: some models define another iteration
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return {**fields, **(value.model_extra or {})}.items()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return None


def prompt_of(request: Any) -> str:
    """Return the text of the whole request, message after message."""
    system = request.system
    texts = [system] if isinstance(system, str) else [_part(part) for part in system or ()]
    texts.extend(_part(part) for message in request.messages for part in message.parts)
    return "\n\n".join(text for text in texts if text)


def _part(part: Any) -> str:
    match part.type:
        case "text" | "thinking" | "refusal":
            return str(part.text)
        case "tool_call":
            return f"{part.name}({json.dumps(part.input, ensure_ascii=False)})"
        case "tool_result":
            return "\n".join(_part(inner) for inner in part.content)
        case "data":
            return text_of(part.value)
    source = getattr(part, "url", None) or getattr(part, "file_id", None)
    source = source or getattr(part, "data", None) or getattr(part, "path", None)
    return f"[{part.type}: {source}]"


@dataclasses.dataclass(frozen=True, slots=True)
class Draw:
    """A pseudo-random source: seed and path determine its values, not the order of draws.

    >>> Draw("hello").child("answer").word() == Draw("hello").child("answer").word()
    True
    """

    seed: str
    path: tuple[str, ...] = ()

    def child(self, *steps: object) -> "Draw":
        return Draw(self.seed, (*self.path, *map(str, steps)))

    def digest(self) -> bytes:
        # A lone surrogate is not valid text, but a valid seed.
        text = "\x1f".join((self.seed, *self.path))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    def below(self, bound: int) -> int:
        """Return an integer from 0 to `bound` - 1."""
        return int.from_bytes(self.digest(), "big") % bound

    def fraction(self) -> float:
        """Return a number from 0 to below 1."""
        return int.from_bytes(self.digest()[:6], "big") / 2**48

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def word(self, length: int = 4) -> str:
        """Return `length` hexadecimal digits."""
        digits = self.digest().hex()
        return (digits * (length // len(digits) + 1))[:length]
