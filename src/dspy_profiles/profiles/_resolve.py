"""From a name, or none, to one `ResolvedProfile`. Reads only; imports neither DSPy nor a user's."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from dspy_profiles.config import KeyPath, Locations, Settings, load_settings, locate
from dspy_profiles.errors import InvalidProfile, ProfileNotFound, did_you_mean
from dspy_profiles.profiles._catalog import Catalog, Leaf, Node, merge, sections
from dspy_profiles.profiles._freeze import Freezer
from dspy_profiles.profiles._profile import OVERRIDE, ResolvedProfile, Source
from dspy_profiles.profiles._sections import SECTIONS, check_shape
from dspy_profiles.secrets import Names, value_in

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
    "overridden",
    "resolve",
    "resolve_choice",
]

NAME_VARIABLE = "DSPY_PROFILE"
FORCE_VARIABLE = "DSPY_PROFILE_FORCE"


@dataclass(frozen=True)
class Scene:
    """What a resolution looks at: paths, suite settings, and the profiles that they lead to."""

    locations: Locations
    settings: Settings
    catalog: Catalog

    @classmethod
    def now(cls, file: Path | None = None) -> "Scene":
        found = locate(file=file)
        return cls(found, load_settings(found), Catalog.load(found))

    @property
    def env_files(self) -> tuple[Path, ...]:
        """The `.env` files of this scene, first wins."""
        if self.settings.is_given("env-file"):
            return self.settings.paths("env-file")
        return self.locations.env_files

    @property
    def names(self) -> Names:
        """Which keys hold secrets here."""
        return self.settings.secret_names


class Choice(NamedTuple):
    """A name, who gave it, and whether it is only the default."""

    name: str
    reason: str
    is_default: bool = False


def resolve(
    name: str | None = None, *, file: str | Path | None = None, **overrides: Mapping[str, Any]
) -> ResolvedProfile:
    """The profile of that name, or the one that applies where none is given.

    `file` names one profiles file to read in place of all others. Overrides are sections:
    `resolve("prod", lm={"temperature": 0})`.
    """
    overrides = Overrides(overrides)
    scene = Scene.now(None if file is None else Path(file))
    choice = choose(scene, name)
    return resolve_choice(scene, choice, {} if is_forced() else overrides)


def list_profiles(*, file: str | Path | None = None) -> list[str]:
    """The names of all profiles, sorted; the built-in `mock` comes last."""
    return Scene.now(None if file is None else Path(file)).catalog.names()


# Short names of providers that ask nobody, and so need no key.
OFFLINE = frozenset({"mock", "replay"})


def is_offline(profile: ResolvedProfile) -> bool:
    """Whether a profile asks nobody, as far as its provider says."""
    return profile.provider.get("class") in OFFLINE


def is_forced() -> bool:
    """Whether every name is to mean the session's profile (`DSPY_PROFILE_FORCE`)."""
    return os.environ.get(FORCE_VARIABLE, "").lower() not in ("", "0", "false", "no", "off")


def choose(scene: Scene, name: str | None) -> Choice:
    """The first name that is given: named, `DSPY_PROFILE`, setting `default`, "default" itself."""
    check_name(name)
    choice = _given(scene, name)
    if choice is None:
        raise ProfileNotFound(
            "no profile is named, and none is the default",
            hint=f"name one ({', '.join(scene.catalog.names())}), set {NAME_VARIABLE}, "
            "or call one of your profiles default",
        )
    return choice


def check_name(name: object) -> None:
    """Refuse what cannot be the name of a profile."""
    if name is not None and not isinstance(name, str):
        raise InvalidProfile(
            f"a profile is named by a string, not by {type(name).__name__}",
            hint="a file is named by file=…" if isinstance(name, Path) else None,
        )


def _given(scene: Scene, name: str | None) -> Choice | None:
    if is_forced():
        forced = os.environ.get(NAME_VARIABLE)
        if not forced:
            raise ProfileNotFound(
                f"{FORCE_VARIABLE} is set, but this session has no profile to force",
                hint=f"set {NAME_VARIABLE} as well",
            )
        return Choice(forced, f"from {FORCE_VARIABLE}")
    if name is not None:
        return Choice(name, "from the argument")
    if in_environment := os.environ.get(NAME_VARIABLE):
        return Choice(in_environment, f"from {NAME_VARIABLE}")
    if in_file := value_in(NAME_VARIABLE, scene.env_files):
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
    """Work out one profile; with `allow_plaintext` a secret in clear is masked, not refused."""
    overrides = Overrides(overrides or {})
    top = scene.catalog.get(choice.name, choice.reason)
    tree, parents = scene.catalog.effective(top)
    if overrides:
        tree = merge(tree, _overrides(choice.name, overrides))
    marks = Freezer(choice.name, scene.names, allow_plaintext)
    values = marks.freeze(tree)
    marks.check()
    sources = marks.sources
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
        frozenset(marks.secret_keys),
        sources,
    )


def overridden(profile: ResolvedProfile, overrides: Mapping[str, Any]) -> ResolvedProfile:
    """A resolved profile with further overrides on top."""
    overrides = Overrides(overrides)
    marks = Freezer(profile.name, Scene.now().names, allow_plaintext=False)
    marks.secret_keys |= profile.secret_keys
    values = marks.freeze(merge(_tree(profile), _overrides(profile.name, overrides)))
    marks.check()
    keys = frozenset(marks.secret_keys)
    return replace(profile, values=values, secret_keys=keys, sources=marks.sources)


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
    """Overrides, of which an error's frames show the sections and not what is in them."""

    def __repr__(self) -> str:
        return f"<overrides of {', '.join(map(str, self)) or 'nothing'}>"


def check_overrides(overrides: Mapping[str, Any], profile: str = "") -> None:
    """Whether these are sections, of the shape that sections have."""
    overrides = Overrides(overrides)
    for section in overrides:
        if section not in SECTIONS and not did_you_mean(section, SECTIONS):
            hint = f"overrides are sections: lm={{{section!r}: …}}, settings={{{section!r}: …}}"
            if isinstance(overrides[section], Mapping):  # meant as a section
                hint = f"sections are {', '.join(s for s in SECTIONS if s != 'extends')}"
            raise InvalidProfile(f'"{section}" is not a section of a profile', hint=hint)
        if section == "extends":
            raise InvalidProfile("extends cannot be overridden; it belongs in a profiles file")
        if section in ("lm", "rm", "adapter") and not isinstance(overrides[section], Mapping):
            raise InvalidProfile(
                f"{_of(section, profile)} has to be a table, not "
                f"{type(overrides[section]).__name__}",
                hint=f"write {section}={{…}} with the arguments; "
                f"an object goes by dspy.context({section}=…)",
                where=OVERRIDE,
            )
        check_shape(profile, section, overrides[section], lambda _: OVERRIDE)


def _of(section: str, profile: str) -> str:
    return f'{section} of profile "{profile}"' if profile else section


def _overrides(profile: str, overrides: Mapping[str, Any]) -> Node:
    check_overrides(overrides, profile)
    return sections(overrides, Source(OVERRIDE, profile))
