"""Who extends whom, as far as it makes sense: every definition after those that it extends."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dspy_profiles.cli.doctor._fault import Fault
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles import MAX_DEPTH, Catalog, Definition

__all__ = ["Key", "Lineage", "named"]

Key = tuple[str, int]  # a profile's name and the rank of its layer


def _key_of(definition: Definition) -> Key:
    return definition.name, definition.rank


@dataclass
class Lineage:
    """The definitions of a catalog in order; circles are cut, and told once each."""

    catalog: Catalog
    whole: bool = True  # no file is missing from the catalog because it is broken
    definitions: dict[Key, Definition] = field(default_factory=dict)
    parents: dict[Key, list[Key]] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    incomplete: set[Key] = field(default_factory=set)  # something that they extend is not there

    @classmethod
    def of(cls, catalog: Catalog, *, whole: bool = True) -> "Lineage":
        made = cls(catalog, whole)
        for definition in _all(catalog, made.faults):
            made.definitions[_key_of(definition)] = definition
        for key in list(made.definitions):
            made._link(key)
        made._sort()
        made._spread()
        return made

    @property
    def extended(self) -> set[Key]:
        """Those that another one builds on."""
        return {parent for parents in self.parents.values() for parent in parents}

    def _link(self, key: Key) -> None:
        """Find what a definition extends; what is not there is told at its line."""
        child = self.definitions[key]
        self.parents[key] = []
        if "extends" in child.table and not named(child):
            self.incomplete.add(key)
        for name in dict.fromkeys(named(child)):
            above = child.rank + 1 if name == child.name else 0
            try:
                found = self.catalog.find(name, above)
            except InvalidProfile:  # not a table, which is told at that place
                self.incomplete.add(key)
                continue
            if found is None:
                self.incomplete.add(key)
                if self.whole:  # else it may stand in the file that cannot be read
                    self.faults.append(self._unknown(child, name))
                continue
            parent = _key_of(found)
            if parent not in self.definitions:  # a built-in one
                self.definitions[parent] = found
                self.parents[parent] = []
            self.parents[key].append(parent)

    def _unknown(self, child: Definition, name: str) -> Fault:
        """In the words that everybody else says it in."""
        asking = Definition(child.name, child.layer, child.rank, {"extends": name}, child.document)
        try:
            self.catalog.effective(asking)
        except InvalidProfile as error:
            return Fault.told(error, child.name, ("extends",))
        raise AssertionError(name)  # it was not found a moment ago

    def _sort(self) -> None:
        """Put parents first. Without recursion: a file may hold thousands in a row."""
        done: set[Key] = set()
        for start in list(self.definitions):
            if start in done:
                continue
            path = [start]
            stack = [(start, iter(list(self.parents[start])))]
            while stack:
                key, ahead = stack[-1]
                parent = next((p for p in ahead if p not in done), None)
                if parent is None:
                    stack.pop()
                    done.add(path.pop())
                    self.order.append(key)
                elif parent in path:
                    circle = path[path.index(parent) :]
                    self.parents[key].remove(parent)
                    self.incomplete.add(key)
                    self.faults.append(self._circle(circle))
                else:
                    path.append(parent)
                    stack.append((parent, iter(list(self.parents[parent]))))

    def _circle(self, circle: list[Key]) -> Fault:
        names = [name for name, _ in (*circle, circle[0])]
        last = self.definitions[circle[-1]]
        return Fault(
            "error",
            f"profiles extend each other in a circle: {' → '.join(names)}",
            "take one of them out of extends",
            last.place("extends"),
            last.name,
            ("extends",),
        )

    def _spread(self) -> None:
        """What lacks something passes that on; a row that is too long is told where it gets so."""
        depth: dict[Key, int] = {}
        for key in self.order:
            above = self.parents[key]
            depth[key] = 1 + max((depth[parent] for parent in above), default=0)
            if depth[key] == MAX_DEPTH + 1:
                one = self.definitions[key]
                message = f'"{one.name}" extends more than {MAX_DEPTH} levels of profiles'
                where = one.place("extends")
                self.faults.append(Fault("error", message, None, where, one.name, ("extends",)))
            if depth[key] > MAX_DEPTH or self.incomplete.intersection(above):
                self.incomplete.add(key)


def _all(catalog: Catalog, faults: list[Fault]) -> Iterator[Definition]:
    """Every definition in every file, shadowed ones too."""
    for rank, (_, doc) in enumerate(catalog.documents):
        for name in doc.data:
            if name == "$schema":
                continue
            try:
                found = catalog.find(name, rank)
            except InvalidProfile as error:
                faults.append(Fault.told(error, name))
                continue
            if found is not None:
                yield found


def named(child: Definition) -> tuple[str, ...]:
    """What a definition says that it extends; nothing where that makes no sense."""
    given = child.table.get("extends", ())
    items = (given,) if isinstance(given, str) else given
    whole = isinstance(items, list | tuple) and all(isinstance(item, str) for item in items)
    return tuple(items) if whole else ()
