"""Set, remove, rename or copy one key in the text of a TOML file: pure functions.

No byte outside the lines of that key changes. The caller checks the result: these functions see
positions, not values.
"""

import re
from collections.abc import Callable

from dspy_profiles.config._keys import KeyPath, join_key
from dspy_profiles.config._toml import (
    Statement,
    all_statements,
    comment_start,
    inline_statements,
    is_blank_before,
    items,
    line_end,
    line_start,
    name_as,
    own_end,
    quoted_as,
    statement_lines,
)

__all__ = [
    "copied",
    "is_written_whole",
    "removed",
    "rename_in_text",
    "with_first_line",
    "with_header",
    "with_items",
    "with_value",
]


def is_written_whole(text: str, key: KeyPath) -> bool:
    """Return whether the key is one value in one place, without headers or dotted keys under it."""
    return _whole(_rows(text, key), key) is not None


def with_value(text: str, key: KeyPath, value: str) -> str:
    """Set the key to this value; the old value must be written in one place, or be missing."""
    rows = _rows(text, key)
    whole = _whole(rows, key)
    if whole is not None:
        value = quoted_as(text[whole.value : whole.end], value)
        return text[: whole.value] + value + text[whole.end :]
    owner = _inline_owner(rows, key)
    if owner is not None:
        return _with_entry(text, owner, f"{join_key(key[len(owner.path) :])} = {value}")
    parent = _nearest(rows, key)
    family = _under(rows, parent)
    dotted = [row for row in family if row.value is not None and len(row.table) < len(parent)]
    if dotted:  # a table defined by dotted keys cannot have a header
        return _behind(text, dotted[-1], f"{join_key(key[len(dotted[-1].table) :])} = {value}")
    line = f"{join_key(key[-1:])} = {value}"
    if len(key) - len(parent) > 1:
        return _with_section(text, parent, [f"[{join_key(key[:-1])}]", line])
    return _with_line(text, rows, parent, line)


def with_items(text: str, key: KeyPath, change: Callable[[int, str], str]) -> str:
    """Replace each item of a list by what `change` returns; the text between them stays."""
    whole = _whole(_rows(text, key), key)
    spans = list(items(text, whole)) if whole is not None else []
    for index, (start, end) in reversed(list(enumerate(spans))):
        text = text[:start] + change(index, text[start:end]) + text[end:]
    return text


def with_header(text: str, key: KeyPath) -> str:
    """Add an empty table."""
    return _with_section(text, _nearest(_rows(text, key), key), [f"[{join_key(key)}]"])


def removed(text: str, key: KeyPath) -> str:
    """Remove the key and everything under it; the table that held it stays, even if empty."""
    rows = _rows(text, key)
    gone = _under(rows, key)
    owner = _inline_owner(rows, key)
    first = gone[0]
    # The last key of a table that nothing else defines: a header replaces it.
    orphaned = len(key) > 1 and len(_under(rows, key[:-1])) == len(gone)
    if owner is not None:
        for row in reversed(gone[1:] if orphaned else gone):
            text = _without_entry(text, owner, row)
    else:
        spans = [statement_lines(text, row, rows) for row in gone]
        if orphaned:
            spans[0] = (line_end(text, first.end), max(spans[0][1], line_end(text, first.end)))
        text = _cut(text, spans)
    if not orphaned:
        return text
    if first.value is None:
        return f"{text[: first.start]}[{join_key(key[:-1])}]{text[first.end :]}"
    end_of_name = first.parts[len(key) - 2 - len(first.table)][1]
    return f"{text[:end_of_name]} = {{}}{text[first.end :]}"


def rename_in_text(text: str, old: KeyPath, name: str) -> str:
    """Rename the last part of `old` to `name` wherever it is written."""
    rows = _under(_rows(text, old), old)
    for row in sorted(rows, key=lambda row: row.start, reverse=True):
        part = len(old) - 1 - len(row.table)
        if part >= 0:
            start, end = row.parts[part]
            text = text[:start] + name_as(text[start:end], name) + text[end:]
    return text


def copied(text: str, old: KeyPath, new: KeyPath) -> str:
    """Copy `old` to `new`: whole sections, with the comments in and above them."""
    rows = _rows(text, old)
    result, lines = text, list[str]()
    is_inline = _inline_owner(rows, old) or _inline_owner(_rows(text, new), new)
    for row in _under(rows, old):
        if row.value is None:
            start, end = statement_lines(text, row, rows)
            start = comment_start(text, start)
            name, name_end = row.parts[0][0], row.parts[len(old) - 1][1]
            section = text[start:name] + join_key(new) + text[name_end:end]
            lines += [line.removesuffix("\r") for line in section.removesuffix("\n").split("\n")]
            lines.append("")
        elif len(row.table) < len(old):
            target = new + row.path[len(old) :]
            end = row.end if is_inline else line_end(text, row.end)  # with its comment
            result = with_value(result, target, text[row.value : end].rstrip())
    return _with_section(result, _nearest(rows, new), lines[:-1]) if lines else result


def with_first_line(text: str, line: str, instead: str) -> str:
    """Put this line first, replacing one that starts with `instead`."""
    if text.startswith(instead):
        return line + text[len(text[: line_end(text, 0)].rstrip("\r\n")) :]
    return _insert(text, 0, [line])


_BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)*")
_COMMA = re.compile(r"\s*,[ \t]*")


def _rows(text: str, key: KeyPath) -> list[Statement]:
    """Return every statement, and the entries of the inline tables around the key."""
    rows = list(all_statements(text))
    owner, known = _inline_owner(rows, key), None
    while owner is not None and owner is not known:
        rows += inline_statements(text, owner)
        owner, known = _inline_owner(rows, key), owner
    return rows


def _under(rows: list[Statement], key: KeyPath) -> list[Statement]:
    return [row for row in rows if row.path[: len(key)] == key]


def _whole(rows: list[Statement], key: KeyPath) -> Statement | None:
    return next((row for row in rows if row.path == key and row.value is not None), None)


def _inline_owner(rows: list[Statement], key: KeyPath) -> Statement | None:
    """Return the innermost value that contains the key."""
    owners = (_whole(rows, key[:length]) for length in range(len(key) - 1, 0, -1))
    return next((row for row in owners if row is not None), None)


def _nearest(rows: list[Statement], key: KeyPath) -> KeyPath:
    """Return the longest parent of the key that exists; the root always does."""
    parents = (key[:length] for length in range(len(key) - 1, 0, -1))
    return next((parent for parent in parents if _under(rows, parent)), ())


def _insert(text: str, at: int, lines: list[str]) -> str:
    """Insert these lines at the start of a line, or at the end of a text without a newline."""
    first = text.find("\n")
    newline = "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"
    block = newline.join(lines)
    if at and text[at - 1] != "\n":
        return text[:at] + newline + block + text[at:]
    return text[:at] + block + newline + text[at:]


def _behind(text: str, row: Statement, line: str) -> str:
    indent = text[line_start(text, row.start) : row.start]
    return _insert(text, line_end(text, row.end), [indent + line])


def _with_section(text: str, parent: KeyPath, lines: list[str]) -> str:
    """Add a section after the last one of its parent, or at the end of the file."""
    family = _under(list(all_statements(text)), parent) if parent else []
    at = own_end(text, max(row.end for row in family)) if family else len(text)
    return _insert(text, at, lines if is_blank_before(text, at) else ["", *lines])


def _with_line(text: str, rows: list[Statement], table: KeyPath, line: str) -> str:
    """Add this line after the last one of a table that exists, even if only by its subtables."""
    family = _under(rows, table)
    header = [row for row in family if row.path == table and row.value is None]
    body = [row for row in family if row.table == table and row.value is not None]
    if header or body:
        return _behind(text, (header + body)[-1], line)
    if table:  # [prod.lm] exists, but not [prod]
        lines = [f"[{join_key(table)}]", line, ""]
        return _insert(text, line_start(text, family[0].start), lines)
    return _with_first_key(text, rows, line)


def _with_first_key(text: str, rows: list[Statement], line: str) -> str:
    """Add a key above all tables, to a file that has none there."""
    if not rows:
        return _insert(text, len(text), [line])
    at = comment_start(text, line_start(text, rows[0].start))
    return _insert(text, at, [line, ""])


def _with_entry(text: str, owner: Statement, entry: str) -> str:
    entries = list(inline_statements(text, owner))
    if entries:
        at = entries[-1].end
        return f"{text[:at]}, {entry}{text[at:]}"
    at = text.index("{", owner.parts[-1][1]) + 1
    return f"{text[:at]} {entry}{' ' if text[at] == '}' else ''}{text[at:]}"


def _without_entry(text: str, owner: Statement, row: Statement) -> str:
    entries = list(inline_statements(text, owner))
    index = [entry.start for entry in entries].index(row.start)
    comma = _COMMA.match(text, row.end)
    start, end = row.start, comma.end() if comma else row.end
    if index + 1 < len(entries):
        behind = entries[index + 1].start
        end = end if "#" in text[end:behind] else behind
    elif index and "#" not in text[entries[index - 1].end : row.start]:
        start, end = entries[index - 1].end, row.end
    elif not index and text[start - 1] == " " and text[end] == " ":
        start -= 1
    return text[:start] + text[end:]


def _cut(text: str, spans: list[tuple[int, int]]) -> str:
    """Remove these lines, and the blank lines around a removed section."""
    merged = list[tuple[int, int]]()
    for start, end in sorted(spans):
        if merged and (
            start < merged[-1][1]
            or (_is_section(text, start) and not text[merged[-1][1] : start].strip())
        ):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    for start, end in reversed(merged):
        before, after = start, end
        if _is_section(text, start):
            if not text[end:].strip():
                before = len(text[:start].rstrip())
                before = line_end(text, before) if before else 0
            elif is_blank_before(text, start):
                blank = _BLANK_LINES.match(text, end)
                after = blank.end() if blank else end
        text = text[:before] + text[after:]
    return text


def _is_section(text: str, start: int) -> bool:
    return text[start : line_end(text, start)].lstrip().startswith("[")
