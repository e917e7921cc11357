"""A profile of one file taken over into another, with its comments where that is possible."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli

from dspy_profiles.cli.profiles._export import rebased
from dspy_profiles.cli.profiles._raw import _without_commented_keys, written
from dspy_profiles.config import Document, Edit, rename_in_text
from dspy_profiles.secrets import Names

__all__ = ["adopt"]


def adopt(  # noqa: PLR0917 - the last two are for a copy
    edit: Edit,
    name: str,
    source: Document,
    folder: Path,
    new: str | None = None,
    names: Names | None = None,
) -> None:
    """Add a profile as it is written in another file; `folder` is that of the edited one.

    A comment may hold a key that was put aside: what `names` call a secret is masked in it.
    """
    new = name if new is None else new
    table: Mapping[str, Any] = source.data[name]
    if folder.resolve() != source.path.parent.resolve():
        table = rebased(table, source.path.parent.resolve())
    lines = written(source.text, name)
    if new != name:
        lines = rename_in_text(lines, (name,), new)
    _take_text(edit, new, _without_commented_keys(lines, names or Names()), source.data[name])
    edit.set((new,), table)


def _take_text(edit: Edit, name: str, lines: str, table: Mapping[str, Any]) -> None:
    """A profile's own lines at the end of the file, if they say there what they said before."""
    newline = "\r\n" if "\r\n" in edit.text else "\n"
    before = edit.text if not edit.text or edit.text.endswith("\n") else edit.text + newline
    lines = lines.replace("\n", newline)
    text = f"{before}{newline if before else ''}{lines}{newline}"
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    if data == {**edit.data, name: table}:
        edit.text, edit.data = text, data
