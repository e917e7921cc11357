"""Change one key of a TOML file and nothing else.

Every edit is a splice of the text. The result must parse to exactly the old data with that one
change; otherwise nothing is written.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from dspy_profiles._control import escaped
from dspy_profiles.config import _toml_edit
from dspy_profiles.config._document import (
    Document,
    file_stamp,
    parsed,
    read_toml,
    remember,
)
from dspy_profiles.config._keys import KeyPath, join_key
from dspy_profiles.config._lock import PATIENCE, locked
from dspy_profiles.config._trusted_files import TRUSTED
from dspy_profiles.config._write import replace_file
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place

if TYPE_CHECKING:
    from tomlkit.items import Item

__all__ = ["Edit", "TomlValue", "change_file", "editing"]

TomlValue: TypeAlias = Union[  # noqa: UP007  # `|` does not accept a name in quotes
    str, bool, int, float, datetime, date, time, Sequence["TomlValue"], Mapping[str, "TomlValue"]
]


def change_file(path: Path, change: Callable[["Edit"], None], *, timeout: float = PATIENCE) -> None:
    """Let `change` edit a file and check the result, without keeping others waiting.

    It runs before the lock is taken; and once more, under the lock, if another process has changed
    the file in between. An error that it raises leaves the file unchanged.
    """
    target = Path(os.path.realpath(path))
    document = read_toml(target)
    tried = Edit(document)
    change(tried)
    with editing(target, timeout=timeout) as edit:
        if edit.text == document.text:
            edit.become(tried.document)
        else:
            change(edit)


@contextmanager
def editing(path: Path, *, timeout: float = PATIENCE) -> Iterator["Edit"]:
    """Read, change and replace a file under its lock; an error in the block leaves it unchanged.

    >>> with editing(Path("profiles.toml")) as edit:  # doctest: +SKIP
    ...     edit.set(("prod", "lm", "temperature"), 0.2)
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    read_toml(target)  # raise for an unreadable file before a lock file is created
    with locked(target, timeout):
        document = read_toml(target)
        edit = Edit(document)
        yield edit
        if edit.text != document.text:
            with TRUSTED.keeps(path):
                replace_file(document, edit.text)
                remember(replace(edit.document, stamp=file_stamp(target), settled=False))


class Edit:
    """A file's text and data as they will be at the end of the block."""

    def __init__(self, document: Document) -> None:
        self._before = document
        self._document = document

    @property
    def text(self) -> str:
        return self._document.text

    @property
    def data(self) -> dict[str, Any]:
        """A copy of the data."""
        return deepcopy(self._document.data)

    @property
    def document(self) -> Document:
        """The file as it will be."""
        return self._document

    def become(self, document: Document) -> None:
        """Take the text and the data of another version of the file."""
        self._document = replace(self._document, text=document.text, data=document.data)

    def set(self, key: KeyPath, value: TomlValue) -> None:
        """Set the key to this value, and create the tables that it needs."""
        new = self._plain(key, value)
        data, table = self._with_table(key)
        old = table.get(key[-1], _ABSENT)
        if not _same(old, new):
            table[key[-1]] = new
            self._change(key, data, lambda text: _written(text, key, old, new))

    def unset(self, key: KeyPath) -> None:
        """Remove the key and everything under it. Raise KeyError if it does not exist."""
        data, holder = self._with_holder(key)
        del holder[key[-1]]
        self._change(key, data, lambda text: _toml_edit.removed(text, key))

    def rename(self, old: KeyPath, new: KeyPath) -> None:
        """Rename a table or a value in place."""
        data, holder = self._with_holder(old)
        if old == new:
            return
        if old[:-1] != new[:-1] or not new:
            message = f"cannot rename {join_key(old)} to {join_key(new)}"
            raise InvalidProfile(message, "change only the last part of the key")
        self._refuse_taken(new, holder)
        holder[new[-1]] = holder.pop(old[-1])
        self._change(old, data, lambda text: _toml_edit.rename_in_text(text, old, new[-1]))

    def copy(self, old: KeyPath, new: KeyPath) -> None:
        """Copy a table to another name, with its comments."""
        value = self._with_holder(old)[1][old[-1]]
        data, table = self._with_table(new)
        self._refuse_taken(new, table)
        table[new[-1]] = value
        self._change(new, data, lambda text: _toml_edit.copied(text, old, new))

    def header_comment(self, text: str) -> None:
        """Set the first line, which tells editors the schema: `#:schema ./schema.json`."""
        if not text.startswith(_SCHEMA) or any(sign < " " for sign in text) or "\x7f" in text:
            raise InvalidProfile(f"{text!r} is not a schema comment", f"write {_SCHEMA} PATH")
        self._change(
            (), self._document.data, lambda whole: _toml_edit.with_first_line(whole, text, _SCHEMA)
        )

    def _change(self, key: KeyPath, data: dict[str, Any], splice: Callable[[str], str]) -> None:
        try:
            text = splice(self.text)
            result = parsed(text)
            text.encode()  # raise for a lone surrogate, which cannot be written
            faithful = _same(result, data)
        except (ValueError, RecursionError) as error:
            raise self._refusal(key) from error
        if not faithful:
            raise self._refusal(key)
        self.become(Document(self._document.path, text, result))

    def _refusal(self, key: KeyPath) -> InvalidFile:
        message = f"cannot change {join_key(key)} without changing other keys"
        return InvalidFile(message, "edit the file by hand", self._place(key))

    def _place(self, key: KeyPath) -> Place:
        return Place(self._before.path, self._before.line(key))

    def _with_holder(self, key: KeyPath) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a copy of the data, and the table in it that holds the key.

        Raise KeyError if there is none. Tables that are not around the key are not copied.
        """
        node: Any = self._document.data
        for part in key[:-1]:
            node = node.get(part) if isinstance(node, dict) else None
        if not key or not isinstance(node, dict) or key[-1] not in node:
            raise KeyError(join_key(key))
        return self._with_table(key)

    def _with_table(self, key: KeyPath) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the same for a key that may be new: its table is created if it does not exist."""
        if not key:
            raise InvalidProfile("the key is empty", "write section.key, as in lm.model")
        data = node = dict(self._document.data)
        for depth, part in enumerate(key[:-1], start=1):
            inner = node.get(part, {})
            if not isinstance(inner, dict):
                message = f"cannot set {join_key(key)}: {join_key(key[:depth])} is not a table"
                hint = f"unset {join_key(key[:depth])} first"
                raise InvalidProfile(message, hint, self._place(key[:depth]))
            inner = dict(inner)
            node[part] = inner
            node = inner
        return data, node

    def _refuse_taken(self, key: KeyPath, table: dict[str, Any]) -> None:
        if key[-1] in table:
            message = f"{join_key(key)} already exists"
            raise InvalidProfile(message, "unset it first, or use another name", self._place(key))

    def _plain(self, key: KeyPath, value: Any) -> Any:
        """Return the value as tomli would read it: no subclasses, no tuples."""
        match value:
            case bool() | date():  # a datetime is a date
                return value
            case time() if value.tzinfo is None:
                return value
            case int() | float():
                return int(value) if isinstance(value, int) else float(value)
            case str():
                return "".join(value)  # str() of an enumeration would be its name
            case Mapping() if all(isinstance(name, str) for name in value):
                return {"".join(name): self._plain(key, v) for name, v in value.items()}
            case list() | tuple():
                return [self._plain(key, item) for item in value]
        if value is None:
            message, hint = f"{join_key(key)}: TOML has no null", "unset the key instead"
        else:
            message = f"{join_key(key)}: TOML cannot hold this {type(value).__name__}"
            hint = "use strings, numbers, booleans, dates, lists and tables"
        raise InvalidProfile(message, hint, self._place(key))


_ABSENT = object()
_SCHEMA = "#:schema"


def _same(one: Any, other: Any) -> bool:
    """Return whether both are equal and of the same types at every level; tables in any order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float):
        return repr(one) == repr(other)  # nan is nan, and 0.0 is not -0.0
    if isinstance(one, date | time):
        return str(one) == str(other)  # the classes of their time zones may differ
    return bool(one == other)


def _written(text: str, key: KeyPath, old: Any, new: Any) -> str:
    is_table = isinstance(new, dict)
    if old is _ABSENT:
        if is_table and len(key) == 1:
            return _with_sections(text, key, new)
    elif is_table and isinstance(old, dict):  # unchanged keys keep their lines
        for name in [name for name in old if name not in new]:
            text = _toml_edit.removed(text, (*key, name))
        for name, value in new.items():
            before = old.get(name, _ABSENT)
            if not _same(before, value):
                text = _written(text, (*key, name), before, value)
        return text
    elif not _toml_edit.is_written_whole(text, key):
        text = _toml_edit.removed(text, key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return _toml_edit.with_items(text, key, lambda n, item: _item_written(item, old[n], new[n]))
    return _toml_edit.with_value(text, key, _text(new))


def _item_written(text: str, old: Any, new: Any) -> str:
    """Return the text of one item of a list, written like the value of a key."""
    start = "x = "
    if _same(old, new):
        return text
    return _written(f"{start}{text}", ("x",), old, new).removeprefix(start)


def _with_sections(text: str, key: KeyPath, table: dict[str, Any]) -> str:
    """Add a new profile as people write one: with a section for each of its tables."""
    text = _toml_edit.with_header(text, key) if not table else text
    for name, value in sorted(table.items(), key=lambda item: isinstance(item[1], dict)):
        inner = value if isinstance(value, dict) and value else {}
        for part, leaf in inner.items():
            text = _toml_edit.with_value(text, (*key, name, part), _text(leaf))
        if not inner:
            text = _toml_edit.with_value(text, (*key, name), _text(value))
    return text


def _text(value: Any) -> str:
    return escaped(_item(value).as_string())


def _item(value: Any) -> "Item":
    """Return the value as tomlkit writes it, tables and lists on one line."""
    import tomlkit

    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for name, inner in value.items():
            table.append(name, _item(inner))
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        array.extend(_item(inner) for inner in value)
        return array
    item: Item = tomlkit.item(value)
    return item
