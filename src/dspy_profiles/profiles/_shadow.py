"""Tell once that a project's profile replaces yours, and sends its secrets elsewhere."""

import warnings
from typing import NamedTuple

from dspy_profiles.config import action_of
from dspy_profiles.errors import Place, ProfileError, ProfileWarning
from dspy_profiles.profiles._catalog import Leaf, Node
from dspy_profiles.profiles._profile import ResolvedProfile, leaves
from dspy_profiles.profiles._resolve import Scene
from dspy_profiles.secrets import redact, without_userinfo

__all__ = ["report_shadow"]

DEFAULT = "the default address of its provider"

_reported: set[tuple[str, str]] = set()


class Address(NamedTuple):
    """Where requests go, and what says so."""

    text: str
    where: Place | str

    def __str__(self) -> str:
        return f"{redact(without_userinfo(self.text))} ({self.where})"


def report_shadow(scene: Scene, profile: ResolvedProfile) -> None:
    """Warn if the user's profile of this name sends its secrets to another address."""
    top = scene.catalog.find(profile.name)
    if top is None or top.layer != "project" or not profile.secret_keys:
        return
    yours = scene.catalog.find(profile.name, above=top.rank + 1)
    if yours is None or yours.document is None:
        return
    try:
        tree, _ = scene.catalog.effective(yours)
    except ProfileError:
        return
    theirs, own = _address_of(profile), _address_in(tree) or Address(DEFAULT, yours.place())
    if theirs is None or theirs.text == own.text:
        return
    message = (
        f'profile "{profile.name}" of the project replaces yours: '
        f"it sends its secrets to {theirs}, yours to {own}"
    )
    if (profile.name, message) not in _reported:
        _reported.add((profile.name, message))
        warnings.warn(message, ProfileWarning, stacklevel=2)


def _address_of(profile: ResolvedProfile) -> Address | None:
    for key, value in leaves(profile.values):
        if key[0] in ("lm", "provider") and action_of(key, value) == "connect":
            return Address(str(value), profile.origin(key).place)
    return None


def _address_in(tree: Node) -> Address | None:
    for section in ("lm", "provider"):
        table = tree.get(section)
        for name, leaf in table.items() if isinstance(table, dict) else ():
            if isinstance(leaf, Leaf) and action_of((section, name), leaf.value) == "connect":
                return Address(str(leaf.value), leaf.source.origin().place)
    return None
