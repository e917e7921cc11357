"""Change one key of a TOML file and nothing else.

Every edit is a splice of the text. The result must parse to exactly the old data with that one
change; otherwise nothing is written.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import tomli

from dspy_profiles._control import escaped
from dspy_profiles.config import _toml_edit
from dspy_profiles.config._document import Document, read_toml
from dspy_profiles.config._keys import KeyPath, join_key
from dspy_profiles.config._trusted_files import TRUSTED
from dspy_profiles.config._write import locked, replace_file
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place

if TYPE_CHECKING:
    from tomlkit.items import Item

__all__ = ["Edit", "TomlValue", "editing"]

TomlValue: TypeAlias = Union[  # noqa: UP007  # `|` does not accept a name in quotes
    str, bool, int, float, datetime, date, time, Sequence["TomlValue"], Mapping[str, "TomlValue"]
]


@contextmanager
def editing(path: Path, *, timeout: float = 10.0) -> Iterator["Edit"]:
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
            with TRUSTED.keeps(target):
                replace_file(document, edit.text)


class Edit:
    """A file's text and data as they will be at the end of the block."""

    def __init__(self, document: Document) -> None:
        self.text: str = document.text
        self.data: dict[str, Any] = deepcopy(document.data)
        self._document = document

    def set(self, key: KeyPath, value: TomlValue) -> None:
        """Set the key to this value, and create the tables that it needs."""
        new = self._plain(key, value)
        data = tomli.loads(self.text)
        table = self._table(key, data)
        old = table.get(key[-1], _ABSENT)
        if not _same(old, new):
            table[key[-1]] = new
            self._change(key, data, lambda text: _written(text, key, old, new))

    def unset(self, key: KeyPath) -> None:
        """Remove the key and everything under it. Raise KeyError if it does not exist."""
        data = tomli.loads(self.text)
        del self._holder(key, data)[key[-1]]
        self._change(key, data, lambda text: _toml_edit.removed(text, key))

    def rename(self, old: KeyPath, new: KeyPath) -> None:
        """Rename a table or a value in place."""
        data = tomli.loads(self.text)
        holder = self._holder(old, data)
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
        data = tomli.loads(self.text)
        value = deepcopy(self._holder(old, data)[old[-1]])
        table = self._table(new, data)
        self._refuse_taken(new, table)
        table[new[-1]] = value
        self._change(new, data, lambda text: _toml_edit.copied(text, old, new))

    def header_comment(self, text: str) -> None:
        """Set the first line, which tells editors the schema: `#:schema ./schema.json`."""
        if not text.startswith(_SCHEMA) or any(sign < " " for sign in text) or "\x7f" in text:
            raise InvalidProfile(f"{text!r} is not a schema comment", f"write {_SCHEMA} PATH")
        data = tomli.loads(self.text)
        self._change((), data, lambda whole: _toml_edit.with_first_line(whole, text, _SCHEMA))

    def _change(self, key: KeyPath, data: dict[str, Any], splice: Callable[[str], str]) -> None:
        message = f"cannot change {join_key(key)} without changing other keys"
        refusal = InvalidFile(message, "edit the file by hand", self._place(key))
        try:
            text = splice(self.text)
            result = tomli.loads(text)
            text.encode()  # raise for a lone surrogate, which cannot be written
            faithful = _same(result, data)
        except (ValueError, RecursionError) as error:
            raise refusal from error
        if not faithful:
            raise refusal
        self.text, self.data = text, result

    def _place(self, key: KeyPath) -> Place:
        return Place(self._document.path, self._document.line(key))

    def _holder(self, key: KeyPath, data: dict[str, Any]) -> dict[str, Any]:
        """Return the table that holds the key. Raise KeyError if there is none."""
        node: Any = data
        for part in key[:-1]:
            node = node.get(part) if isinstance(node, dict) else None
        if not key or not isinstance(node, dict) or key[-1] not in node:
            raise KeyError(join_key(key))
        return node

    def _table(self, key: KeyPath, data: dict[str, Any]) -> dict[str, Any]:
        """Return the table for the key, created if it does not exist."""
        if not key:
            raise InvalidProfile("the key is empty", "write section.key, as in lm.model")
        node = data
        for depth, part in enumerate(key[:-1], start=1):
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                message = f"cannot set {join_key(key)}: {join_key(key[:depth])} is not a table"
                hint = f"unset {join_key(key[:depth])} first"
                raise InvalidProfile(message, hint, self._place(key[:depth]))
        return node

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
