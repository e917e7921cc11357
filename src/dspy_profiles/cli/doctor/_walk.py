"""From a profile's file to its objects, step by step: what would keep it from being used."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dspy_profiles.activation import findings
from dspy_profiles.cli.doctor import _folders, _packages, _steps
from dspy_profiles.cli.doctor._fault import Fault
from dspy_profiles.cli.doctor._files import Survey, survey
from dspy_profiles.cli.doctor._lineage import Lineage
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
from dspy_profiles.secrets import load_env_files

if TYPE_CHECKING:
    from dspy_profiles.objects import Built

__all__ = ["STEPS", "Check", "Examination", "Examined", "examine"]

STEPS = ("file", "profile", "secrets", "packages", "build", "cache")
PASSED = ("ok", "warning")
Status = Literal["ok", "warning", "error", "skipped"]


@dataclass(frozen=True)
class Check:
    """One step and what it found; `skipped` where an earlier one leaves nothing to look at."""

    name: str
    faults: tuple[Fault, ...] = ()
    skipped: bool = False

    @property
    def status(self) -> Status:
        if self.skipped:
            return "skipped"
        grave = any(fault.severity == "error" for fault in self.faults)
        return "error" if grave else "warning" if self.faults else "ok"


@dataclass
class Examined:
    """A profile, where it stands, and what each step found."""

    name: str
    definition: Definition | None  # None: it stands in a file that cannot be read, or nowhere
    shadows: tuple[Definition, ...] = ()
    checks: list[Check] = field(default_factory=list)
    profile: ResolvedProfile | None = None
    built: "Built | None" = None
    children: tuple[str, ...] = ()  # of one that has no model of its own, and need not have

    @property
    def is_sound(self) -> bool:
        return all(check.status in PASSED for check in self.checks)

    @property
    def faults(self) -> list[Fault]:
        return [fault for check in self.checks for fault in check.faults]


@dataclass(frozen=True)
class Examination:
    """All profiles that were asked for, and what is wrong with the files that they stand in."""

    found: Survey
    faults: tuple[Fault, ...]
    profiles: tuple[Examined, ...]
    variables: frozenset[str]  # the environment's, before any `.env` file added to it


def examine(
    names: Sequence[str] = (), *, file: Path | None = None, every: bool = False
) -> Examination:
    """Walk through these profiles, else the one that applies, else all."""
    found = survey(file)
    variables = frozenset(os.environ)
    walk = _Walk(found)
    chosen = walk.chosen(names) if not every else None
    if chosen is None:
        profiles = tuple(walk.examined(name, one_of_all=True) for name in walk.all_names())
    else:
        profiles = tuple(walk.examined(name) for name in chosen)
    faults = (*_hidden(found), *found.faults, *found.default, *found.env, *walk.env_faults)
    return Examination(found, faults, profiles, variables)


def _hidden(found: Survey) -> list[Fault]:
    """User files that another one keeps from being read."""
    where = found.scene.locations
    winner = {path.name: path for path in (where.user_file, where.user_config)}
    return [
        Fault(
            "warning",
            f"{path} is not read, because {winner[path.name]} is there",
            "keep one of them",
        )
        for path in where.hidden
        if path.name in winner and not (where.named_file and path.name == where.user_file.name)
    ]


@dataclass
class _Walk:
    found: Survey

    @cached_property
    def env_faults(self) -> tuple[Fault, ...]:
        """Loads the `.env` files, once."""
        try:
            load_env_files(self.found.scene.env_files)
        except ProfileError as error:
            return (Fault.told(error),)
        where = self.found.scene.locations
        make_importable((where.cwd, where.root))
        return ()

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage.of(self.found.scene.catalog, whole=not self.found.broken)

    @cached_property
    def dspy_fault(self) -> Fault | None:
        return _packages.dspy_fault()

    def all_names(self) -> list[str]:
        """Those that a file defines; the built-in one where there are none."""
        catalog = self.found.scene.catalog
        written = {name for _, doc in catalog.documents for name in doc.data}
        return [name for name in catalog.names() if name in written] or list(BUILT_IN_PROFILES)

    def chosen(self, asked: Sequence[str]) -> list[str] | None:
        """Those that were asked for, else the one that applies; None where none does."""
        catalog = self.found.scene.catalog
        reason = "from the command line"
        if not asked:
            try:
                choice = choose(self.found.scene, None)
            except (InvalidFile, ProfileNotFound):
                return None
            asked, reason = [choice.name], choice.reason
        for name in asked:
            # It may stand in the file that cannot be read: then that is what is wrong.
            if name not in catalog.names() and not self.found.broken:
                catalog.get(name, reason)
        return list(dict.fromkeys(asked))

    def examined(self, name: str, *, one_of_all: bool = False) -> Examined:
        catalog = self.found.scene.catalog
        try:
            definition = catalog.find(name)
        except ProfileError as error:
            wrong = Check("profile", (Fault.told(error, name),))
            return Examined(name, None, (), [self._file(name), wrong, *_skipped("profile")])
        if definition is None:
            return Examined(name, None, (), [self._file(name), *_skipped("file")])
        one = Examined(name, definition, tuple(self._shadowed(definition)), [self._file(name)])
        if one_of_all:
            one.children = self._children(definition)
        if one.children:
            one.checks += _skipped("file")
        else:
            self._look(one)
        return one

    def _file(self, name: str) -> Check:
        faults = (*self.found.faults, *self.env_faults)
        broken = Fault("error", "its files are broken", "dspy-profiles validate", None, name)
        return Check("file", (broken,) if faults else ())

    def _shadowed(self, definition: Definition) -> list[Definition]:
        below = [d for (n, _), d in self.lineage.definitions.items() if n == definition.name]
        return [d for d in below if d.rank > definition.rank and d.document is not None]

    def _children(self, definition: Definition) -> tuple[str, ...]:
        """Those that extend a profile which by itself has no model, as a base of others may."""
        key = (definition.name, definition.rank)
        parents = self.lineage.parents
        children = [name for (name, rank), above in parents.items() if key in above]
        try:
            found = resolve_choice(
                self.found.scene, Choice(definition.name, ""), allow_plaintext=True
            )
        except ProfileError:
            return ()
        whole = "lm" not in found.values or "model" in found.lm or "provider" in found.values
        return () if whole else tuple(dict.fromkeys(children))

    # The steps

    def _look(self, one: Examined) -> None:
        checks = {check.name: check for check in one.checks}
        said = self._profile(one)
        if one.profile is not None:
            fault = self.dspy_fault
            imports = [fault] if fault else _steps.failed_imports(one.profile, said)
            # What could not be found by reading, and cannot be imported either, is told once.
            told = {fault.key for fault in imports}
            said = [fault for fault in said if fault.severity == "error" or fault.key not in told]
            gone = _steps.missing_secrets(one.profile, can_import=not fault)
            checks["secrets"] = Check("secrets", tuple(gone))
            checks["packages"] = Check("packages", tuple(imports))
            checks["cache"] = Check("cache", tuple(_folders.unwritable(one.profile)))
        checks["profile"] = Check("profile", tuple(said))
        if one.profile is not None and all(c.status in PASSED for c in checks.values()):
            one.built, faults = _steps.built(one.profile, self.found.scene)
            checks["build"] = Check("build", tuple(faults))
        one.checks = [checks.get(step) or Check(step, skipped=True) for step in STEPS]

    def _profile(self, one: Examined) -> list[Fault]:
        """What is wrong with what the profile says, as an activation would find it."""
        scene = self.found.scene
        choice = Choice(one.name, "from the command line")
        faults: list[Fault] = []
        try:
            one.profile = resolve_choice(scene, choice)
        except PlaintextSecret as error:
            faults.append(Fault.told(error, one.name))
            one.profile = resolve_choice(scene, choice, allow_plaintext=True)
        except ProfileError as error:
            return [Fault.told(error, one.name)]
        return faults + [
            Fault(f.severity, f.message, f.hint, f.where, one.name, f.key)
            for f in findings(one.profile, scene)
        ]


def _skipped(after: str) -> list[Check]:
    return [Check(step, skipped=True) for step in STEPS[STEPS.index(after) + 1 :]]
