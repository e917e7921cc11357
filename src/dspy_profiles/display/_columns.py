"""Columns of text that fit a terminal: a narrow one loses the least important first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from dspy_profiles.display._visible import CONTROL, picture

__all__ = ["ACCENT", "ALARM", "MUTED", "Column", "as_text", "columns", "cut", "joined", "styled"]

ACCENT = "cyan"
MUTED = "bright_black"
ALARM = "red"
GAP = 2


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
        yield nr, _line(heads, row, widths)


def as_text(line: str | Text) -> Text:
    """Return a line as rich text in which nothing controls the terminal."""
    text = line.copy() if isinstance(line, Text) else Text(line)
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


def _line(heads: Sequence[Column], row: Sequence[Text], widths: dict[int, int]) -> Text:
    line = Text()
    for nr, width in widths.items():
        cell = cut(row[nr].copy(), width)
        blank = " " * (width - cell.cell_len)
        if line.plain:
            line.append(" " * GAP)
        line.append_text(Text(blank) + cell if heads[nr].is_right else cell + Text(blank))
    line.rstrip()
    return line


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)
