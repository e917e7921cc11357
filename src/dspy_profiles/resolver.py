"""From a name, or none, to one `ResolvedProfile`. Reads only; imports neither DSPy nor a user's."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from dspy_profiles import locations, secrets, settings
from dspy_profiles.catalog import Catalog, Leaf, Node, merge, node
from dspy_profiles.errors import InvalidProfile, PlaintextSecret, ProfileNotFound, did_you_mean
from dspy_profiles.locations import Locations
from dspy_profiles.resolved import KeyPath, Origin, ResolvedProfile, Source, Table, join_key
from dspy_profiles.sections import SECTIONS, check_shape
from dspy_profiles.settings import Settings

__all__ = ["Choice", "Scene", "choose", "is_forced", "list_profiles", "resolve", "resolve_in"]

NAME_VARIABLE = "DSPY_PROFILE"
FORCE_VARIABLE = "DSPY_PROFILE_FORCE"
OVERRIDE = "override"


@dataclass(frozen=True)
class Scene:
    """What a resolution looks at: paths, suite settings, and the profiles that they lead to."""

    locations: Locations
    settings: Settings
    catalog: Catalog

    @classmethod
    def now(cls, file: Path | None = None) -> "Scene":
        found = locations.current(file=file)
        return cls(found, settings.load(found), Catalog.load(found))

    @property
    def env_files(self) -> tuple[Path, ...]:
        """The `.env` files of this scene, first wins."""
        if self.settings.is_given("env-file"):
            return self.settings.paths("env-file")
        return self.locations.env_files


class Choice(NamedTuple):
    """A name, who gave it, and whether it is only the default (SPEC: level 4)."""

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
    scene = Scene.now(None if file is None else Path(file))
    choice = choose(scene, name)
    return resolve_in(scene, choice, {} if is_forced() else overrides)


def list_profiles(*, file: str | Path | None = None) -> list[str]:
    """The names of all profiles, sorted; the built-in `mock` comes last."""
    return Scene.now(None if file is None else Path(file)).catalog.names()


def is_forced() -> bool:
    """Whether every name is to mean the session's profile (`DSPY_PROFILE_FORCE`)."""
    return os.environ.get(FORCE_VARIABLE, "").lower() not in ("", "0", "false", "no", "off")


def choose(
    scene: Scene,
    name: str | None,
    *,
    named_by: str = "the argument",
    session: str | None = None,
) -> Choice:
    """The first name that is given: named, `DSPY_PROFILE`, setting `default`, "default" itself.

    `session` is the profile that this session is pinned to: what a forced name comes down to.
    """
    choice = _given(scene, name, named_by, session)
    if choice is None:
        raise ProfileNotFound(
            "no profile is named, and none is the default",
            hint=f"name one ({', '.join(scene.catalog.names())}), set {NAME_VARIABLE}, "
            "or call one of your profiles default",
        )
    return choice


def _given(scene: Scene, name: str | None, named_by: str, session: str | None) -> Choice | None:
    in_environment = os.environ.get(NAME_VARIABLE) or None
    if is_forced():
        forced = session or in_environment
        if forced is None:
            raise ProfileNotFound(
                f"{FORCE_VARIABLE} is set, but this session has no profile to force",
                hint=f"set {NAME_VARIABLE} as well",
            )
        return Choice(forced, f"from {FORCE_VARIABLE}")
    if name is not None:
        return Choice(name, f"from {named_by}")
    if in_environment is not None:
        return Choice(in_environment, f"from {NAME_VARIABLE}")
    default = scene.settings.text("default")
    if default:
        origin = scene.settings.values["default"].origin
        return Choice(default, f"from the setting default, {origin}", is_default=True)
    if scene.catalog.find("default") is not None:
        return Choice("default", 'the profile called "default"', is_default=True)
    return None


def resolve_in(
    scene: Scene,
    choice: Choice,
    overrides: Mapping[str, Any] | None = None,
    *,
    allow_plaintext: bool = False,
) -> ResolvedProfile:
    """Work out one profile; with `allow_plaintext` a secret in clear is masked, not refused."""
    top = scene.catalog.get(choice.name, choice.reason)
    tree, parents = scene.catalog.effective(top)
    if overrides:
        tree = merge(tree, _overrides(choice.name, overrides))
    marks = _Marks(choice.name, _names(scene), allow_plaintext)
    values = marks.freeze(tree)
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
    marks = _Marks(profile.name, _names(Scene.now()), allow_plaintext=True)
    marks.secret_keys |= profile.secret_keys
    values = marks.freeze(merge(_tree(profile), _overrides(profile.name, overrides)))
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


def _names(scene: Scene) -> secrets.Names:
    config = scene.settings
    return secrets.Names.extended(config.texts("secret-keys"), config.texts("not-secret"))


def _overrides(profile: str, overrides: Mapping[str, Any]) -> Node:
    for section, value in overrides.items():
        if section not in SECTIONS and not did_you_mean(section, SECTIONS):
            raise InvalidProfile(
                f'"{section}" is not a section of a profile',
                hint=f"overrides are sections: lm={{{section!r}: …}}, settings={{{section!r}: …}}",
            )
        check_shape(profile, section, value, lambda _: OVERRIDE)
        if section == "extends":
            raise InvalidProfile("extends cannot be overridden; it belongs into a profiles file")
    return node(overrides, Source(OVERRIDE, profile))


@dataclass
class _Marks:
    """The way from a tree to frozen values: what refers to something is marked on it.

    A secret in clear stops the way, or is masked where that is allowed.
    """

    profile: str
    names: secrets.Names
    allow_plaintext: bool
    sources: dict[KeyPath, Source | Origin] = field(default_factory=dict)
    secret_keys: set[KeyPath] = field(default_factory=set)

    def freeze(self, tree: Node, path: KeyPath = ()) -> Table:
        values: dict[str, Any] = {}
        for key, found in tree.items():
            here = (*path, key)
            if isinstance(found, Leaf):
                self.sources[here] = found.source
                values[key] = self._value(here, found.value, found.source)
            else:
                values[key] = self.freeze(found, here)
        return Table(values)

    def _value(self, path: KeyPath, value: object, source: Source | Origin) -> object:
        if isinstance(value, Mapping):
            return Table.of(value)
        if isinstance(value, list):
            return [self._value(path, item, source) for item in value]
        if not isinstance(value, str) or isinstance(value, secrets.Reference):
            return value
        try:
            refers = secrets.has_reference(value, _schemes(value))
        except InvalidProfile as error:
            message = f"{join_key(path)} of {self.profile} holds {error.message}"
            raise InvalidProfile(message, error.hint, source.origin().place) from None
        named = self._is_named(path)
        if named and any(map(secrets.is_plaintext, secrets.in_clear(value, refers=refers))):
            return self._in_clear(path, value, source)
        if not refers:
            return value
        if named or secrets.leads_to_secret(value, self.names):
            self.secret_keys.add(path)
        return secrets.Reference(value)

    def _is_named(self, path: KeyPath) -> bool:
        """Whether the key's name, or that of a table around it, says that it is a secret."""
        own = path[2:] if path[0] == "lms" else path[1:]
        return any(map(self.names.is_secret, own))

    def _in_clear(self, path: KeyPath, value: str, source: Source | Origin) -> object:
        # Somebody's code may hand over a secret that it has; a file must not hold one.
        if source.layer == OVERRIDE or self.allow_plaintext:
            secrets.remember(value, secrets.MASK)
            self.secret_keys.add(path)
            return secrets.Secret(value, "in clear")
        raise PlaintextSecret(
            f'{join_key(path)} of "{self.profile}" is a secret in clear',
            hint="put it into .env and write a reference, as in "
            f'{join_key(path[-1:])} = "${{{_variable_name(path)}}}"; if it is no secret, '
            "add its key to not-secret in [tool.dspy-profiles]",
            where=source.origin().place,
        )


def _variable_name(path: KeyPath) -> str:
    key = "".join(c if c.isalnum() and c.isascii() else "_" for c in path[-1].upper())
    return key if "_" in key else f"MY_{key}"


def _schemes(text: str) -> Mapping[str, object]:
    match = secrets.SCHEME.fullmatch(text)
    if match is None or match[1] in secrets.BUILT_IN_SCHEMES:
        return secrets.BUILT_IN_SCHEMES
    from dspy_profiles import plugins  # only for a text that a plugin may know

    return plugins.secret_schemes()
