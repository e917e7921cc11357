"""Find every problem of every profile, each with its line. Imports no user code."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dspy_profiles import schema
from dspy_profiles.cli.doctor._files import Survey, survey
from dspy_profiles.cli.doctor._lineage import Key, Lineage, parents_of
from dspy_profiles.cli.doctor._problem import Problem
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
    tolerated_plaintext,
)
from dspy_profiles.schema import Finding
from dspy_profiles.secrets import Names

__all__ = ["Validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """All problems, in the order of files and lines."""

    problems: tuple[Problem, ...]
    profiles: int  # number of definitions
    files: tuple[tuple[str, Path], ...]  # kind, path

    @property
    def errors(self) -> int:
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def warnings(self) -> int:
        return len(self.problems) - self.errors


def validate(file: Path | None = None) -> Validation:
    """Check every profile of every file, and the settings."""
    files = survey(file)
    checks = _Checks(files, Lineage.of(files.scene.catalog, whole=not files.invalid))
    problems = [*files.problems, *files.default, *files.env, *checks.run()]
    ranks = {path: rank for rank, (_, path) in enumerate(files.files)}
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: _rank(problem, ranks))
    return Validation(tuple(ordered), checks.count, files.files)


def _rank(problem: Problem, ranks: Mapping[Path, int]) -> tuple[int, int, bool]:
    if not isinstance(problem.where, Place):
        return len(ranks), 0, problem.severity != "error"
    rank = ranks.get(problem.where.file, len(ranks))
    return rank, problem.where.line or 0, problem.severity != "error"


@dataclass
class _Own:
    """A definition's own sections, and their problems."""

    valid: dict[str, Any]
    doubtful: dict[str, Problem]  # of sections, unless a key of theirs has a closer one
    problems: list[Problem]
    misshapen: set[str]  # sections with a wrong shape


@dataclass
class _Checks:
    files: Survey
    lineage: Lineage
    count: int = 0
    trees: dict[Key, Node] = field(default_factory=dict)
    reported: dict[tuple[str, str], set[tuple[KeyPath, str]]] = field(default_factory=dict)

    @cached_property
    def extended(self) -> set[Key]:
        return self.lineage.extended

    def run(self) -> list[Problem]:
        problems = list(self.lineage.problems)
        self.count = sum(problem.key == () for problem in problems)  # those that are not tables
        for key in self.lineage.order:  # parents first: their problems are not repeated
            definition = self.lineage.definitions[key]
            own = _own(definition, self.files.scene.names)
            tree: Node = {}
            for parent in self.lineage.parents[key]:
                tree = merge(tree, self.trees[parent])
            self.trees[key] = merge(tree, sections(own.valid, _source(definition)))
            if definition.document is not None:
                self.count += 1
                problems += own.problems
                problems += self._against_dspy(key, definition, own)
        return problems

    def _against_dspy(self, key: Key, definition: Definition, own: _Own) -> list[Problem]:
        """Return what DSPy would refuse of a definition, or of it and its parents together."""
        where = self.files.scene.locations
        # A missing key may come from a profile that extends it, or from an unknown parent.
        may_lack = key in self.extended or key in self.lineage.incomplete
        try:
            profile = _resolved(definition, self.trees[key], self.files.scene.names)
            findings = schema.check(profile, schema.descriptor(), search=(where.cwd, where.root))
        except ProfileError as error:
            return [Problem.from_error(error, definition.name)]
        problems = []
        own_reports = self.reported.setdefault((definition.layer, definition.name), set())
        for finding in findings:
            problem = self._placed(definition, profile, finding)
            absent = problem is not None and problem.where is None and bool(finding.key)
            if problem is None or (absent and (may_lack or finding.key[0] in own.misshapen)):
                continue
            if absent:
                problem = replace(problem, where=_nearest(definition, finding.key))
            own_reports.add(_identity(definition.name, finding))
            problems.append(problem)
        closer = {
            problem.key[0] for problem in problems if problem.key and problem.severity == "error"
        }
        return problems + [problem for name, problem in own.doubtful.items() if name not in closer]

    def _placed(
        self, definition: Definition, profile: ResolvedProfile, finding: Finding
    ) -> Problem | None:
        """Return a finding as a problem of this definition; None if another one has reported it.

        It has no place if no file has the key: something is missing.
        """
        problem = Problem(
            finding.severity, finding.message, finding.hint, None, definition.name, finding.key
        )
        if not finding.key:  # about DSPy itself, for all profiles
            return replace(problem, profile=None)
        writer = _writer(profile, finding.key)
        if writer is None:
            return problem
        if writer != (definition.layer, definition.name):
            before = self.reported.setdefault(writer, set())
            identity = _identity(definition.name, finding)
            if identity in before:
                return None
            before.add(identity)  # reported for this profile, not for those that extend it
        return replace(problem, where=finding.where)


def _identity(profile: str, finding: Finding) -> tuple[KeyPath, str]:
    return finding.key, finding.message.replace(f"[{profile}.", "[")


def _own(definition: Definition, names: Names) -> _Own:
    """Check each section of a definition by itself."""
    own = _Own({}, {}, [], set())
    for name, value in definition.table.items():
        try:
            check_shape(definition.name, name, value, definition.place)
        except InvalidProfile as error:
            problem = Problem.from_error(error, definition.name, (name,))
            if name not in ("env", "lms") or not isinstance(value, Mapping):
                own.problems.append(problem)
                own.misshapen.add(name)
                continue
            own.doubtful[name] = problem
        if name != "extends":
            own.valid[name] = value
    own.problems += _plaintext(definition, own.valid, names)
    return own


def _plaintext(definition: Definition, valid: Mapping[str, Any], names: Names) -> list[Problem]:
    """Return the plaintext secrets of a definition, and its invalid references."""
    freezer = Freezer(definition.name, names, allow_plaintext=False)
    try:
        freezer.freeze(sections(valid, _source(definition)))
    except ProfileError as error:  # a plugin for secrets cannot be loaded
        return [Problem.from_error(error, definition.name)]
    problems = [Problem.from_error(error, definition.name) for error in freezer.errors]
    for path, place in freezer.plaintext.items():
        one = Freezer(definition.name, names, allow_plaintext=False, plaintext={path: place})
        try:
            one.check()
        except PlaintextSecret as error:
            problems.append(Problem.from_error(error, definition.name, path))
    for path, place in freezer.tolerated.items():
        message, hint = tolerated_plaintext(definition.name, path, place)
        problems.append(Problem("warning", message, hint, place, definition.name, path))
    return problems


def _source(definition: Definition) -> Source:
    return Source(definition.layer, definition.name, definition.document, (definition.name,))


def _resolved(definition: Definition, tree: Node, names: Names) -> ResolvedProfile:
    """Return the effective values, without invalid ones."""
    freezer = Freezer(definition.name, names, allow_plaintext=True)
    values = freezer.freeze(tree)
    return ResolvedProfile(
        definition.name,
        values,
        "",
        parents_of(definition),
        () if definition.document is None else (definition.document.path,),
        frozenset(freezer.secret_keys),
        freezer.sources,
    )


def _writer(profile: ResolvedProfile, path: KeyPath) -> tuple[str, str] | None:
    """Return the layer and the profile that set a key, or the first key of a table."""
    source = next((s for k, s in profile.sources.items() if k[: len(path)] == path), None)
    return None if source is None else (source.layer, source.profile)


def _nearest(definition: Definition, path: KeyPath) -> Place | str:
    """Return the line of the table that lacks a key, or that of the profile."""
    table: Any = definition.table
    for length, part in enumerate(path):
        if not isinstance(table, Mapping) or part not in table:
            return definition.place(*path[:length])
        table = table[part]
    return definition.place(*path)
