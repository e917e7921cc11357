"""A profile's own lines, as its file writes them, with what is secret in them masked."""

import re
from collections.abc import Iterator

from dspy_profiles.cli.secrets._plaintext import frozen
from dspy_profiles.config import (
    KeyPath,
    Statement,
    comment_start,
    inline_statements,
    statement_lines,
    statements,
)
from dspy_profiles.display import word
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles import Scene, Table
from dspy_profiles.secrets import MASK, Names, Secret, is_plaintext

__all__ = ["own_lines", "written"]


def own_lines(scene: Scene, name: str) -> str:
    """All sections of a profile in the file that defines it, with their comments."""
    definition = scene.catalog.get(name, "from the command line")
    if definition.document is None:
        raise InvalidProfile(
            f'"{name}" is built in; no file defines it', hint=f"dspy-profiles show {word(name)}"
        )
    names = scene.names
    own = frozen(definition, names)
    text = definition.document.text
    rows = [row for row in statements(text) if row.path[0] == name]
    masked = [span for row in rows for span in _masked(text, row, own)]
    return _without_commented_keys(_pieces(text, name, masked), names)


def written(text: str, name: str) -> str:
    """All sections of a profile, to the letter."""
    return _pieces(text, name, [])


def _pieces(text: str, name: str, masked: list[tuple[int, int]]) -> str:
    rows = list(statements(text))
    pieces: list[str] = []
    last = 0
    for start, end in _spans(text, rows, name):
        piece = text[start:end]
        for begin, stop in reversed(masked):
            if start <= begin < end:
                piece = f'{piece[: begin - start]}"{MASK}"{piece[stop - start :]}'
        if pieces and start > last:
            pieces.append("\n")
        pieces.append(piece if piece.endswith("\n") else f"{piece}\n")
        last = end
    return "".join(pieces).replace("\r\n", "\n").rstrip("\n")


def _spans(text: str, rows: list[Statement], name: str) -> Iterator[tuple[int, int]]:
    """The lines of its headers with what stands below them, and of keys outside of all tables."""
    end = 0
    for row in rows:
        if row.path[0] == name and row.table == ():
            start, end_of_row = statement_lines(text, row, rows)
            yield max(comment_start(text, start), end), end_of_row
            end = end_of_row


def _masked(text: str, row: Statement, own: Table) -> Iterator[tuple[int, int]]:
    """The values in a statement that are not to be shown."""
    if row.value is None or not _is_masked(own, row.path[1:]):
        return
    entries = list(inline_statements(text, row))
    for entry in entries:
        yield from _masked(text, entry, own)
    if not entries:
        yield row.value, row.end


def _is_masked(value: object, path: KeyPath) -> bool:
    """Whether what stands under this path, or below it, is masked."""
    if isinstance(value, Table):
        inner = value.values() if not path else [value[path[0]]] if path[0] in value else []
        return any(_is_masked(each, path[1:]) for each in inner)
    if isinstance(value, list):
        return any(_is_masked(each, path) for each in value)
    return isinstance(value, Secret) or value == MASK


_COMMENTED = re.compile(r"""(#[^\n]*?([\w-]+)["']?\s*=\s*)("[^"\n]*"?|'[^'\n]*'?|[^\s#]+)""")


def _without_commented_keys(text: str, names: Names) -> str:
    """A key that was commented out is still a key."""

    def masked(found: re.Match[str]) -> str:
        value = found[3].strip("\"'")
        shown = not names.is_secret(found[2]) or not is_plaintext(value) or "${" in value
        return found[0] if shown else f'{found[1]}"{MASK}"'

    return _COMMENTED.sub(masked, text)
