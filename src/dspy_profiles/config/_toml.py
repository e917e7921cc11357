"""The text of a TOML file: its statements, their lines and their quotes, which tomli omits."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import tomli

from dspy_profiles.config._keys import KeyPath, join_key

__all__ = [
    "Statement",
    "all_statements",
    "comment_start",
    "inline_statements",
    "is_blank_before",
    "items",
    "line_end",
    "line_start",
    "name_as",
    "own_end",
    "quoted_as",
    "statement_lines",
    "statements",
    "unquoted",
]


class Statement(NamedTuple):
    """A table's header, or a key and its value, with their positions in the text."""

    table: KeyPath  # the path of the header or inline table around it
    path: KeyPath
    parts: list[tuple[int, int]]  # positions of the parts of `path` that are written here
    value: int | None  # start of the value; None for a header
    start: int
    end: int
    line: int
    array: bool = False  # [[a header like this]]


def statements(text: str) -> Iterator[Statement]:
    """Yield every statement, in order, of a text that tomli has accepted."""
    at, line = 0, 1
    table: KeyPath = ()
    while head := _HEAD.match(text, begin := _end(_BLANK, text, at)):
        line += text.count("\n", at, begin)
        row = _statement(text, head, table, line)
        if row.value is None:
            table = row.path
        yield row
        at = row.end
        line += text.count("\n", begin, at)
    if begin < len(text):
        raise ValueError(f"no statement at {begin}")


@lru_cache(maxsize=2)  # an edit looks several times at the old text, and at the new one
def all_statements(text: str) -> Sequence[Statement]:
    """Return every statement of a text, in order."""
    return tuple(statements(text))


def inline_statements(text: str, row: Statement) -> Iterator[Statement]:
    """Yield the keys of the inline table that is this statement's value, if it is one."""
    if row.value is None or text[row.value] != "{":
        return
    at = row.value + 1
    while head := _HEAD.match(text, _end(_FILLER, text, at)):
        entry = _statement(text, head, row.path, row.line)
        yield entry
        at = entry.end


def items(text: str, row: Statement) -> Iterator[tuple[int, int]]:
    """Yield the positions of the items of the list that is this statement's value, if it is one."""
    if row.value is None or text[row.value] != "[":
        return
    at = _end(_FILLER, text, row.value + 1)
    while text[at] != "]":
        end = _value_end(text, at)
        yield at, end
        at = _end(_FILLER, text, end)


_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\]|\\.)*+"|'[^']*+')"""
_NAME = re.compile(_PART)
_HEAD = re.compile(
    rf"(?P<open>\[{{0,2}}+)[ \t]*+(?P<key>{_PART}(?:[ \t]*+\.[ \t]*+{_PART})*+)"
    r"[ \t]*+(?:\]{1,2}+|=[ \t]*+)"
)
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_FILLER = re.compile(r"(?:[ \t\r\n,=]++|#[^\n]*+)*+")
_SCALAR = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}+|"(?:[^"\\]|\\.)*+"'''
    r"""|'{3}(?:[^']|'(?!''))*+'{3,5}+|'[^']*+'"""
    r"|[\w.:+-]++(?:[ ]\d[\w.:+-]*+)?+",  # a space can separate a date and its time
    re.DOTALL,
)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    if match is None:
        raise ValueError(f"no value at {at}")
    return match.end()


def _statement(text: str, head: re.Match[str], table: KeyPath, line: int) -> Statement:
    parts = [part.span() for part in _NAME.finditer(text, *head.span("key"))]
    own = tuple([unquoted(text[begin:end]) for begin, end in parts])
    start, end = head.span()
    if head["open"]:
        return Statement((), own, parts, None, start, end, line, array=head["open"] == "[[")
    return Statement(table, table + own, parts, end, start, _value_end(text, end), line)


def _value_end(text: str, at: int) -> int:
    depth = 0
    while True:
        if text[at] in "[{":
            depth += 1
            at += 1
        elif text[at] in "]}":
            depth -= 1
            at += 1
        else:
            at = _end(_SCALAR, text, at)
        if not depth:
            return at
        at = _end(_FILLER, text, at)


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def is_blank_before(text: str, at: int) -> bool:
    """Return whether the line above is blank; True for the first line."""
    return not text[line_start(text, at - 1) : at].strip() if at else True


def comment_start(text: str, at: int) -> int:
    """Return the start of the comment right above a line, or of the line."""
    while at:
        above = line_start(text, at - 1)
        line = text[above:at].lstrip()
        if not line.startswith("#") or line.startswith("#:"):  # `#:` is about the file
            break
        at = above
    return at


def own_end(text: str, at: int) -> int:
    """Return the end of a section whose last statement ends at `at`.

    Comments right below belong to it, unless they touch the next section.
    """
    end = line_end(text, at)
    comments = _COMMENTS.match(text, end)
    if comments is None:
        return end
    below = comments.end()
    is_blank_below = not text[below : line_end(text, below)].strip()
    return below if is_blank_below else end


def statement_lines(text: str, row: Statement, rows: list[Statement]) -> tuple[int, int]:
    """Return the lines of a statement; for a header, those of its section."""
    start = line_start(text, row.start)
    if row.value is not None:
        return start, line_end(text, row.end)
    headers = (other.start for other in rows if other.value is None and other.start > row.start)
    below = min(headers, default=len(text))
    return start, own_end(text, max(o.end for o in rows if row.start <= o.start < below))


_COMMENTS = re.compile(r"(?:[ \t]*#[^\n]*(?:\n|\Z))+")


def unquoted(part: str) -> str:
    """Return the value of a key, or of a string on one line."""
    if part[0] == '"' and "\\" in part:
        name: str = tomli.loads(f"key = {part}")["key"]
        return name
    return part[1:-1] if part[0] in "\"'" else part


def quoted_as(old: str, new: str) -> str:
    """Return the new value, in single quotes if the old one has them and they can hold it."""
    if new[:1] != '"' or old[:1] != "'" or old[:3] == "'''":
        return new
    plain = unquoted(new)
    return f"'{plain}'" if _LITERAL.fullmatch(plain) else new


def name_as(old: str, name: str) -> str:
    """Return a part of a key in the quotes of the old one."""
    new = join_key((name,))
    needs_none = old[0] in "\"'" and new[0] != '"'
    return quoted_as(old, f'"{new}"' if needs_none else new)


_LITERAL = re.compile(r"[^'\x00-\x08\n-\x1f\x7f]*")
