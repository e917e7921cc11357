"""Where each statement stands in the text of a TOML file: what tomli does not tell."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from dspy_profiles.config._keys import KeyPath
from dspy_profiles.config._toml_quotes import unquoted

__all__ = ["Statement", "inside", "items", "statements"]


class Statement(NamedTuple):
    """A table's header, or a key and its value, and where in the text it stands."""

    table: KeyPath  # what it stands in: the path of a header, or of an inline table
    path: KeyPath
    parts: list[tuple[int, int]]  # where the last parts of `path` are written here
    value: int | None  # where the value begins; None for a header
    start: int
    end: int
    line: int
    array: bool = False  # [[a header like this]]


def statements(text: str) -> Iterator[Statement]:
    """Every statement of a text that tomli has accepted, in order."""
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


def inside(text: str, row: Statement) -> Iterator[Statement]:
    """The keys of the inline table that is this statement's value, if it is one."""
    if row.value is None or text[row.value] != "{":
        return
    at = row.value + 1
    while head := _HEAD.match(text, _end(_FILLER, text, at)):
        entry = _statement(text, head, row.path, row.line)
        yield entry
        at = entry.end


def items(text: str, row: Statement) -> Iterator[tuple[int, int]]:
    """Where the items of the list stand that is this statement's value, if it is one."""
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
    r"|[\w.:+-]++(?:[ ]\d[\w.:+-]*+)?+",  # a date and its time may stand apart
    re.DOTALL,
)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError(f"no value at {at}")
    return found.end()


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
