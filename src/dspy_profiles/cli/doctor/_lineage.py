"""Order definitions by `extends`: each one follows its parents."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dspy_profiles.cli.doctor._problem import Problem
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles import MAX_DEPTH, Catalog, Definition

__all__ = ["Key", "Lineage", "parents_of"]

Key = tuple[str, int]  # a profile's name and the rank of its layer


def _key_of(definition: Definition) -> Key:
    return definition.name, definition.rank


@dataclass
class Lineage:
    """The definitions of a catalog in order. A circle is cut, and reported once."""

    catalog: Catalog
    whole: bool = True  # no file is missing because it is invalid
    definitions: dict[Key, Definition] = field(default_factory=dict)
    parents: dict[Key, list[Key]] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    incomplete: set[Key] = field(default_factory=set)  # profiles whose parents are not all known

    @classmethod
    def of(cls, catalog: Catalog, *, whole: bool = True) -> "Lineage":
        """Order the definitions of a catalog."""
        lineage = cls(catalog, whole)
        for definition in _all(catalog, lineage.problems):
            lineage.definitions[_key_of(definition)] = definition
        for key in list(lineage.definitions):
            lineage._link(key)
        lineage._sort()
        lineage._spread()
        return lineage

    @property
    def extended(self) -> set[Key]:
        """Return the definitions that another one extends."""
        return {parent for parents in self.parents.values() for parent in parents}

    def _link(self, key: Key) -> None:
        """Find the parents of a definition; report an unknown one at its line."""
        child = self.definitions[key]
        self.parents[key] = []
        if "extends" in child.table and not parents_of(child):
            self.incomplete.add(key)
        for name in dict.fromkeys(parents_of(child)):
            above = child.rank + 1 if name == child.name else 0
            try:
                parent_definition = self.catalog.find(name, above)
            except InvalidProfile:  # not a table, reported at its own line
                self.incomplete.add(key)
                continue
            if parent_definition is None:
                self.incomplete.add(key)
                if self.whole:  # else an invalid file may define it
                    self.problems.append(self._unknown(child, name))
                continue
            parent = _key_of(parent_definition)
            if parent not in self.definitions:  # a built-in one
                self.definitions[parent] = parent_definition
                self.parents[parent] = []
            self.parents[key].append(parent)

    def _unknown(self, child: Definition, name: str) -> Problem:
        """Return the problem of an unknown parent, in the words of an activation."""
        asking = Definition(child.name, child.layer, child.rank, {"extends": name}, child.document)
        try:
            self.catalog.effective(asking)
        except InvalidProfile as error:
            return Problem.from_error(error, child.name, ("extends",))
        raise AssertionError(name)  # `_link` did not find it

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
                    self.problems.append(self._circle(circle))
                else:
                    path.append(parent)
                    stack.append((parent, iter(list(self.parents[parent]))))

    def _circle(self, circle: list[Key]) -> Problem:
        names = [name for name, _ in (*circle, circle[0])]
        last = self.definitions[circle[-1]]
        return Problem(
            "error",
            f"profiles extend each other in a circle: {' → '.join(names)}",
            "remove one of them from extends",
            last.place("extends"),
            last.name,
            ("extends",),
        )

    def _spread(self) -> None:
        """Mark what extends an incomplete definition as incomplete; report chains too long."""
        depth: dict[Key, int] = {}
        for key in self.order:
            above = self.parents[key]
            depth[key] = 1 + max((depth[parent] for parent in above), default=0)
            if depth[key] == MAX_DEPTH + 1:
                one = self.definitions[key]
                message = f'"{one.name}" extends more than {MAX_DEPTH} levels of profiles'
                where = one.place("extends")
                self.problems.append(Problem("error", message, None, where, one.name, ("extends",)))
            if depth[key] > MAX_DEPTH or self.incomplete.intersection(above):
                self.incomplete.add(key)


def _all(catalog: Catalog, problems: list[Problem]) -> Iterator[Definition]:
    """Yield every definition of every file, shadowed ones included."""
    for rank, (_, doc) in enumerate(catalog.documents):
        for name in doc.data:
            if name == "$schema":
                continue
            try:
                definition = catalog.find(name, rank)
            except InvalidProfile as error:
                problems.append(Problem.from_error(error, name))
                continue
            if definition is not None:
                yield definition


def parents_of(child: Definition) -> tuple[str, ...]:
    """Return the names that a definition extends; none if `extends` is invalid."""
    value = child.table.get("extends", ())
    items = (value,) if isinstance(value, str) else value
    is_valid = isinstance(items, list | tuple) and all(isinstance(item, str) for item in items)
    return tuple(items) if is_valid else ()
