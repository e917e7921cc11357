"""Columns of text that fit a terminal: a narrow one drops columns, or folds cells."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from dspy_profiles._control import CONTROL, picture, without_control

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "ACCENT",
    "ALARM",
    "MUTED",
    "Column",
    "as_text",
    "columns",
    "cut",
    "folded_columns",
    "joined",
    "plain_rows",
    "styled",
]

ACCENT = "cyan"
MUTED = "bright_black"
ALARM = "red"
GAP = 2
TAB = 8
WIDEST = 10_000  # columns of the widest cell that others are aligned with
NARROW_GAP = 2  # the least between columns that would otherwise be folded


@dataclass(frozen=True)
class Column:
    """One column. A higher `rank` is dropped sooner, 0 never; it may shrink to `least`."""

    title: str
    is_right: bool = False
    rank: int = 0
    least: int | None = None


def columns(
    heads: Sequence[Column], rows: Sequence[Sequence[Text]], width: int
) -> Iterator[tuple[int, Text]]:
    """Yield each row as a line, with its index; -1 is the line of the titles."""
    kept = [nr for nr, _ in enumerate(heads) if any(row[nr].plain for row in rows)]
    widths = {nr: max(len(heads[nr].title), *(row[nr].cell_len for row in rows), 0) for nr in kept}
    while _total(widths) > width:
        over = _total(widths) - width
        shrinks = [nr for nr in widths if (least := heads[nr].least) and widths[nr] > least]
        if shrinks:
            widest = max(shrinks, key=lambda nr: widths[nr])
            widths[widest] = max(heads[widest].least or 0, widths[widest] - over)
            continue
        goes = max(widths, key=lambda nr: (heads[nr].rank, nr))
        if not heads[goes].rank:
            break
        del widths[goes]
    titles = [styled(head.title, MUTED) for head in heads]
    for nr, row in enumerate([titles, *rows], -1):
        right = [at for at, head in enumerate(heads) if head.is_right]
        yield nr, _line(row, widths, GAP, right)


def folded_columns(
    rows: Sequence[Sequence[Text]], width: int, gap: int
) -> "Sequence[Text | Table]":
    """Return each row as a line if all fit; else one table whose cells are folded."""
    widths = dict(enumerate(max(c.cell_len for c in cells) for cells in zip(*rows, strict=True)))
    gaps = max(len(widths) - 1, 1)
    gap = min(gap, max(NARROW_GAP, (width - sum(widths.values())) // gaps))
    have_lines = any("\n" in cell.plain for row in rows for cell in row)
    if have_lines or sum(widths.values()) + gap * (len(widths) - 1) > width:
        return [_folded(rows, gap)]
    return [_line(row, widths, gap) for row in rows]


def plain_rows(rows: Sequence[Sequence[str | Text]], gap: int) -> Iterator[str]:
    """Yield each row as a line without styles, for programs: nothing is folded.

    A cell of several lines takes several. One that is wider than any terminal moves only its own
    row: all others would be filled with blanks.
    """
    cells = [[_plain(cell) for cell in row] for row in rows]
    widths = [
        max((width for cell in column if (width := _width(cell)) <= WIDEST), default=0)
        for column in zip(*cells, strict=True)
    ]
    between = " " * gap
    for row in cells:
        for line in _lines(row) if any("\n" in cell for cell in row) else [row]:
            filled = (cell + " " * (n - _width(cell)) for cell, n in zip(line, widths, strict=True))
            yield between.join(filled).rstrip()


def _lines(row: Sequence[str]) -> Iterator[Sequence[str]]:
    return zip_longest(*(cell.split("\n") for cell in row), fillvalue="")


def _plain(cell: str | Text) -> str:
    text = cell if isinstance(cell, str) else cell.plain
    if text.isascii() and text.isprintable():
        return text
    shown = as_text(text)
    shown.expand_tabs(TAB)
    return shown.plain


def _width(cell: str) -> int:
    if "\n" in cell:
        return max(map(_width, cell.split("\n")))
    return len(cell) if cell.isascii() else cell_len(cell)


def as_text(line: str | Text) -> Text:
    """Return a line as rich text in which nothing controls the terminal."""
    text = line.copy() if isinstance(line, Text) else Text(without_control(line))
    if text.plain.isascii() and text.plain.isprintable():
        return text
    for match in reversed([*CONTROL.finditer(text.plain)]):
        text = text[: match.start()] + Text(picture(match)) + text[match.end() :]
    return text


def styled(text: str, style: str) -> Text:
    """Return a text of one style; texts appended to it keep their own."""
    return Text().append(text, style=style)


def cut(text: Text, width: int) -> Text:
    """Shorten a text in place, with `…`, and return it."""
    text.truncate(max(width, 1), overflow="ellipsis")
    return text


def joined(*parts: Text | str, gap: int = GAP) -> Text:
    """Return the texts that are not empty, side by side."""
    texts = [Text(part) if isinstance(part, str) else part for part in parts]
    return Text(" " * gap).join(text for text in texts if text.plain)


def _line(
    row: Sequence[Text], widths: Mapping[int, int], gap: int, right: Collection[int] = ()
) -> Text:
    """Return the cells of one row, those of `right` aligned to the right."""
    line = Text()
    for at, (nr, width) in enumerate(widths.items()):
        cell = row[nr] if row[nr].cell_len <= width else cut(row[nr].copy(), width)
        blank = " " * (width - cell.cell_len)
        line.append(" " * gap if at else "")
        line.append_text(Text(blank) + cell if nr in right else cell + Text(blank))
    line.rstrip()
    return line


def _folded(rows: Sequence[Sequence[Text]], gap: int) -> "Table":
    from rich.table import Table  # seldom needed, and slow for many rows

    table = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
    for _ in rows[0]:
        table.add_column(overflow="fold")  # a narrow terminal loses no text
    for row in rows:
        table.add_row(*row)
    return table


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)
