"""From a profile's file to its objects, step by step: what would keep it from being used."""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dspy_profiles import dspy_api, environment, resolver, secrets
from dspy_profiles.catalog import BUILT_IN, Definition
from dspy_profiles.errors import InvalidFile, PlaintextSecret, ProfileError, ProfileNotFound
from dspy_profiles.fetching import fetch, missing
from dspy_profiles.health import folders, packages
from dspy_profiles.health.faults import Fault
from dspy_profiles.health.lineage import Lineage
from dspy_profiles.health.survey import Survey, survey
from dspy_profiles.imports import make_importable
from dspy_profiles.resolved import KeyPath, ResolvedProfile
from dspy_profiles.resolver import Choice

if TYPE_CHECKING:
    from dspy_profiles.build import Built

__all__ = ["STEPS", "Check", "Examination", "Examined", "examine"]

STEPS = ("file", "profile", "secrets", "packages", "build", "cache")
PASSED = ("ok", "warning")
Status = Literal["ok", "warning", "error", "skipped"]
UNSET = ("is not set", "is set, but empty")


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
    asked = walk.names(names, every=every)
    profiles = tuple(walk.examined(name, by_name=bool(names)) for name in asked)
    faults = (*_hidden(found), *found.faults, *found.default, *walk.env_faults)
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
            environment.load_env_files(self.found.scene.env_files)
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
        return packages.dspy_fault()

    def names(self, asked: Sequence[str], *, every: bool) -> list[str]:
        catalog = self.found.scene.catalog
        written = {name for _, doc in catalog.documents for name in doc.data}
        own = [name for name in catalog.names() if name in written] or list(BUILT_IN)
        if every:
            return own
        reason = "from the command line"
        if not asked:
            try:
                choice = resolver.choose(self.found.scene, None)
            except (InvalidFile, ProfileNotFound):
                return own
            asked, reason = [choice.name], choice.reason
        for name in asked:
            # It may stand in the file that cannot be read: then that is what is wrong.
            if name not in catalog.names() and not self.found.broken:
                catalog.get(name, reason)
        return list(dict.fromkeys(asked))

    def examined(self, name: str, *, by_name: bool) -> Examined:
        catalog = self.found.scene.catalog
        try:
            definition = catalog.find(name)
        except ProfileError as error:
            steps = [Check("profile", (Fault.told(error, name),)), *_skipped("profile")]
            return Examined(name, None, (), [self._file(name), *steps])
        if definition is None:
            return Examined(name, None, (), [self._file(name), *_skipped("file")])
        one = Examined(name, definition, tuple(self._shadowed(definition)), [self._file(name)])
        if not by_name:
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
            found = resolver.resolve_in(
                self.found.scene, Choice(definition.name, ""), allow_plaintext=True
            )
        except ProfileError:
            return ()
        whole = "model" in found.lm or "provider" in found.values
        return () if whole else tuple(dict.fromkeys(children))

    # The steps

    def _look(self, one: Examined) -> None:
        checks = {check.name: check for check in one.checks}
        said = self._profile(one)
        if one.profile is not None:
            fault = self.dspy_fault
            imports = [fault] if fault else _imports(one.profile, said)
            # What could not be found by reading, and cannot be imported either, is told once.
            told = {fault.key for fault in imports}
            said = [fault for fault in said if fault.severity == "error" or fault.key not in told]
            checks["secrets"] = Check("secrets", tuple(_secrets(one.profile, can_import=not fault)))
            checks["packages"] = Check("packages", tuple(imports))
            checks["cache"] = Check("cache", tuple(folders.unwritable(one.profile)))
        checks["profile"] = Check("profile", tuple(said))
        if one.profile is not None and all(c.status in PASSED for c in checks.values()):
            checks["build"] = Check("build", tuple(_build(one)))
        one.checks = [checks.get(step) or Check(step, skipped=True) for step in STEPS]

    def _profile(self, one: Examined) -> list[Fault]:
        """What is wrong with what the profile says, as an activation would find it."""
        scene = self.found.scene
        choice = Choice(one.name, "from the command line")
        faults: list[Fault] = []
        try:
            one.profile = resolver.resolve_in(scene, choice)
        except PlaintextSecret as error:
            faults.append(Fault.told(error, one.name))
            one.profile = resolver.resolve_in(scene, choice, allow_plaintext=True)
        except ProfileError as error:
            return [Fault.told(error, one.name)]
        where = scene.locations
        found = dspy_api.check(one.profile, dspy_api.descriptor(), search=(where.cwd, where.root))
        return faults + [
            Fault(f.severity, f.message, f.hint, f.where, one.name, f.key) for f in found
        ]


def _skipped(after: str) -> list[Check]:
    return [Check(step, skipped=True) for step in STEPS[STEPS.index(after) + 1 :]]


def _secrets(profile: ResolvedProfile, *, can_import: bool) -> list[Fault]:
    """Every reference that leads nowhere; those that the provider has no use for do not count."""
    skip: Callable[[KeyPath], bool] | None = None
    if can_import and profile.provider:
        from dspy_profiles.provider_kinds import Provider

        skip = Provider(engine=packages.provider_class(profile)).ignores
    try:
        gone = missing(profile, skip=skip)
    except ProfileError as error:
        return [Fault.told(error, profile.name)]
    found: dict[str, Fault] = {}
    for one in gone:
        hint = "export it, or put it into .env" if one.reason in UNSET else None
        message = f"{one.name} {one.reason}"
        found.setdefault(message, Fault("error", message, hint, one.where, profile.name, one.key))
    return list(found.values())


def _imports(profile: ResolvedProfile, said: Sequence[Fault]) -> list[Fault]:
    """The classes that cannot be imported, but for those of which the file's reader said so."""
    wrong = {fault.key for fault in said if fault.severity == "error"}
    given = [name for name in ("provider", "adapter", "rm") if name in profile.values]
    sections = [name for name in given if (name, "class") not in wrong]
    faults = [packages.import_fault(profile, section) for section in sections]
    return [fault for fault in faults if fault is not None]


def _build(one: Examined) -> list[Fault]:
    """Make every object that the profile describes."""
    profile = one.profile
    assert profile is not None  # noqa: S101 - it is looked at before it is built
    faults = []
    with packages.quiet(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            one.built = _made(profile)
        except ProfileError as error:
            faults.append(Fault.told(error, profile.name))
        except SystemExit as error:
            faults.append(packages.ended(profile, ("provider",), error))
        except Exception as error:  # noqa: BLE001 - somebody's constructor raises what it likes
            faults.append(Fault("error", secrets.retold(error)[0], None, None, profile.name))
    ours = [str(one.message) for one in said if f'profile "{profile.name}"' in str(one.message)]
    alone = f"look at it by itself: dspy-profiles doctor {profile.name}"
    return faults + [Fault("warning", text, alone, None, profile.name) for text in ours]


def _made(profile: ResolvedProfile) -> "Built":
    from dspy_profiles.build import build, build_embedder, build_lm

    variables = fetch(profile, "env").get("env", {})
    environment.set_once(
        profile.name,
        {k: v.reveal() if isinstance(v, secrets.Secret) else v for k, v in variables.items()},
    )
    made = build(profile)
    for role in profile.lms:
        build_lm(profile, role)
    if profile.embedder:
        build_embedder(profile)
    return made
