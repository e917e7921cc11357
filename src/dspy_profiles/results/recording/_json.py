"""Convert any value to redacted JSON data that can be read without the program.

A value that JSON cannot represent is a table with one key that begins with "$": `{"$float":
"nan"}`, `{"$int": "…"}` for more than 64 bits, `{"$bytes": base64}`, `{"$repr": "…"}` for an object
of which only the repr is known, `{"$pairs": [[key, value], …]}` for a table whose keys would be
equal as strings, `{"$cut": [beginning, length]}`, `{"$blob": sha256, "size": bytes}` for a long
text in a file of its own, `{"$lost": characters}` for one that could not be written, and
`{"$table": {…}}` for a table that would look like one of these.
"""

import math
import numbers
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson

from dspy_profiles.secrets import has_redaction_rules, nothing_to_redact, redact

__all__ = ["FOLD", "Keep", "clean", "encoded", "plain"]

Keep = Callable[[bytes], str | None]  # stores a long text and returns its name, or None

FOLD = 4096  # characters; a longer text goes to a file of its own
LONGEST = 8 * 2**20  # characters of one text
SHOWN = 2000  # characters of an object's repr
MOST_ITEMS = 50_000  # in one value, all levels together
DEEPEST = 32
MOST, LEAST = 2**64 - 1, -(2**63)
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # differs in each run
END = orjson.OPT_APPEND_NEWLINE
QUICK = (
    END
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
# Fields of a line that are always strings, of any length: readers rely on that.
TEXTS = frozenset({"name", "hypothesis", "program", "profile", "error"})
AS_TEXT = (date, time, timedelta, Decimal, PurePath, UUID, complex)


def plain(value: Any, keep: Keep | None = None) -> Any:
    """Return a value as JSON data. Long texts go to `keep`; without it, they stay in place."""
    return _Walk(keep).of(value)


def encoded(line: dict[str, Any], keep: Keep, *loose: str) -> bytes:
    """Return a line of JSON, with its line feed. The `loose` fields may hold any value.

    Several times as fast as `plain`, if the line is short and has no special values.
    """
    try:
        data = orjson.dumps(line, _quick, QUICK)
        # orjson writes nan as null, and keys that begin with "$" have a special meaning.
        if (
            len(data) <= FOLD
            and b"null" not in data
            and b'"$' not in data
            and (nothing_to_redact() or not _may_have_secret(data))
        ):
            return data
    except Exception:  # noqa: BLE001, S110 - a circle, half a character, a number that is too long
        pass
    fields = {key: line[key] for key in loose}
    for key, value in fields.items():
        fields[key] = (
            clean(str(value)) if key in TEXTS and value is not None else plain(value, keep)
        )
    return orjson.dumps({**line, **fields}, None, END)


def _quick(value: Any) -> Any:
    store = _store(value)
    return plain(value) if store is None else store


def _may_have_secret(data: bytes) -> bool:
    """Return whether a line may contain a secret."""
    if has_redaction_rules():  # a rule may match only at the beginning of a string
        return True
    text = data.decode()
    # `redact` knows secrets as they are and as JSON escapes them, but not a mixture of both.
    return ("\\" in text and not text.isascii()) or redact(text) != text


def clean(text: str) -> str:
    """Return a text redacted, and without characters that UTF-8 cannot encode."""
    # Redacting each short text of a line would cost more than everything else.
    if not nothing_to_redact():
        text = redact(text)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
    return text


class _Walk:
    """One walk through a value, limited in depth and length, and without cycles."""

    __slots__ = ("_around", "_keep", "_left")

    def __init__(self, keep: Keep | None) -> None:
        self._keep = keep
        self._left = MOST_ITEMS
        self._around: list[int] = []  # the ids of the enclosing containers

    def of(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if LEAST <= value <= MOST else {"$int": clean(_digits(value))}
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        try:
            return self._within(value)
        except Exception as error:  # noqa: BLE001 - objects may raise anything
            return {"$repr": f"<{_name(kind)} that cannot be shown: {type(error).__name__}>"}

    def _text(self, text: str) -> Any:
        text = clean(text)
        if len(text) <= FOLD or self._keep is None:
            return text if len(text) <= LONGEST else _cut(text[:LONGEST], len(text))
        blob = self._blob(text[:LONGEST].encode())
        if blob is None:
            return {"$lost": len(text)}
        return blob if len(text) <= LONGEST else _cut(blob, len(text))

    def _within(self, value: Any) -> Any:
        if id(value) in self._around:
            return {"$repr": f"<the {_name(type(value))} that this is in>"}
        if len(self._around) >= DEEPEST:
            return {"$repr": f"<{_name(type(value))}, too deep>"}
        self._around.append(id(value))
        try:
            if isinstance(value, Mapping):
                return self._table(value)
            if isinstance(value, list | tuple):
                return self._list(value)
            return self._object(value)
        finally:
            self._around.pop()

    def _table(self, value: Mapping[Any, Any]) -> Any:
        items = list(value.items())
        taken = items[: self._take(len(items))]
        keys = [key if type(key) is str else str(key) for key, _ in taken]
        keys = [clean(key) for key in keys]
        if len(set(keys)) < len(keys):
            made: Any = {"$pairs": [[self.of(key), self.of(item)] for key, item in taken]}
        else:
            made = {key: self.of(item) for key, (_, item) in zip(keys, taken, strict=True)}
            if keys and (keys[0].startswith("$") or "$blob" in keys):
                made = {"$table": made}
        return made if len(taken) == len(items) else _cut(made, len(items))

    def _list(self, value: list[Any] | tuple[Any, ...]) -> Any:
        items = list(value)
        taken = items[: self._take(len(items))]
        made = [self.of(item) for item in taken]
        return made if len(taken) == len(items) else _cut(made, len(items))

    def _take(self, count: int) -> int:
        taken = min(count, self._left)
        self._left -= taken
        return taken

    def _object(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return self.of(value.value)
        if isinstance(value, str):
            return self._text(str(value))  # a Secret is shown as its mask
        if isinstance(value, numbers.Integral):
            return self.of(int(value))
        if isinstance(value, float) or (isinstance(value, numbers.Real) and _is_single(value)):
            return self.of(float(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(value))
        if isinstance(value, set | frozenset):
            return self._list(sorted(value, key=repr))
        if isinstance(value, AS_TEXT):
            return self._text(str(value))
        found = None if isinstance(value, type) else _fields(value)
        return {"$repr": _shown(value)} if found is None else self._table(found)

    def _bytes(self, value: bytes) -> Any:
        try:
            redacted = redact(value.decode()).encode()
        except UnicodeDecodeError:
            redacted = redact(value.decode("latin-1")).encode("latin-1", "replace")
        data = b64encode(redacted[:LONGEST])
        held = data.decode() if len(data) <= FOLD or self._keep is None else self._blob(data)
        if held is None:
            return {"$lost": len(value)}
        made = {"$bytes": held}
        return made if len(redacted) <= LONGEST else _cut(made, len(redacted))

    def _blob(self, data: bytes) -> dict[str, Any] | None:
        """Return the reference to a long text; None if it could not be stored."""
        name = None if self._keep is None else self._keep(data)
        return None if name is None else {"$blob": name, "size": len(data)}


def _store(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dspy.Example or dspy.Prediction."""
    if not hasattr(type(value), "toDict"):
        return None
    store = getattr(value, "_store", None)
    return store if isinstance(store, dict) else None


def _fields(value: Any) -> dict[str, Any] | None:
    """Return the fields of an object, without running its code; None if its class has none."""
    store = _store(value)
    if store is not None:
        return store
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    declared = getattr(type(value), "model_fields", None)  # pydantic
    if isinstance(declared, dict):
        more = getattr(value, "model_extra", None)
        return {name: getattr(value, name) for name in declared} | (more or {})
    as_tuple = getattr(value, "_asdict", None)
    return as_tuple() if callable(as_tuple) else None


def _shown(value: Any) -> str:
    if isinstance(value, type) or callable(value):
        named = getattr(value, "__qualname__", None)
        if isinstance(named, str):
            return clean(f"{getattr(value, '__module__', '?')}.{named}")
    return clean(ADDRESS.sub("", repr(value)))[:SHOWN]


def _is_single(value: Any) -> bool:
    return getattr(value, "ndim", 0) == 0


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python converts
        return hex(value)[:SHOWN]


def _cut(what: Any, of: int) -> dict[str, Any]:
    return {"$cut": [what, of]}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
