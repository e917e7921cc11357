"""Freeze a tree of values, and mark its references and secrets."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import InvalidProfile, Place, PlaintextSecret, ProfileWarning
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
    literal_passwords,
    names_secret,
    plaintext_in,
    refers_to_password,
    remember,
)

__all__ = ["NEXT_RELEASE", "Freezer", "tolerated_plaintext"]

NEXT_RELEASE = "the next release refuses it"

# Plaintext that was warned about: each place once per process.
_reported: set[tuple[KeyPath, Place | str]] = set()


@dataclass
class Freezer:
    """Freezes a tree of values, and marks references and secrets in it.

    A plaintext secret is an error, or a warning under a name that is new in this release. It is
    only masked if `allow_plaintext`. `check` raises errors at the end: the frames of an earlier one
    would hold the secret.
    """

    profile: str
    names: Names
    allow_plaintext: bool
    sources: dict[KeyPath, Source | Origin] = field(default_factory=dict)
    secret_keys: set[KeyPath] = field(default_factory=set)
    errors: list[InvalidProfile] = field(default_factory=list)
    plaintext: dict[KeyPath, Place | str] = field(default_factory=dict)
    tolerated: dict[KeyPath, Place | str] = field(default_factory=dict)  # plaintext, too

    def check(self) -> None:
        """Raise the first error. Warn, once per process and place, about plaintext that is not."""
        if self.errors:
            raise self.errors[0]
        if self.plaintext:
            raise _error(self.profile, self.plaintext)
        for path, place in self.tolerated.items():
            if (path, place) not in _reported:
                _reported.add((path, place))
                message, hint = tolerated_plaintext(self.profile, path, place)
                text = f"{message}\n  at {place}\n  hint: {hint}"
                warnings.warn(text, ProfileWarning, stacklevel=4)

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
        elif type(value) is int and self._is_secret(path, str(value)):
            is_refused = self._is_refused(path)
            return self._plaintext(path, str(value), source, is_refused=is_refused)
        return value

    def _text(self, path: KeyPath, value: str, source: Source | Origin) -> object:
        try:
            refers = has_reference(value, _schemes(value))
        except InvalidProfile as error:
            self._add_error(path, error.message, error.hint, source)
            return MASK
        is_secret = self._is_secret(path, value)
        passwords = [] if self.names.is_exempt(path[-1]) else literal_passwords(value)
        literals = plaintext_in(value, refers=refers) if is_secret else []
        if any(map(is_plaintext, (*passwords, *literals))):
            for text in (*passwords, *literals):
                self._remember(text, source)
            is_refused = any(map(is_plaintext, passwords)) or self._is_refused(path)
            return self._plaintext(path, value, source, refers=refers, is_refused=is_refused)
        if not refers:
            return value
        if is_secret or refers_to_password(value) or names_secret(value, self.names):
            self.secret_keys.add(path)
        return Reference(value)

    def _add_error(
        self, path: KeyPath, problem: str, hint: str | None, source: Source | Origin
    ) -> None:
        place = source.origin().place
        self.errors.append(
            InvalidProfile(f'profile "{self.profile}": {join_key(path)} {problem}', hint, place)
        )

    def _is_secret(self, path: KeyPath, value: str) -> bool:
        """Return whether the name of the key, or of a table around it, is that of a secret."""
        return any(self.names.is_secret(name, value) for name in _own_names(path))

    def _is_refused(self, path: KeyPath) -> bool:
        return any(map(self.names.is_refused, _own_names(path)))

    def _remember(self, text: str, source: Source | Origin) -> None:
        """Mask plaintext; a plain word of a file would be masked in our own messages as well."""
        if source.layer == OVERRIDE_LAYER or len(text) >= SHORTEST_MASKED or not text.isalpha():
            remember(text, MASK)

    def _plaintext(
        self,
        path: KeyPath,
        value: str,
        source: Source | Origin,
        *,
        refers: bool = False,
        is_refused: bool,
    ) -> object:
        self._remember(value, source)
        # Code may pass a secret as an override; a file must not hold one. A fallback would be shown
        # with its reference.
        if not self.allow_plaintext and (refers or source.layer != OVERRIDE_LAYER):
            found = self.plaintext if is_refused else self.tolerated
            found[path] = source.origin().place
        self.secret_keys.add(path)
        return Reference(value) if refers and not is_refused else Secret(value, "plaintext")


def _own_names(path: KeyPath) -> KeyPath:
    """Return the names that can be those of secrets: not a section's, and not a role's."""
    return path[2:] if path[0] == "lms" else path[1:]


def _error(profile: str, plaintext: Mapping[KeyPath, Place | str]) -> PlaintextSecret:
    (path, place), *others = plaintext.items()
    message = f'profile "{profile}": {join_key(path)} is a plaintext secret'
    also = "".join(f"\n  and {join_key(key)} at {where}" for key, where in others)
    return PlaintextSecret(message + also, _hint(path, place), place)


def tolerated_plaintext(profile: str, path: KeyPath, place: Place | str | None) -> tuple[str, str]:
    """Return a warning about plaintext that the next release refuses, and its hint."""
    message = f'profile "{profile}": {join_key(path)} is a plaintext secret'
    return f"{message}; {NEXT_RELEASE}", _hint(path, place)


def _hint(path: KeyPath, place: Place | str | None) -> str:
    name = join_key(path[-1:])
    reference = f'write a reference, as in {name} = "${{{_variable_name(path)}}}"'
    fix = "run dspy-profiles secrets move" if isinstance(place, Place) else reference
    return f"{fix}, or add {name} to not-secret"


def _variable_name(path: KeyPath) -> str:
    key = "".join(c if c.isalnum() and c.isascii() else "_" for c in path[-1].upper())
    return key if "_" in key else f"MY_{key}"


def _schemes(text: str) -> Mapping[str, object]:
    match = SCHEME.fullmatch(text) if ":" in text else None
    if match is None or match[1] in BUILT_IN_SCHEMES:
        return BUILT_IN_SCHEMES
    from dspy_profiles import plugins  # only for schemes of plugins

    return plugins.secret_schemes()
