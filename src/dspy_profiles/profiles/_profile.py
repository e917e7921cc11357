"""What a profile is once it is resolved: values, and where each came from. Pure data."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

from dspy_profiles.config import KeyPath, join_key, split_key
from dspy_profiles.errors import Place, did_you_mean

__all__ = [
    "ACTIVE",
    "OVERRIDE",
    "Items",
    "Origin",
    "ResolvedProfile",
    "Source",
    "Table",
    "leaves",
]

T = TypeVar("T")

# The active profile travels under this key among DSPy's own settings, and so goes wherever they
# go: into dspy.Parallel's threads, asyncify's, tasks.
ACTIVE = "dspy_profile"
OVERRIDE = "override"  # the layer of what is given with a name: profile("x", lm={…})


class Origin(NamedTuple):
    """Where a value was written. `file` and `line` are None where no file has it."""

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
        return self  # how far up is no longer known, and the line of a child will do

    def __str__(self) -> str:
        return str(self.place)


class Lines(Protocol):
    """A file that knows the line of each of its keys."""

    @property
    def path(self) -> Path: ...
    def line(self, key: KeyPath) -> int | None: ...


class Source(NamedTuple):
    """An origin that is worked out when somebody asks: finding a line costs a walk of the file."""

    layer: str
    profile: str
    document: Lines | None = None
    key: KeyPath = ()

    def up(self, levels: int) -> "Source":
        """The source of the table that this stands in, so many levels up."""
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
        """The same tables all the way down, each of them frozen."""
        return cls({name: _frozen(item) for name, item in value.items()})


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return Table.of(value)
    return Items(map(_frozen, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class ResolvedProfile:
    """One profile after layers, `extends` and overrides: what `build` makes objects of.

    Secret references are still references: `p.lm["api_key"]` prints as `${OPENAI_API_KEY}`.
    """

    name: str
    values: Table
    reason: str  # why this one: "from the argument", "from DSPY_PROFILE", …
    parents: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()  # those that had a say, nearest first
    secret_keys: frozenset[KeyPath] = frozenset()  # where the value is a secret, or refers to one
    sources: Mapping[KeyPath, Source | Origin] = field(
        default_factory=dict, repr=False, compare=False
    )

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
        """The same for profiles that come to the same; no secret has a part in it."""
        import hashlib  # rarely wanted, and slow to import

        said = {
            join_key(key): "" if key in self.secret_keys else value
            for key, value in leaves(self.values)
            if key != ("description",)
        }
        text = json.dumps(said, sort_keys=True, default=lambda each: type(each).__qualname__)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def origin(self, key: str | KeyPath) -> Origin:
        """Where the value under `key` was written; a KeyError where nothing was.

        >>> resolve("prod").origin("lm.model")  # doctest: +SKIP
        Origin(file=PosixPath('profiles.toml'), line=4, layer='project', profile='base')
        """
        path = split_key(key) if isinstance(key, str) else key
        found = self.sources.get(path)
        if found is None:
            known = [join_key(p) for p in self.sources]
            inner = [join_key(p) for p in self.sources if p[: len(path)] == path]
            if inner:
                raise KeyError(f"{join_key(path)} is a table; ask for {', '.join(inner)}")
            hint = did_you_mean(join_key(path), known)
            raise KeyError(f"{self.name} has no {join_key(path)}" + (f"; {hint}" if hint else ""))
        return found.origin()

    def origins(self) -> dict[KeyPath, Origin]:
        """The origin of every value."""
        return {path: self.origin(path) for path in self.sources}

    def place(self, *path: str) -> Place | str | None:
        """Where an error about this key should point: its line, or that of what holds it."""
        for length in range(len(path), 0, -1):
            start = path[:length]
            found = next((k for k in self.sources if k[:length] == start), None)
            if found is not None:
                return self.sources[found].up(len(found) - length).origin().place
        return Place(self.files[0]) if self.files else None

    def __getstate__(self) -> dict[str, Any]:
        # The sources hold the text of whole files, and those hold other people's profiles.
        return {**self.__dict__, "sources": self.origins()}

    def _section(self, name: str) -> Table:
        section: Table = self.values.get(name, EMPTY)
        return section


EMPTY = Table()


def leaves(table: Mapping[str, Any], prefix: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is not a table, with its path; an empty table counts as a value."""
    for key, value in table.items():
        path = (*prefix, key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, path)
        else:
            yield path, value
