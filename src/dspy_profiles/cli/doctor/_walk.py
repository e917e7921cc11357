"""Check a profile step by step, from its file to its objects."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dspy_profiles.activation import findings
from dspy_profiles.cli.doctor import _packages, _steps
from dspy_profiles.cli.doctor._files import Survey, survey
from dspy_profiles.cli.doctor._lineage import Lineage
from dspy_profiles.cli.doctor._problem import Problem
from dspy_profiles.errors import InvalidFile, PlaintextSecret, ProfileError, ProfileNotFound
from dspy_profiles.objects import make_importable
from dspy_profiles.profiles import (
    BUILT_IN_PROFILES,
    Choice,
    Definition,
    ResolvedProfile,
    choose,
    resolve_choice,
)

if TYPE_CHECKING:
    from dspy_profiles.objects import Built

__all__ = ["STEPS", "Check", "Examination", "Examined", "examine"]

STEPS = ("file", "profile", "secrets", "packages", "build", "cache")
PASSED = ("ok", "warning")
Status = Literal["ok", "warning", "error", "skipped"]


@dataclass(frozen=True)
class Check:
    """A step and its problems; `skipped` if an earlier step failed."""

    name: str
    problems: tuple[Problem, ...] = ()
    skipped: bool = False

    @property
    def status(self) -> Status:
        if self.skipped:
            return "skipped"
        has_error = any(problem.severity == "error" for problem in self.problems)
        return "error" if has_error else "warning" if self.problems else "ok"


@dataclass
class Examined:
    """A profile, its definition, and the result of each step."""

    name: str
    definition: Definition | None  # None: in no file that can be read
    shadows: tuple[Definition, ...] = ()
    checks: list[Check] = field(default_factory=list)
    profile: ResolvedProfile | None = None
    built: "Built | None" = None
    children: tuple[str, ...] = ()  # of a profile without a model

    @property
    def is_valid(self) -> bool:
        return all(check.status in PASSED for check in self.checks)

    @property
    def problems(self) -> list[Problem]:
        return [problem for check in self.checks for problem in check.problems]


@dataclass(frozen=True)
class Examination:
    """The chosen profiles, and the problems of the files."""

    survey: Survey
    problems: tuple[Problem, ...]
    profiles: tuple[Examined, ...]
    variables: frozenset[str]  # of the environment, before any `.env` file is loaded


def examine(
    names: Sequence[str] = (), *, file: Path | None = None, every: bool = False
) -> Examination:
    """Check these profiles; without names, the active one, else all."""
    files = survey(file)
    variables = frozenset(os.environ)
    walk = _Walk(files)
    chosen = walk.chosen(names) if not every else None
    if chosen is None:
        profiles = tuple(walk.examined(name, one_of_all=True) for name in walk.all_names())
    else:
        profiles = tuple(walk.examined(name) for name in chosen)
    problems = (*_hidden(files), *files.problems, *files.default, *files.env, *walk.env_problems)
    return Examination(files, problems, profiles, variables)


def _hidden(files: Survey) -> list[Problem]:
    """Return a warning for each user file that another one hides."""
    where = files.scene.locations
    winner = {path.name: path for path in (where.user_file, where.user_config)}
    return [
        Problem(
            "warning",
            f"{path} is ignored, because {winner[path.name]} exists",
            "delete one of them",
        )
        for path in where.hidden
        if path.name in winner and not (where.named_file and path.name == where.user_file.name)
    ]


@dataclass
class _Walk:
    files: Survey

    @cached_property
    def env_problems(self) -> tuple[Problem, ...]:
        """Load the `.env` files, once. Return their problems."""
        try:
            self.files.scene.load_env()
        except ProfileError as error:
            return (Problem.from_error(error),)
        make_importable(self.files.scene.locations)
        return ()

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage.of(self.files.scene.catalog, whole=not self.files.invalid)

    @cached_property
    def dspy_problem(self) -> Problem | None:
        return _packages.dspy_problem()

    def all_names(self) -> list[str]:
        """Return the profiles that files define; without any, the built-in one."""
        catalog = self.files.scene.catalog
        defined = {name for _, doc in catalog.documents for name in doc.data}
        return [name for name in catalog.names() if name in defined] or list(BUILT_IN_PROFILES)

    def chosen(self, names: Sequence[str]) -> list[str] | None:
        """Return these profiles, else the active one; None if there is no active one."""
        catalog = self.files.scene.catalog
        reason = "from the command line"
        if not names:
            try:
                choice = choose(self.files.scene, None)
            except (InvalidFile, ProfileNotFound):
                return None
            names, reason = [choice.name], choice.reason
        for name in names:
            # An invalid file may define the profile: then the file is the problem.
            if name not in catalog.names() and not self.files.invalid:
                catalog.get(name, reason)
        return list(dict.fromkeys(names))

    def examined(self, name: str, *, one_of_all: bool = False) -> Examined:
        catalog = self.files.scene.catalog
        try:
            definition = catalog.find(name)
        except ProfileError as error:
            wrong = Check("profile", (Problem.from_error(error, name),))
            return Examined(name, None, (), [self._file(name), wrong, *_skipped("profile")])
        if definition is None:
            return Examined(name, None, (), [self._file(name), *_skipped("file")])
        one = Examined(name, definition, tuple(self._shadowed(definition)), [self._file(name)])
        if one_of_all:
            one.children = self._children(definition)
        if one.children:
            one.checks += _skipped("file")
        else:
            self._check(one)
        return one

    def _file(self, name: str) -> Check:
        problems = (*self.files.problems, *self.env_problems)
        invalid = Problem("error", "its files are invalid", "dspy-profiles validate", None, name)
        return Check("file", (invalid,) if problems else ())

    def _shadowed(self, definition: Definition) -> list[Definition]:
        below = [d for (n, _), d in self.lineage.definitions.items() if n == definition.name]
        return [d for d in below if d.rank > definition.rank and d.document is not None]

    def _children(self, definition: Definition) -> tuple[str, ...]:
        """Return the profiles that extend this one, if it has no model of its own."""
        key = (definition.name, definition.rank)
        parents = self.lineage.parents
        children = [name for (name, rank), above in parents.items() if key in above]
        try:
            profile = resolve_choice(
                self.files.scene, Choice(definition.name, ""), allow_plaintext=True
            )
        except ProfileError:
            return ()
        values = profile.values
        has_model = "lm" not in values or "model" in profile.lm or "provider" in values
        return () if has_model else tuple(dict.fromkeys(children))

    # The steps

    def _check(self, one: Examined) -> None:
        checks = {check.name: check for check in one.checks}
        problems = self._profile(one)
        wary = _steps.untrusted(one.profile) if one.profile is not None else []
        if wary:
            checks["packages"] = Check("packages", tuple(wary))
        elif one.profile is not None:
            problem = self.dspy_problem
            imports = [problem] if problem else _steps.failed_imports(one.profile, problems)
            # A class that was not found by reading, and cannot be imported, is reported once.
            failed = {problem.key for problem in imports}
            problems = [p for p in problems if p.severity == "error" or p.key not in failed]
            unresolved = _steps.missing_secrets(one.profile, can_import=not problem)
            checks["secrets"] = Check("secrets", tuple(unresolved))
            checks["packages"] = Check("packages", tuple(imports))
            checks["cache"] = Check("cache", tuple(_steps.unwritable(one.profile)))
        checks["profile"] = Check("profile", tuple(problems))
        if one.profile is not None and all(c.status in PASSED for c in checks.values()):
            one.built, failures = _steps.built(one.profile, self.files.scene)
            checks["build"] = Check("build", tuple(failures))
        one.checks = [checks.get(step) or Check(step, skipped=True) for step in STEPS]

    def _profile(self, one: Examined) -> list[Problem]:
        """Resolve a profile. Return the problems that its activation would have."""
        scene = self.files.scene
        choice = Choice(one.name, "from the command line")
        problems: list[Problem] = []
        try:
            one.profile = resolve_choice(scene, choice)
        except PlaintextSecret as error:
            problems.append(Problem.from_error(error, one.name))
            one.profile = resolve_choice(scene, choice, allow_plaintext=True)
        except ProfileError as error:
            return [Problem.from_error(error, one.name)]
        return problems + [
            Problem(f.severity, f.message, f.hint, f.where, one.name, f.key)
            for f in findings(one.profile, scene)
        ]


def _skipped(after: str) -> list[Check]:
    return [Check(step, skipped=True) for step in STEPS[STEPS.index(after) + 1 :]]
