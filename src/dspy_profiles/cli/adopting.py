"""A profile of one file taken over into another, with its comments where that is possible."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli

from dspy_profiles.cli.exporting import rebased
from dspy_profiles.cli.raw import written
from dspy_profiles.document import Document
from dspy_profiles.editing import Edit

__all__ = ["adopt"]


def adopt(edit: Edit, name: str, source: Document, folder: Path, new: str | None = None) -> None:
    """Add a profile as it is written in another file; `folder` is that of the edited one."""
    new = name if new is None else new
    table: Mapping[str, Any] = source.data[name]
    if folder.resolve() != source.path.parent.resolve():
        table = rebased(table, source.path.parent.resolve())
    if new == name:
        _take_text(edit, name, source)
    edit.set((new,), table)


def _take_text(edit: Edit, name: str, source: Document) -> None:
    """The profile's own lines at the end of the file, if they say there what they said before."""
    newline = "\r\n" if "\r\n" in edit.text else "\n"
    before = edit.text if not edit.text or edit.text.endswith("\n") else edit.text + newline
    lines = written(source.text, name).replace("\n", newline)
    text = f"{before}{newline if before else ''}{lines}{newline}"
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    if data == {**edit.data, name: source.data[name]}:
        edit.text, edit.data = text, data
