"""A resolved profile: its values and the origin of each. Data only."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

from dspy_profiles.config import KeyPath, join_key, split_key
from dspy_profiles.errors import Place, did_you_mean

__all__ = [
    "ACTIVE",
    "OVERRIDE_LAYER",
    "Items",
    "Origin",
    "ResolvedProfile",
    "Source",
    "Table",
    "leaves",
]

T = TypeVar("T")

# The active profile is stored under this key in DSPy's settings, so DSPy hands it to the threads of
# dspy.Parallel and asyncify, and to tasks.
ACTIVE = "dspy_profile"
OVERRIDE_LAYER = "override"  # the layer of overrides: profile("x", lm={…})


class Origin(NamedTuple):
    """Where a value was written. `file` and `line` are None if it is not from a file."""

    file: Path | None
    line: int | None
    layer: str  # "user", "project", "file", "override", "built-in"
    profile: str

    @property
    def place(self) -> Place | str:
        return self.layer if self.file is None else Place(self.file, self.line)

    def origin(self) -> "Origin":
        return self

    def up(self, _levels: int) -> "Origin":
        return self  # the origin of a parent is unknown; a child's line is near enough

    def __str__(self) -> str:
        return str(self.place)


class Lines(Protocol):
    """A file that returns the line of each key."""

    @property
    def path(self) -> Path: ...
    def line(self, key: KeyPath) -> int | None: ...


class Source(NamedTuple):
    """An origin that is computed when needed: finding a line parses the file."""

    layer: str
    profile: str
    document: Lines | None = None
    key: KeyPath = ()

    @property
    def file(self) -> Path | None:
        return None if self.document is None else self.document.path

    def up(self, levels: int) -> "Source":
        """Return the source of the table that many levels up."""
        return self._replace(key=self.key[: len(self.key) - levels])

    def origin(self) -> Origin:
        if self.document is None:
            return Origin(None, None, self.layer, self.profile)
        return Origin(self.document.path, self.document.line(self.key), self.layer, self.profile)


def _refuse(_self: object, *_args: object, **_kwargs: object) -> NoReturn:
    msg = "a resolved profile is read-only; pass overrides to profile() instead"
    raise TypeError(msg)


def _read_only(*mutators: str) -> Callable[[type[T]], type[T]]:
    """Return a decorator that replaces the methods of a class that would change it."""

    def decorate(kind: type[T]) -> type[T]:
        for name in mutators:
            setattr(kind, name, _refuse)
        return kind

    return decorate


@_read_only("__setitem__", "__delitem__", "__iadd__", "__imul__", "append", "clear", "extend")
@_read_only("insert", "pop", "remove", "reverse", "sort")
class Items(list[Any]):
    """A read-only list: activations share it, as they share the table that holds it."""

    def __reduce__(self) -> tuple[type["Items"], tuple[list[Any]]]:
        return Items, (list(self),)


@_read_only("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault")
@_read_only("update")
class Table(dict[str, Any]):
    """A read-only dictionary: activations share resolved profiles."""

    def __reduce__(self) -> tuple[type["Table"], tuple[dict[str, Any]]]:
        return Table, (dict(self),)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Table":
        """Return the mapping with all of its tables and lists read-only."""
        return cls({name: _frozen(item) for name, item in value.items()})


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return Table.of(value)
    return Items(map(_frozen, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class ResolvedProfile:
    """One profile after merging layers, `extends` and overrides: the input of `build`.

    Secret references are still references: `p.lm["api_key"]` prints as `${OPENAI_API_KEY}`.
    """

    name: str
    values: Table
    reason: str  # why it was chosen: "from the argument", "from DSPY_PROFILE", …
    parents: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()  # the files of its values, nearest first
    secret_keys: frozenset[KeyPath] = frozenset()  # keys whose value is a secret or refers to one
    sources: Mapping[KeyPath, Source | Origin] = field(
        default_factory=dict, repr=False, compare=False
    )
    # Set in a pickle: whoever sent it was asked, and could have sent code instead.
    travelled: bool = field(default=False, repr=False, compare=False)

    @property
    def description(self) -> str | None:
        value: str | None = self.values.get("description")
        return value

    @property
    def lm(self) -> Table:
        return self._section("lm")

    @property
    def rm(self) -> Table:
        return self._section("rm")

    @property
    def adapter(self) -> Table:
        return self._section("adapter")

    @property
    def provider(self) -> Table:
        return self._section("provider")

    @property
    def settings(self) -> Table:
        return self._section("settings")

    @property
    def lms(self) -> Table:
        return self._section("lms")

    @property
    def embedder(self) -> Table:
        return self._section("embedder")

    @property
    def env(self) -> Table:
        return self._section("env")

    @property
    def fingerprint(self) -> str:
        """Hash of the effective values, without secrets."""
        import hashlib  # rarely wanted, and slow to import

        values = {
            join_key(key): "" if key in self.secret_keys else value
            for key, value in leaves(self.values)
            if key != ("description",)
        }
        text = json.dumps(values, sort_keys=True, default=lambda value: type(value).__qualname__)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def origin(self, key: str | KeyPath) -> Origin:
        """Return where the value of `key` was written. Raise KeyError if it has no value.

        >>> resolve("prod").origin("lm.model")  # doctest: +SKIP
        Origin(file=PosixPath('profiles.toml'), line=4, layer='project', profile='base')
        """
        path = split_key(key) if isinstance(key, str) else key
        source = self.sources.get(path)
        if source is None:
            known = [join_key(p) for p in self.sources]
            inner = [join_key(p) for p in self.sources if p[: len(path)] == path]
            if inner:
                raise KeyError(f"{join_key(path)} is a table with {', '.join(inner)}")
            hint = did_you_mean(join_key(path), known)
            raise KeyError(f"{self.name} has no {join_key(path)}" + (f"; {hint}" if hint else ""))
        return source.origin()

    def origins(self) -> dict[KeyPath, Origin]:
        """Return the origin of every value."""
        return {path: self.origin(path) for path in self.sources}

    def place(self, *path: str) -> Place | str | None:
        """Return the place for an error about this key: its line, or that of its parent."""
        for length in range(len(path), 0, -1):
            start = path[:length]
            key = next((k for k in self.sources if k[:length] == start), None)
            if key is not None:
                return self.sources[key].up(len(key) - length).origin().place
        return Place(self.files[0]) if self.files else None

    def __getstate__(self) -> dict[str, Any]:
        # Sources hold the text of whole files, with other profiles.
        return {**self.__dict__, "sources": self.origins(), "travelled": True}

    def _section(self, name: str) -> Table:
        section: Table = self.values.get(name, EMPTY)
        return section


EMPTY = Table()


def leaves(table: Mapping[str, Any], prefix: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value that is not a table, with its key; an empty table is a value."""
    for key, value in table.items():
        path = (*prefix, key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, path)
        else:
            yield path, value
