"""From a tree of values to frozen ones: what refers to something is marked on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import InvalidProfile, Place, PlaintextSecret
from dspy_profiles.profiles._catalog import DEEPEST, Leaf, Node
from dspy_profiles.profiles._profile import OVERRIDE, Items, Origin, Source, Table
from dspy_profiles.secrets import (
    BUILT_IN_SCHEMES,
    LEAST,
    MASK,
    SCHEME,
    Names,
    Reference,
    Secret,
    has_reference,
    is_plaintext,
    leads_to_secret,
    plaintext_in,
    remember,
)

__all__ = ["Freezer"]


@dataclass
class Freezer:
    """The way from a tree to frozen values: what refers to something is marked on it.

    A secret in clear is a fault, or is masked where that is allowed. Faults are raised at the end,
    by `check`: an error from within would have frames that hold what it is about.
    """

    profile: str
    names: Names
    allow_plaintext: bool
    sources: dict[KeyPath, Source | Origin] = field(default_factory=dict)
    secret_keys: set[KeyPath] = field(default_factory=set)
    faults: list[InvalidProfile] = field(default_factory=list)
    in_clear: dict[KeyPath, Place | str] = field(default_factory=dict)

    def check(self) -> None:
        if self.faults:
            raise self.faults[0]
        if self.in_clear:
            raise _told(self.profile, self.in_clear)

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

    def _value(
        self, path: KeyPath, value: object, source: Source | Origin, deep: int = 0
    ) -> object:
        if len(path) + deep > DEEPEST:
            self._fault(path, "is nested too deep", None, source)
        elif isinstance(value, Mapping):  # one in a list; others have been walked through
            inner = {k: self._value((*path, k), v, source, deep + 1) for k, v in value.items()}
            return Table(inner)
        elif isinstance(value, list | tuple):
            items = Items(self._value(path, item, source, deep + 1) for item in value)
            as_it_was = isinstance(value, tuple) and all(map(is_, items, value))
            return value if as_it_was else items
        elif isinstance(value, Secret):
            self.secret_keys.add(path)
        elif isinstance(value, str) and path[0] != "description":  # which is for people
            return self._text(path, value, source)
        elif type(value) is int and self._is_named(path):
            return self._in_clear(path, str(value), source)
        return value

    def _text(self, path: KeyPath, value: str, source: Source | Origin) -> object:
        try:
            refers = has_reference(value, _schemes(value))
        except InvalidProfile as error:
            self._fault(path, f"holds {error.message}", error.hint, source)
            return MASK
        named = self._is_named(path)
        if named and any(map(is_plaintext, plaintext_in(value, refers=refers))):
            return self._in_clear(path, value, source, refers=refers)
        if not refers:
            return value
        if named or leads_to_secret(value, self.names):
            self.secret_keys.add(path)
        return Reference(value)

    def _fault(self, path: KeyPath, what: str, hint: str | None, source: Source | Origin) -> None:
        place = source.origin().place
        self.faults.append(
            InvalidProfile(f'{join_key(path)} of "{self.profile}" {what}', hint, place)
        )

    def _is_named(self, path: KeyPath) -> bool:
        """Whether the key's name, or that of a table around it, says that it is a secret."""
        own = path[2:] if path[0] == "lms" else path[1:]
        return any(map(self.names.is_secret, own))

    def _in_clear(
        self, path: KeyPath, value: str, source: Source | Origin, *, refers: bool = False
    ) -> object:
        # Somebody's code may hand over a secret that it has; a file must not hold one. As a
        # fallback it would stand in the reference, which is shown.
        if source.layer == OVERRIDE or len(value) >= LEAST or not value.isalpha():
            remember(value, MASK)  # a plain word would be masked in our own sentences as well
        if not self.allow_plaintext and (refers or source.layer != OVERRIDE):
            self.in_clear[path] = source.origin().place
        self.secret_keys.add(path)
        return Secret(value, "in clear")


def _told(profile: str, in_clear: Mapping[KeyPath, Place | str]) -> PlaintextSecret:
    (path, place), *others = in_clear.items()
    hint = (
        "put it into .env and write a reference, as in "
        f'{join_key(path[-1:])} = "${{{_variable_name(path)}}}" '
        "(of one that stands in a file, dspy-profiles secrets move does both); if it is no secret, "
        "add its key to not-secret in [tool.dspy-profiles]"
    )
    message = f'{join_key(path)} of "{profile}" is a secret in clear'
    also = "".join(f"\n  and {join_key(key)} at {where}" for key, where in others)
    return PlaintextSecret(message + also, hint, place)


def _variable_name(path: KeyPath) -> str:
    key = "".join(c if c.isalnum() and c.isascii() else "_" for c in path[-1].upper())
    return key if "_" in key else f"MY_{key}"


def _schemes(text: str) -> Mapping[str, object]:
    match = SCHEME.fullmatch(text)
    if match is None or match[1] in BUILT_IN_SCHEMES:
        return BUILT_IN_SCHEMES
    from dspy_profiles import plugins  # only for a text that a plugin may know

    return plugins.secret_schemes()
