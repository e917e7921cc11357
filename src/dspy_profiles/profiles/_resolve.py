"""Resolve a profile by name, or the active one. Imports neither DSPy nor user code."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from dspy_profiles.config import (
    KeyPath,
    Locations,
    Settings,
    env_files,
    load_env,
    load_settings,
    locate,
    untrusted_files,
)
from dspy_profiles.errors import InvalidProfile, ProfileNotFound, did_you_mean
from dspy_profiles.profiles._catalog import Catalog, Leaf, Node, merge, sections
from dspy_profiles.profiles._freeze import Freezer
from dspy_profiles.profiles._profile import OVERRIDE_LAYER, ResolvedProfile, Source
from dspy_profiles.profiles._sections import SECTIONS, check_shape
from dspy_profiles.secrets import Names, value_in_files

__all__ = [
    "FORCE_VARIABLE",
    "NAME_VARIABLE",
    "Choice",
    "Overrides",
    "Scene",
    "check_name",
    "check_overrides",
    "choose",
    "is_forced",
    "is_offline",
    "list_profiles",
    "override",
    "resolve",
    "resolve_choice",
]

NAME_VARIABLE = "DSPY_PROFILE"
FORCE_VARIABLE = "DSPY_PROFILE_FORCE"


@dataclass(frozen=True)
class Scene:
    """The input of a resolution: locations, settings, and the profiles defined there."""

    locations: Locations
    settings: Settings
    catalog: Catalog

    @classmethod
    def now(cls, file: Path | None = None) -> "Scene":
        locations = locate(file=file)
        return cls(locations, load_settings(locations), Catalog.load(locations))

    @property
    def env_files(self) -> tuple[Path, ...]:
        """The `.env` files; the first that has a name wins."""
        return env_files(self.locations, self.settings)

    def load_env(self, held: list[str] | None = None) -> None:
        """Set the variables of the `.env` files in this process, except those it holds back."""
        load_env(self.locations, self.settings, held)

    @cached_property
    def untrusted(self) -> frozenset[Path]:
        """The project's files in which something acts that nobody has trusted."""
        return frozenset(untrusted_files(self.locations))

    @property
    def names(self) -> Names:
        """The names of keys that hold secrets."""
        return self.settings.secret_names


class Choice(NamedTuple):
    """The chosen profile's name, the reason, and whether it is only the default."""

    name: str
    reason: str
    is_default: bool = False


def resolve(
    name: str | None = None, *, file: str | Path | None = None, **overrides: Mapping[str, Any]
) -> ResolvedProfile:
    """Return a profile with its effective values; without a name, the active one.

    Reads files only: imports neither DSPy nor user code, and fetches no secret. `file` replaces the
    user and project files. Overrides are sections: `resolve("prod", lm={"temperature": 0})`.
    """
    overrides = Overrides(overrides)
    scene = Scene.now(None if file is None else Path(file))
    choice = choose(scene, name)
    return resolve_choice(scene, choice, {} if is_forced() else overrides)


def list_profiles(*, file: str | Path | None = None) -> list[str]:
    """Return the names of all profiles, sorted; the built-in `mock` comes last."""
    return Scene.now(None if file is None else Path(file)).catalog.names()


# Short names of providers that make no live calls and need no key.
OFFLINE = frozenset({"mock", "replay"})


def is_offline(profile: ResolvedProfile) -> bool:
    """Return whether a profile makes no live calls, judging by its provider's name."""
    return profile.provider.get("class") in OFFLINE


def is_forced() -> bool:
    """Return whether `DSPY_PROFILE_FORCE` makes every name mean the session's profile."""
    return os.environ.get(FORCE_VARIABLE, "").lower() not in ("", "0", "false", "no", "off")


def choose(scene: Scene, name: str | None) -> Choice:
    """Choose a profile: `name`, `DSPY_PROFILE`, the setting `default`, or profile "default"."""
    check_name(name)
    choice = _first_choice(scene, name)
    if choice is None:
        raise ProfileNotFound(
            "no profile named and no default",
            hint=f"name a profile ({', '.join(scene.catalog.names())}), set {NAME_VARIABLE}, "
            "or run dspy-profiles use NAME",
        )
    return choice


def check_name(name: object) -> None:
    """Raise InvalidProfile if the name is not a string."""
    if name is not None and not isinstance(name, str):
        raise InvalidProfile(
            f"the name of a profile must be a string, not {type(name).__name__}",
            hint="pass a file as file=…" if isinstance(name, Path) else None,
        )


def _first_choice(scene: Scene, name: str | None) -> Choice | None:
    if is_forced():
        forced = os.environ.get(NAME_VARIABLE)
        if not forced:
            raise ProfileNotFound(
                f"{FORCE_VARIABLE} is set, but {NAME_VARIABLE} is not",
                hint=f"set {NAME_VARIABLE}",
            )
        return Choice(forced, f"from {FORCE_VARIABLE}")
    if name is not None:
        return Choice(name, "from the argument")
    if in_environment := os.environ.get(NAME_VARIABLE):
        return Choice(in_environment, f"from {NAME_VARIABLE}")
    if in_file := value_in_files(NAME_VARIABLE, scene.env_files):
        return Choice(in_file, f"from {NAME_VARIABLE} in .env")
    default = scene.settings.text("default")
    if default:
        origin = scene.settings.values["default"].origin
        return Choice(default, f"from the setting default, {origin}", is_default=True)
    if scene.catalog.find("default") is not None:
        return Choice("default", 'the profile called "default"', is_default=True)
    return None


def resolve_choice(
    scene: Scene,
    choice: Choice,
    overrides: Mapping[str, Any] | None = None,
    *,
    allow_plaintext: bool = False,
) -> ResolvedProfile:
    """Resolve the chosen profile; `allow_plaintext` masks plaintext secrets instead of raising."""
    overrides = Overrides(overrides or {})
    top = scene.catalog.get(choice.name, choice.reason)
    tree, parents = scene.catalog.effective(top)
    if overrides:
        tree = merge(tree, _overrides(choice.name, overrides))
    freezer = Freezer(choice.name, scene.names, allow_plaintext)
    values = freezer.freeze(tree)
    freezer.check()
    sources = freezer.sources
    files = dict.fromkeys(
        s.document.path for s in sources.values() if isinstance(s, Source) and s.document
    )
    if top.document is not None:
        files = dict.fromkeys((top.document.path, *files))
    return ResolvedProfile(
        choice.name,
        values,
        choice.reason,
        parents,
        tuple(files),
        frozenset(freezer.secret_keys),
        sources,
    )


def override(profile: ResolvedProfile, overrides: Mapping[str, Any]) -> ResolvedProfile:
    """Return a resolved profile with more overrides."""
    overrides = Overrides(overrides)
    freezer = Freezer(profile.name, Scene.now().names, allow_plaintext=False)
    freezer.secret_keys |= profile.secret_keys
    values = freezer.freeze(merge(_tree(profile), _overrides(profile.name, overrides)))
    freezer.check()
    keys = frozenset(freezer.secret_keys)
    return replace(profile, values=values, secret_keys=keys, sources=freezer.sources)


def _tree(profile: ResolvedProfile) -> Node:
    def walk(table: Mapping[str, Any], path: KeyPath) -> Node:
        out: Node = {}
        for key, value in table.items():
            here = (*path, key)
            deeper = isinstance(value, Mapping) and value
            out[key] = walk(value, here) if deeper else Leaf(value, profile.sources[here])
        return out

    return walk(profile.values, ())


class Overrides(dict[str, Any]):
    """Overrides whose repr, which an error's frames may show, has no values."""

    def __repr__(self) -> str:
        return f"<overrides of {', '.join(map(str, self)) or 'nothing'}>"


def check_overrides(overrides: Mapping[str, Any], profile: str = "") -> None:
    """Raise InvalidProfile unless these are sections of the right shape."""
    overrides = Overrides(overrides)
    for section in overrides:
        if section not in SECTIONS and not did_you_mean(section, SECTIONS):
            hint = f"overrides are sections: lm={{{section!r}: …}}, settings={{{section!r}: …}}"
            if isinstance(overrides[section], Mapping):  # probably meant as a section
                hint = f"sections: {', '.join(s for s in SECTIONS if s != 'extends')}"
            raise InvalidProfile(f'"{section}" is not a section of a profile', hint=hint)
        if section == "extends":
            raise InvalidProfile("extends cannot be overridden", "set it in a profiles file")
        if section in ("lm", "rm", "adapter") and not isinstance(overrides[section], Mapping):
            raise InvalidProfile(
                f"{_of(section, profile)} must be a table, not {type(overrides[section]).__name__}",
                hint=f"write {section}={{…}} with its arguments, "
                f"or pass an object to dspy.context({section}=…)",
                where=OVERRIDE_LAYER,
            )
        check_shape(profile, section, overrides[section], lambda _: OVERRIDE_LAYER)


def _of(section: str, profile: str) -> str:
    return f'profile "{profile}": {section}' if profile else section


def _overrides(profile: str, overrides: Mapping[str, Any]) -> Node:
    check_overrides(overrides, profile)
    return sections(overrides, Source(OVERRIDE_LAYER, profile))
