"""Freeze a tree of values, and mark its references and secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import InvalidProfile, Place, PlaintextSecret
from dspy_profiles.profiles._catalog import MAX_DEPTH, Leaf, Node
from dspy_profiles.profiles._profile import OVERRIDE_LAYER, Items, Origin, Source, Table
from dspy_profiles.secrets import (
    BUILT_IN_SCHEMES,
    MASK,
    SCHEME,
    SHORTEST_MASKED,
    Names,
    Reference,
    Secret,
    has_reference,
    is_plaintext,
    names_secret,
    plaintext_in,
    remember,
)

__all__ = ["Freezer"]


@dataclass
class Freezer:
    """Freezes a tree of values, and marks references and secrets in it.

    A plaintext secret is an error, or is masked if `allow_plaintext`. `check` raises errors at the
    end: the frames of an earlier one would hold the secret.
    """

    profile: str
    names: Names
    allow_plaintext: bool
    sources: dict[KeyPath, Source | Origin] = field(default_factory=dict)
    secret_keys: set[KeyPath] = field(default_factory=set)
    errors: list[InvalidProfile] = field(default_factory=list)
    plaintext: dict[KeyPath, Place | str] = field(default_factory=dict)

    def check(self) -> None:
        if self.errors:
            raise self.errors[0]
        if self.plaintext:
            raise _error(self.profile, self.plaintext)

    def freeze(self, tree: Node, path: KeyPath = ()) -> Table:
        values: dict[str, Any] = {}
        for key, node in tree.items():
            here = (*path, key)
            if isinstance(node, Leaf):
                self.sources[here] = node.source
                values[key] = self._value(here, node.value, node.source)
            else:
                values[key] = self.freeze(node, here)
        return Table(values)

    def _value(
        self, path: KeyPath, value: object, source: Source | Origin, deep: int = 0
    ) -> object:
        if len(path) + deep > MAX_DEPTH:
            self._add_error(path, "is nested too deeply", None, source)
        elif isinstance(value, Mapping):  # a table in a list; `freeze` handles others
            inner = {k: self._value((*path, k), v, source, deep + 1) for k, v in value.items()}
            return Table(inner)
        elif isinstance(value, list | tuple):
            items = Items(self._value(path, item, source, deep + 1) for item in value)
            is_same = isinstance(value, tuple) and all(map(is_, items, value))
            return value if is_same else items
        elif isinstance(value, Secret):
            self.secret_keys.add(path)
        elif isinstance(value, str) and path[0] != "description":  # a description is plain text
            return self._text(path, value, source)
        elif type(value) is int and self._is_secret(path):
            return self._plaintext(path, str(value), source)
        return value

    def _text(self, path: KeyPath, value: str, source: Source | Origin) -> object:
        try:
            refers = has_reference(value, _schemes(value))
        except InvalidProfile as error:
            self._add_error(path, error.message, error.hint, source)
            return MASK
        is_secret = self._is_secret(path)
        if is_secret and any(map(is_plaintext, plaintext_in(value, refers=refers))):
            return self._plaintext(path, value, source, refers=refers)
        if not refers:
            return value
        if is_secret or names_secret(value, self.names):
            self.secret_keys.add(path)
        return Reference(value)

    def _add_error(
        self, path: KeyPath, problem: str, hint: str | None, source: Source | Origin
    ) -> None:
        place = source.origin().place
        self.errors.append(
            InvalidProfile(f'profile "{self.profile}": {join_key(path)} {problem}', hint, place)
        )

    def _is_secret(self, path: KeyPath) -> bool:
        """Return whether the name of the key, or of a table around it, is that of a secret."""
        own = path[2:] if path[0] == "lms" else path[1:]
        return any(map(self.names.is_secret, own))

    def _plaintext(
        self, path: KeyPath, value: str, source: Source | Origin, *, refers: bool = False
    ) -> object:
        # Code may pass a secret as an override; a file must not hold one. A fallback would be shown
        # with its reference.
        if source.layer == OVERRIDE_LAYER or len(value) >= SHORTEST_MASKED or not value.isalpha():
            remember(value, MASK)  # a plain word would be masked in our own messages as well
        if not self.allow_plaintext and (refers or source.layer != OVERRIDE_LAYER):
            self.plaintext[path] = source.origin().place
        self.secret_keys.add(path)
        return Secret(value, "plaintext")


def _error(profile: str, plaintext: Mapping[KeyPath, Place | str]) -> PlaintextSecret:
    (path, place), *others = plaintext.items()
    name = join_key(path[-1:])
    reference = f'write a reference, as in {name} = "${{{_variable_name(path)}}}"'
    fix = "run dspy-profiles secrets move" if isinstance(place, Place) else reference
    hint = f"{fix}, or add {name} to not-secret"
    message = f'profile "{profile}": {join_key(path)} is a plaintext secret'
    also = "".join(f"\n  and {join_key(key)} at {where}" for key, where in others)
    return PlaintextSecret(message + also, hint, place)


def _variable_name(path: KeyPath) -> str:
    key = "".join(c if c.isalnum() and c.isascii() else "_" for c in path[-1].upper())
    return key if "_" in key else f"MY_{key}"


def _schemes(text: str) -> Mapping[str, object]:
    match = SCHEME.fullmatch(text) if ":" in text else None
    if match is None or match[1] in BUILT_IN_SCHEMES:
        return BUILT_IN_SCHEMES
    from dspy_profiles import plugins  # only for schemes of plugins

    return plugins.secret_schemes()
