"""A profile's own lines: shown with secrets masked, or copied into another file."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli

from dspy_profiles.cli.secrets._plaintext import frozen
from dspy_profiles.config import (
    Document,
    Edit,
    KeyPath,
    Statement,
    acts,
    comment_start,
    deeds_in,
    inline_statements,
    join_key,
    rename_in_text,
    split_key,
    statement_lines,
    statements,
    trusts,
)
from dspy_profiles.display import word
from dspy_profiles.errors import InvalidProfile, Place, Untrusted
from dspy_profiles.profiles import ResolvedProfile, Scene, Table
from dspy_profiles.secrets import (
    MASK,
    Names,
    Reference,
    Secret,
    is_plaintext,
    literal_passwords,
    secret_file,
    split_scheme,
)

__all__ = ["anchored", "copy_between", "own_lines"]


def own_lines(scene: Scene, name: str) -> str:
    """Return a profile's sections as its file writes them, comments included, secrets masked."""
    definition = scene.catalog.get(name, "from the command line")
    if definition.document is None:
        raise InvalidProfile(
            f'profile "{name}" is built in: no file defines it',
            hint=f"dspy-profiles show {word(name)}",
        )
    names = scene.names
    own = frozen(definition, names)
    text = definition.document.text
    rows = [row for row in statements(text) if row.path[0] == name]
    masked = [span for row in rows for span in _masked(text, row, own)]
    return _without_commented_secrets(_sections(text, name, masked), names)


def copy_between(  # noqa: PLR0917 - the last two are for `copy`
    edit: Edit,
    name: str,
    source: Document,
    folder: Path,
    new: str | None = None,
    names: Names | None = None,
) -> None:
    """Add a profile of another file as it is written there, with its comments if possible.

    `folder` is that of the edited file. Secrets in comments, judged by `names`, are masked.
    """
    _refuse_strangers(source, name)
    new = name if new is None else new
    table: Mapping[str, Any] = source.data[name]
    if folder.resolve() != source.path.parent.resolve():
        table = _rebased(table, source.path.parent.resolve())
    lines = _sections(source.text, name, [])
    if new != name:
        lines = rename_in_text(lines, (name,), new)
    lines = _without_commented_secrets(lines, names or Names())
    _append_lines(edit, new, lines, source.data[name])
    edit.set((new,), table)


def _refuse_strangers(source: Document, name: str) -> None:
    """Refuse to copy what acts out of a file that is not trusted: the copy would be."""
    acting = [deed for deed in deeds_in(source.path) if acts([deed])]
    key = next((key for deed in acting if (key := split_key(deed[1]))[0] == name), None)
    if key is not None and not trusts(source.path.absolute()):
        raise Untrusted(
            f'profile "{name}" acts by {join_key(key[1:])}, and its file is not trusted',
            f"read the file, then run dspy-profiles trust {word(source.path)}",
            Place(source.path, source.line(key)),
        )


def _append_lines(edit: Edit, name: str, lines: str, table: Mapping[str, Any]) -> None:
    """Append a profile's lines to the file, unless they would mean something else there."""
    newline = "\r\n" if "\r\n" in edit.text else "\n"
    before = edit.text if not edit.text or edit.text.endswith("\n") else edit.text + newline
    lines = lines.replace("\n", newline)
    text = f"{before}{newline if before else ''}{lines}{newline}"
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    if data == {**edit.document.data, name: table}:
        edit.become(Document(edit.document.path, text, data))


def anchored(profile: ResolvedProfile) -> dict[str, Any]:
    """Return the effective values, with `file:` references that hold in any folder."""

    def walk(value: Any, path: KeyPath) -> Any:
        if isinstance(value, Mapping):
            return {key: walk(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, path) for item in value]
        if not isinstance(value, Reference):
            return value
        place = profile.place(*path)
        return _rebased(str(value), place.file.parent if isinstance(place, Place) else Path.cwd())

    values: dict[str, Any] = walk(profile.values, ())
    return values


def _rebased(value: Any, folder: Path) -> Any:
    """Return a value with its `file:` references resolved from this folder."""
    if isinstance(value, Mapping):
        return {key: _rebased(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_rebased(item, folder) for item in value]
    by_scheme = split_scheme(value, ("file",)) if isinstance(value, str) else None
    return value if by_scheme is None else f"file:{secret_file(by_scheme[1], folder)}"


def _sections(text: str, name: str, masked: list[tuple[int, int]]) -> str:
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
    """Yield the extents of its headers with their keys, and of its keys outside of tables."""
    end = 0
    for row in rows:
        if row.path[0] == name and row.table == ():
            start, end_of_row = statement_lines(text, row, rows)
            yield max(comment_start(text, start), end), end_of_row
            end = end_of_row


def _masked(text: str, row: Statement, own: Table) -> Iterator[tuple[int, int]]:
    """Yield the extents of the values in a statement that must be masked."""
    if row.value is None or not _is_masked(own, row.path[1:]):
        return
    entries = list(inline_statements(text, row))
    for entry in entries:
        yield from _masked(text, entry, own)
    if not entries:
        yield row.value, row.end


def _is_masked(value: object, path: KeyPath) -> bool:
    """Return whether a value at this path, or below it, is masked."""
    if isinstance(value, Table):
        inner = value.values() if not path else [value[path[0]]] if path[0] in value else []
        return any(_is_masked(each, path[1:]) for each in inner)
    if isinstance(value, list):
        return any(_is_masked(each, path) for each in value)
    return isinstance(value, Secret) or value == MASK


_COMMENTED = re.compile(r"""(#[^\n]*?([\w-]+)["']?\s*=\s*)("[^"\n]*"?|'[^'\n]*'?|[^\s#]+)""")


def _without_commented_secrets(text: str, names: Names) -> str:
    """Mask keys in comments: a key that is commented out still works."""

    def masked(match: re.Match[str]) -> str:
        value = match[3].strip("\"'")
        is_secret = names.is_secret(match[2], value) or bool(literal_passwords(value))
        shown = not is_secret or not is_plaintext(value) or "${" in value
        return match[0] if shown else f'{match[1]}"{MASK}"'

    return _COMMENTED.sub(masked, text)
