"""Any value as JSON data that is the same every time, and back.

Values that JSON does not have are written as a table with one key: `{"$int": "…"}` for an integer
of more than 64 bits, `{"$float": "nan"}`, `{"$object": "module:name"}` for an object that is
recorded by its name only, and `{"$text": […]}` with the names of the parts of a long text. A table
that looks like one of these is written as `{"$dict": {…}}`.
"""

import math
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import orjson

__all__ = ["Clean", "Parts", "dumped", "fold", "original", "plain", "read_back", "unfold"]

Clean = Callable[[str], str]
Parts = dict[str, str]  # texts by the beginning of their hash

MARKS = frozenset({"$int", "$float", "$object", "$text", "$dict"})
MOST, LEAST = 2**64 - 1, -(2**63)
# Line ends for some editors and readers, which JSON does not escape.
LINE_ENDS = (
    (b"\xe2\x80\xa8", rb"\u2028"),
    (b"\xe2\x80\xa9", rb"\u2029"),
    (b"\xc2\x85", rb"\u0085"),
)
PIECE = 400  # a long text is cut at blank lines into pieces of about this length


def dumped(value: Any) -> bytes:
    """Return plain data as one line without its end; keys are sorted, line ends escaped."""
    line = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if not line.isascii():
        for raw, escaped in LINE_ENDS:
            line = line.replace(raw, escaped)
    return line


def read_back(value: Any) -> Any:
    """Return plain data as it will be read from a file: tables sorted by their keys."""
    return orjson.loads(dumped(value))


def plain(value: Any, clean: Clean) -> Any:
    """Return the value as JSON data, with each text cleaned."""
    if isinstance(value, str):
        return _valid(clean(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if LEAST <= value <= MOST else {"$int": str(int(value))}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        table = {_valid(clean(str(key))): plain(item, clean) for key, item in value.items()}
        return {"$dict": table} if _is_marked(table) else table
    if isinstance(value, list | tuple):
        return [plain(item, clean) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item, clean) for item in value), key=dumped)
    return _object(value, clean)


def _object(value: Any, clean: Clean) -> Any:
    if isinstance(value, bytes | bytearray):
        return plain(b64encode(value).decode(), clean)
    if isinstance(value, type):
        schema = getattr(value, "model_json_schema", None)  # of a pydantic class
        return plain(schema(), clean) if callable(schema) else {"$object": _name(value)}
    for as_data in ("model_dump", "tolist"):  # pydantic's objects, numpy's arrays and numbers
        if callable(method := getattr(value, as_data, None)):
            return plain(method(), clean)
    return {"$object": _name(type(value))}


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _valid(text: str) -> str:
    """Return the text without characters that UTF-8 cannot encode."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _is_marked(table: Mapping[str, Any]) -> bool:
    return len(table) == 1 and next(iter(table)) in MARKS


def original(value: Any) -> Any:
    """Return the value that `plain` has converted, as far as it can be restored."""
    if isinstance(value, list):
        return [original(item) for item in value]
    if not isinstance(value, dict):
        return value
    if not _is_marked(value):
        return {key: original(item) for key, item in value.items()}
    ((mark, inner),) = value.items()
    if mark == "$int":
        return int(inner)
    if mark == "$float":
        return float(inner)
    if mark == "$dict":
        return {key: original(item) for key, item in inner.items()}
    return inner


def fold(value: Any, parts: Parts, longest: int) -> Any:
    """Return plain data with texts longer than this moved to `parts`."""
    if isinstance(value, str):
        return {"$text": _put(value, parts)} if len(value) > longest else value
    if isinstance(value, list):
        return [fold(item, parts, longest) for item in value]
    if isinstance(value, dict):
        return {key: fold(item, parts, longest) for key, item in value.items()}
    return value


def _put(text: str, parts: Parts) -> list[str]:
    names = []
    for piece in _pieces(text):
        name = sha256(piece.encode()).hexdigest()[:16]
        parts[name] = piece
        names.append(name)
    return names


def _pieces(text: str) -> list[str]:
    """Split the text at blank lines, so that a change shows only in the piece that contains it."""
    paragraphs = text.split("\n\n")
    pieces, piece = [], ""
    for paragraph in [f"{each}\n\n" for each in paragraphs[:-1]] + paragraphs[-1:]:
        piece += paragraph
        if len(piece) >= PIECE:
            pieces.append(piece)
            piece = ""
    return [*pieces, piece] if piece else pieces


def unfold(value: Any, parts: Mapping[str, str]) -> Any:
    """Return plain data with its long texts restored. Raises KeyError for a missing part."""
    if isinstance(value, list):
        return [unfold(item, parts) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        if "$text" in value:
            return "".join([parts[name] for name in value["$text"]])
        if "$dict" in value:
            return {"$dict": {key: unfold(item, parts) for key, item in value["$dict"].items()}}
    return {key: unfold(item, parts) for key, item in value.items()}
