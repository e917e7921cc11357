"""Every fault of every profile at once, each where it was written. Runs nobody's code."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dspy_profiles import schema
from dspy_profiles.cli.doctor._fault import Fault
from dspy_profiles.cli.doctor._files import Survey, survey
from dspy_profiles.cli.doctor._lineage import Key, Lineage, named
from dspy_profiles.config import KeyPath
from dspy_profiles.errors import InvalidProfile, Place, PlaintextSecret, ProfileError
from dspy_profiles.profiles import (
    Definition,
    Freezer,
    Node,
    ResolvedProfile,
    Source,
    check_shape,
    merge,
    sections,
)
from dspy_profiles.schema import Finding
from dspy_profiles.secrets import Names

__all__ = ["Validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """All that was found, in the order of the files and their lines."""

    faults: tuple[Fault, ...]
    profiles: int  # definitions that were looked at
    files: tuple[tuple[str, Path], ...]  # what was read: its kind, its path

    @property
    def errors(self) -> int:
        return sum(fault.severity == "error" for fault in self.faults)

    @property
    def warnings(self) -> int:
        return len(self.faults) - self.errors


def validate(file: Path | None = None) -> Validation:
    """Look at every profile in every file that counts, and at the suite settings."""
    found = survey(file)
    checks = _Checks(found, Lineage.of(found.scene.catalog, whole=not found.broken))
    faults = [*found.faults, *found.default, *found.env, *checks.run()]
    ranks = {path: rank for rank, (_, path) in enumerate(found.files)}
    ordered = sorted(dict.fromkeys(faults), key=lambda fault: _rank(fault, ranks))
    return Validation(tuple(ordered), checks.count, found.files)


def _rank(fault: Fault, ranks: Mapping[Path, int]) -> tuple[int, int, bool]:
    if not isinstance(fault.where, Place):
        return len(ranks), 0, fault.severity != "error"
    rank = ranks.get(fault.where.file, len(ranks))
    return rank, fault.where.line or 0, fault.severity != "error"


@dataclass
class _Own:
    """What one definition says by itself: its sections that make sense, and the faults."""

    sound: dict[str, Any]
    doubtful: dict[str, Fault]  # sections whose shape may be told more closely, key by key
    faults: list[Fault]
    misshapen: set[str]  # sections that are left out


@dataclass
class _Checks:
    found: Survey
    lineage: Lineage
    count: int = 0
    trees: dict[Key, Node] = field(default_factory=dict)
    told: dict[tuple[str, str], set[tuple[KeyPath, str]]] = field(default_factory=dict)

    @cached_property
    def extended(self) -> set[Key]:
        return self.lineage.extended

    def run(self) -> list[Fault]:
        faults = list(self.lineage.faults)
        self.count = sum(fault.key == () for fault in faults)  # those that are no tables
        for key in self.lineage.order:  # parents come first: what they have told is known
            definition = self.lineage.definitions[key]
            own = _own(definition, self.found.scene.names)
            tree: Node = {}
            for parent in self.lineage.parents[key]:
                tree = merge(tree, self.trees[parent])
            self.trees[key] = merge(tree, sections(own.sound, _source(definition)))
            if definition.document is not None:
                self.count += 1
                faults += own.faults
                faults += self._against_dspy(key, definition, own)
        return faults

    def _against_dspy(self, key: Key, definition: Definition, own: _Own) -> list[Fault]:
        """What DSPy would not take: the definition's own doing, or that of all of it together."""
        where = self.found.scene.locations
        # What one lacks may come from those that extend it, or from whom it cannot find.
        may_lack = key in self.extended or key in self.lineage.incomplete
        try:
            profile = _resolved(definition, self.trees[key], self.found.scene.names)
            found = schema.check(profile, schema.descriptor(), search=(where.cwd, where.root))
        except ProfileError as error:
            return [Fault.told(error, definition.name)]
        faults = []
        mine = self.told.setdefault((definition.layer, definition.name), set())
        for finding in found:
            fault = self._placed(definition, profile, finding)
            absent = fault is not None and fault.where is None and bool(finding.key)
            if fault is None or (absent and (may_lack or finding.key[0] in own.misshapen)):
                continue
            if absent:
                fault = replace(fault, where=_nearest(definition, finding.key))
            mine.add(_identity(definition.name, finding))
            faults.append(fault)
        closer = {fault.key[0] for fault in faults if fault.key and fault.severity == "error"}
        return faults + [fault for name, fault in own.doubtful.items() if name not in closer]

    def _placed(
        self, definition: Definition, profile: ResolvedProfile, finding: Finding
    ) -> Fault | None:
        """The finding as a fault of this definition; None where another one has told it.

        It has no place where nobody wrote what it is about: something is missing.
        """
        told = Fault(
            finding.severity, finding.message, finding.hint, None, definition.name, finding.key
        )
        if not finding.key:  # about DSPy itself: the same for all
            return replace(told, profile=None)
        writer = _writer(profile, finding.key)
        if writer is None:
            return told
        if writer != (definition.layer, definition.name):
            before = self.told.setdefault(writer, set())
            theirs = _identity(definition.name, finding)
            if theirs in before:
                return None
            before.add(theirs)  # what only comes about here is told here, and no further down
        return replace(told, where=finding.where)


def _identity(profile: str, finding: Finding) -> tuple[KeyPath, str]:
    return finding.key, finding.message.replace(f"[{profile}.", "[")


def _own(definition: Definition, names: Names) -> _Own:
    """The parts of a definition, each looked at by itself."""
    own = _Own({}, {}, [], set())
    for name, value in definition.table.items():
        try:
            check_shape(definition.name, name, value, definition.place)
        except InvalidProfile as error:
            fault = Fault.told(error, definition.name, (name,))
            if name not in ("env", "lms") or not isinstance(value, Mapping):
                own.faults.append(fault)
                own.misshapen.add(name)
                continue
            own.doubtful[name] = fault
        if name != "extends":
            own.sound[name] = value
    own.faults += _in_clear(definition, own.sound, names)
    return own


def _in_clear(definition: Definition, sound: Mapping[str, Any], names: Names) -> list[Fault]:
    """Secrets that stand in clear, and references that are none."""
    marks = Freezer(definition.name, names, allow_plaintext=False)
    try:
        marks.freeze(sections(sound, _source(definition)))
    except ProfileError as error:  # a plugin that serves secrets cannot be loaded
        return [Fault.told(error, definition.name)]
    faults = [Fault.told(error, definition.name) for error in marks.errors]
    for path, place in marks.plaintext.items():
        one = Freezer(definition.name, names, allow_plaintext=False, plaintext={path: place})
        try:
            one.check()
        except PlaintextSecret as error:
            faults.append(Fault.told(error, definition.name, path))
    return faults


def _source(definition: Definition) -> Source:
    return Source(definition.layer, definition.name, definition.document, (definition.name,))


def _resolved(definition: Definition, tree: Node, names: Names) -> ResolvedProfile:
    """What it comes to, with whatever makes no sense left out."""
    marks = Freezer(definition.name, names, allow_plaintext=True)
    values = marks.freeze(tree)
    return ResolvedProfile(
        definition.name,
        values,
        "",
        named(definition),
        () if definition.document is None else (definition.document.path,),
        frozenset(marks.secret_keys),
        marks.sources,
    )


def _writer(profile: ResolvedProfile, path: KeyPath) -> tuple[str, str] | None:
    """The layer and the profile that wrote a key, or the first key in a table."""
    found = next((s for k, s in profile.sources.items() if k[: len(path)] == path), None)
    return None if found is None else (found.layer, found.profile)


def _nearest(definition: Definition, path: KeyPath) -> Place | str:
    """The line of the table that something is missing from, or that of the profile."""
    table: Any = definition.table
    for length, part in enumerate(path):
        if not isinstance(table, Mapping) or part not in table:
            return definition.place(*path[:length])
        table = table[part]
    return definition.place(*path)
