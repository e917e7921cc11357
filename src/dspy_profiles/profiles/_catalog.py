"""Find the definitions of profiles in all layers, and merge what `extends` names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dspy_profiles.config import (
    Document,
    Layer,
    Locations,
    join_key,
    read_of_project,
    read_toml,
)
from dspy_profiles.errors import InvalidProfile, Place, ProfileNotFound, did_you_mean
from dspy_profiles.profiles._profile import Origin, Source
from dspy_profiles.profiles._sections import check_shape

__all__ = [
    "BUILT_IN_PROFILES",
    "MAX_DEPTH",
    "Catalog",
    "Definition",
    "Leaf",
    "Node",
    "merge",
    "node",
    "sections",
]

BUILT_IN_PROFILES = {"mock": {"description": "built in, offline", "provider": {"class": "mock"}}}
MAX_DEPTH = 100  # levels of `extends` and of tables; more would exhaust the stack


def _read(layer: Layer, locations: Locations) -> Document:
    is_of_project = layer.name == "project"
    return read_of_project(layer.path, locations) if is_of_project else read_toml(layer.path)


class Leaf(NamedTuple):
    """A value that is not a table, and its origin."""

    value: Any
    source: Source | Origin

    def __repr__(self) -> str:
        # An error's frames may be printed, and a file can hold a plaintext secret.
        return f"Leaf({join_key(self.source.key)})" if isinstance(self.source, Source) else "Leaf"


Node = dict[str, "Node | Leaf"]


@dataclass(frozen=True)
class Definition:
    """One profile as one layer defines it."""

    name: str
    layer: str
    rank: int  # 0 is nearest
    table: Mapping[str, Any] = field(repr=False)
    document: Document | None

    def place(self, *path: str) -> Place | str:
        if self.document is None:
            return self.layer
        return Place(self.document.path, self.document.line((self.name, *path)))

    @property
    def parents(self) -> tuple[str, ...]:
        names = self.table.get("extends", ())
        return (names,) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True)
class Catalog:
    """The layers that count, nearest first; built-in profiles are below all files."""

    documents: tuple[tuple[str, Document], ...]

    @classmethod
    def load(cls, locations: Locations) -> "Catalog":
        return cls(tuple((layer.name, _read(layer, locations)) for layer in locations.layers))

    def names(self) -> list[str]:
        """Return every name once, sorted; names that no file defines come last."""
        own = {name for _, doc in self.documents for name in doc.data if name != "$schema"}
        return sorted(own) + sorted(BUILT_IN_PROFILES.keys() - own)

    def find(self, name: str, above: int = 0) -> Definition | None:
        """Return the nearest definition of a name, from the rank `above` on, or None."""
        for rank, (layer, doc) in enumerate(self.documents):
            if rank >= above and name in doc.data and name != "$schema":
                return self._definition(name, layer, rank, doc)
        rank = len(self.documents)
        if rank >= above and name in BUILT_IN_PROFILES:
            return Definition(name, "built-in", rank, BUILT_IN_PROFILES[name], None)
        return None

    def get(self, name: str, reason: str) -> Definition:
        """Return the definition of a name that `reason` chose. Raise ProfileNotFound if missing."""
        definition = self.find(name)
        if definition is None:
            chosen_by = "" if reason == "from the argument" else f" ({reason})"
            raise ProfileNotFound(f'profile "{name}" not found{chosen_by}', hint=self._known(name))
        return definition

    def documents_behind(self, names: tuple[str, ...]) -> tuple[Document, ...]:
        """Return the files that can change the values of a profile with this lineage.

        Layers below the lowest definition cannot: the nearer definition replaces theirs.
        """
        ranks = [found.rank for name in names if (found := self.find(name)) is not None]
        if len(set(names)) < len(names):  # a profile extends its own name in a layer below
            ranks.append(len(self.documents))
        return tuple(doc for _, doc in self.documents[: max(ranks, default=0) + 1])

    def effective(self, top: Definition) -> tuple[Node, tuple[str, ...]]:
        """Return the merged values of a definition and its parents, and the parents in order."""
        return self._effective(top, (), {})

    def _effective(
        self,
        definition: Definition,
        path: tuple[tuple[str, int], ...],
        done: dict[tuple[str, int], Node],
    ) -> tuple[Node, tuple[str, ...]]:
        me = (definition.name, definition.rank)
        path = (*path, me)
        if len(path) > MAX_DEPTH:
            raise InvalidProfile(
                f'profile "{path[0][0]}" extends more than {MAX_DEPTH} levels of profiles',
                where=definition.place("extends"),
            )
        _check(definition)
        values: Node = {}
        parents: list[str] = []
        for name in definition.parents:
            parent = self._parent(definition, name)
            if (parent.name, parent.rank) in path:
                circle = " → ".join([*(n for n, _ in path), parent.name])
                raise InvalidProfile(
                    f"profiles extend each other in a circle: {circle}",
                    where=definition.place("extends"),
                )
            key = (parent.name, parent.rank)
            if key not in done:
                done[key], above = self._effective(parent, path, done)
                parents += above
            parents.append(parent.name)
            values = merge(values, done[key])
        own = _own(definition)
        return merge(values, own), tuple(dict.fromkeys(parents))

    def _parent(self, child: Definition, name: str) -> Definition:
        # A profile that extends its own name means the layer below.
        parent = self.find(name, above=child.rank + 1 if name == child.name else 0)
        if parent is None:
            raise InvalidProfile(
                f'profile "{child.name}" extends "{name}", which does not exist'
                + (" in a layer below" if name == child.name else ""),
                hint=self._known(name),
                where=child.place("extends"),
            )
        return parent

    def _known(self, name: str) -> str:
        near = did_you_mean(name, self.names())
        known = f"Profiles: {', '.join(self.names())}"
        absent = [f"{d.path} does not exist" for _, d in self.documents if d.stamp is None]
        return "; ".join([f"{near} {known}" if near else known, *absent])

    def _definition(self, name: str, layer: str, rank: int, doc: Document) -> Definition:
        if not isinstance(doc.data[name], dict):
            raise InvalidProfile(
                f'profile "{name}" is not a table',
                hint=f"write [{join_key((name, 'lm'))}] and its keys below it",
                where=Place(doc.path, doc.line((name,))),
            )
        return Definition(name, layer, rank, doc.data[name], doc)


def _check(definition: Definition) -> None:
    for name in definition.table:
        check_shape(definition.name, name, definition.table[name], definition.place)


def _own(definition: Definition) -> Node:
    own = {k: v for k, v in definition.table.items() if k != "extends"}
    source = Source(definition.layer, definition.name, definition.document, (definition.name,))
    return sections(own, source)


def sections(table: Mapping[str, Any], source: Source) -> Node:
    """Return the sections of a profile, or overrides, with the origin of each value."""
    values = node(table, source)
    rm = values.get("rm")
    if isinstance(rm, dict) and "class_name" in rm:  # the older spelling
        rm.setdefault("class", rm["class_name"])
        del rm["class_name"]
    return values


def node(table: Mapping[str, Any], source: Source) -> Node:
    """Return a table with the origin of each value."""
    out: Node = {}
    for key, value in table.items():
        here = source._replace(key=(*source.key, key))
        # An empty table is a value too, so that it is not lost. Freezing rejects tables that are
        # too deep.
        deeper = isinstance(value, Mapping) and value and len(here.key) <= MAX_DEPTH
        out[key] = node(value, here) if deeper else Leaf(value, here)
    return out


def merge(base: Node, over: Node) -> Node:
    """Merge tables deeply; other values replace each other."""
    merged = dict(base)
    for key, new in over.items():
        old = merged.get(key)
        if isinstance(new, dict) and isinstance(old, dict):
            merged[key] = merge(old, new)
        elif _is_empty_table(new) and isinstance(old, dict):
            continue
        else:
            merged[key] = new
    return merged


def _is_empty_table(value: "Node | Leaf | None") -> bool:
    return isinstance(value, Leaf) and isinstance(value.value, Mapping)
