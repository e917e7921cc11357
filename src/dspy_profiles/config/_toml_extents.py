"""Which lines of a TOML file belong to a statement: its own, a section's, the comment above."""

import re

from dspy_profiles.config._toml import Statement

__all__ = ["comment_start", "extent", "is_blank_before", "line_end", "line_start", "own_end"]


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def is_blank_before(text: str, at: int) -> bool:
    """Whether the line above is blank; above the first line nothing is."""
    return not text[line_start(text, at - 1) : at].strip() if at else True


def comment_start(text: str, at: int) -> int:
    """Where the comment right above a line begins, or else the line itself."""
    while at:
        above = line_start(text, at - 1)
        line = text[above:at].lstrip()
        if not line.startswith("#") or line.startswith("#:"):  # that one is about the whole file
            break
        at = above
    return at


def own_end(text: str, at: int) -> int:
    """Where a section ends whose last statement ends at `at`.

    Comments right below are its own, unless they run into the next section: then they are its.
    """
    end = line_end(text, at)
    comments = _COMMENTS.match(text, end)
    if comments is None:
        return end
    below = comments.end()
    is_blank_below = not text[below : line_end(text, below)].strip()
    return below if is_blank_below else end


def extent(text: str, row: Statement, rows: list[Statement]) -> tuple[int, int]:
    """The lines of a statement; for a header, those of its section."""
    start = line_start(text, row.start)
    if row.value is not None:
        return start, line_end(text, row.end)
    headers = (other.start for other in rows if other.value is None and other.start > row.start)
    below = min(headers, default=len(text))
    return start, own_end(text, max(o.end for o in rows if row.start <= o.start < below))


_COMMENTS = re.compile(r"(?:[ \t]*#[^\n]*(?:\n|\Z))+")
