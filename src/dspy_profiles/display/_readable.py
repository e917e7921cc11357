"""Recorded values as people read them: their special forms in words, texts as they are.

What the program says of a value stands in ⟨ ⟩, so that it is not taken for the value itself.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dspy_profiles.display._amounts import count
from dspy_profiles.display._visible import CUT, on_one_line, visible

__all__ = ["brief", "readable"]

DEEPEST = 40
PAIR = 2  # key and value
PIECES = 40  # of a value, that one line may have to do with
# A text that would read as something else, or as nothing, without its quotes.
QUOTED = re.compile(r"|true|false|none|[-+]?\d[\d_.,]*(e[-+]?\d+)?|\s.*|.*\s", re.IGNORECASE)


def readable(value: Any) -> str:
    """Return a whole value, on as many lines as it needs; a string unchanged."""
    if isinstance(value, str):
        return visible(value)
    return "\n".join(_lines(value, 0))


def brief(value: Any, most: int = 300) -> str:
    """Return the beginning of a value on one line. A table of one string is that string."""
    if isinstance(value, Mapping) and len(value) == 1 and _said(value) is None:
        value = next(iter(value.values()))
    parts: list[str] = []
    length = 0
    for part in _words(value, 0):
        parts.append(part)
        length += len(part)
        if length > 2 * most or len(parts) > PIECES:
            parts.append(CUT)
            break
    return on_one_line("".join(parts), most)


def _words(value: Any, depth: int) -> Iterator[str]:
    """Yield a value in pieces, so that a caller can stop early."""
    said = _said(value)
    if said is not None:
        yield said
    elif isinstance(value, str):
        yield value
    elif depth > DEEPEST:
        yield CUT
    elif (cut := _cut(value)) is not None:
        yield from _words(cut[0], depth + 1)
        yield cut[1]
    elif isinstance(value, Mapping):
        for nr, (key, item) in enumerate(_pairs(value)):
            yield f"{' · ' if nr else ''}{_scalar(key)}: "
            yield from _words(item, depth + 1)
    elif isinstance(value, list | tuple):
        yield "["
        for nr, item in enumerate(value):
            if nr:
                yield ", "
            yield from _words(item, depth + 1)
        yield "]"
    else:
        yield _scalar(value)


def _lines(value: Any, depth: int) -> Iterator[str]:
    pad = "  " * depth
    cut = _cut(value)
    if cut is not None:
        yield from _lines(cut[0], depth)
        yield f"{pad}{cut[1]}"
    elif depth > DEEPEST:
        yield f"{pad}⟨too deep to be shown⟩"
    elif isinstance(value, Mapping) and _said(value) is None:
        if not value:
            yield f"{pad}⟨an empty table⟩"
        for key, item in _pairs(value):
            yield from _entry(f"{pad}{_scalar(key)}:", item, depth)
    elif isinstance(value, list | tuple):
        if not value:
            yield f"{pad}⟨an empty list⟩"
        for item in value:
            yield from _entry(f"{pad}-", item, depth)
    elif isinstance(value, str) and "\n" in value:
        yield from (f"{pad}{line}" for line in visible(value).split("\n"))
    else:
        yield f"{pad}{_scalar(value)}"


def _entry(head: str, item: Any, depth: int) -> Iterator[str]:
    """Yield a key or a dash with its value: beside it if that is one line, else below it."""
    if _is_short(item):
        yield f"{head} {_scalar(item)}"
    else:
        yield head
        yield from _lines(item, depth + 1)


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return "\n" not in value
    return not isinstance(value, Mapping | list | tuple) or _said(value) is not None


def _scalar(value: Any) -> str:
    said = _said(value)
    if said is not None:
        return said
    if isinstance(value, str):
        text = visible(value)
        return f'"{text}"' if QUOTED.fullmatch(value) else text
    if isinstance(value, Mapping | list | tuple):  # a key of a table may be one
        return brief(value)
    return str(value)


def _said(value: Any) -> str | None:
    """Return a special form for a value that JSON does not have, in words; else None."""
    if not isinstance(value, Mapping) or not value:
        return None
    form = next(iter(value))
    if not isinstance(form, str) or not form.startswith("$"):
        return None
    held = value[form]
    if form == "$blob":
        size = _count(value.get("size"))
        return f"⟨a text of {size} bytes, in a file of its own: {visible(str(held))}⟩"
    if len(value) > 1:
        return None
    if form in ("$float", "$int", "$repr"):
        return visible(str(held))
    if form == "$bytes":
        return _bytes(held)
    if form == "$lost":
        return f"⟨a text of {_count(held)} characters that could not be written⟩"
    if form == "$missing":
        return f"⟨a long text whose file is gone: {visible(str(held))}⟩"
    return None


def _cut(value: Any) -> tuple[Any, str] | None:
    """Return the kept part of a value that was too long, and its full size."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    match value.get("$cut"):
        case [what, int() as length]:
            has_items = isinstance(what, Mapping | list) and _said(what) is None
            unit = "items" if has_items else "characters"
            return what, f"{CUT} ⟨the beginning; there were {count(length)} {unit}⟩"
    return None


def _pairs(value: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    """Return the entries of a table in any of its forms."""
    if len(value) == 1:
        match value:
            case {"$table": Mapping() as inner}:
                return inner.items()
            case {"$pairs": list(pairs)} if all(
                isinstance(each, list) and len(each) == PAIR for each in pairs
            ):
                return ((key, item) for key, item in pairs)
    return value.items()


def _bytes(held: Any) -> str:
    if not isinstance(held, str):
        return f"⟨bytes⟩ {brief(held)}"
    return f"⟨bytes, in base 64⟩ {visible(held)}"


def _count(value: Any) -> str:
    return count(value) if isinstance(value, int) else "?"
