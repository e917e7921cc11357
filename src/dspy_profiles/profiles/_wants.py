"""What a profile wants this process to do, with the place that wants it."""

import os
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dspy_profiles.config import Action, KeyPath, Want, action_of, demand, is_in_project, join_key
from dspy_profiles.errors import Place
from dspy_profiles.profiles._profile import ResolvedProfile
from dspy_profiles.secrets import (
    Reference,
    file_of_variable,
    filled,
    needs_trust,
    secret_file,
    split_scheme,
    variables_in,
    without_userinfo,
)

__all__ = ["acts_in", "demand_for", "demand_trust", "wants"]


class Author(NamedTuple):
    """The file that has set a variable."""

    layer: str
    file: Path | None


def demand_trust(profile: ResolvedProfile, actions: Sequence[Action] | None = None) -> None:
    """Raise Untrusted if a file that is not trusted makes the profile do one of these, or any."""
    found = [want for want in wants(profile) if actions is None or want.action in actions]
    if found:
        demand(found, f'profile "{profile.name}"')


def acts_in(profile: ResolvedProfile, files: Collection[Path]) -> bool:
    """Return whether something acts that the profile has from one of these files."""
    for key, value in _scalars((), profile.values) if files else ():
        steers = key[0] == "env" and needs_trust(key[-1], str(value))
        source = profile.sources.get(_written(profile, key))
        if source is not None and source.file in files and (steers or action_of(key, value)):
            return True
    return False


def wants(profile: ResolvedProfile) -> list[Want]:
    """Return what the profile makes us do, except by files of your own."""
    found: list[Want] = []
    if profile.travelled:
        return found
    for key, value in _scalars((), profile.values):
        source = profile.sources.get(_written(profile, key))
        if source is None:
            continue
        if source.layer not in ("user", "override", "built-in"):
            found += _own(profile, key, value)
        if isinstance(value, Reference) and key[0] != "env":
            found += _through_variables(profile, key, value)
    return found


def demand_for(profile: ResolvedProfile, action: Action, key: KeyPath, what: str) -> None:
    """Raise Untrusted if the file of a key may not lead to this."""
    if not profile.travelled:
        origin = profile.origin(key)
        demand([Want(action, what, origin, origin.place)], f'profile "{profile.name}"')


def _own(profile: ResolvedProfile, key: KeyPath, value: object) -> Iterator[Want]:
    action = action_of(key, value)
    if action is None:
        return
    origin = profile.origin(_written(profile, key))
    text = str(value)
    if action == "read" and _is_in_project(filled(text, os.environ), origin.file):
        return
    is_whole = isinstance(value, str) and action != "send"
    what = without_userinfo(text) if is_whole else f"the server, by {join_key(key)}"
    if action == "connect" and _sends(profile, key):
        action = "send"
    yield Want(action, what, origin, origin.place)


def _through_variables(profile: ResolvedProfile, key: KeyPath, value: str) -> Iterator[Want]:
    """Yield what comes of variables that a file of the project has set: an address, mostly."""
    text = filled(value, ChainMap(os.environ, _own_variables(profile)))
    action = action_of(key, value) or action_of(key, text)
    file = profile.origin(_written(profile, key)).file
    if action in (None, "send") or (action == "read" and _is_in_project(text, file)):
        return
    if action == "connect" and _sends(profile, key):
        action = "send"
    for name in variables_in(value):
        if (file := file_of_variable(name)) is not None:
            where: Place | str = Place(file)
            author = Author("project", file)
        elif name in profile.env and name not in os.environ:
            origin = profile.origin(("env", name))
            where, author = origin.place, Author(origin.layer, origin.file)
        else:
            continue
        yield Want(action, f"${{{name}}}, for {join_key(key)}", author, where)


def _own_variables(profile: ResolvedProfile) -> dict[str, str]:
    return {n: filled(text, os.environ) for n, text in profile.env.items() if isinstance(text, str)}


def _sends(profile: ResolvedProfile, key: KeyPath) -> bool:
    """Return whether a secret goes to the address: its section holds one, or DSPy finds a key."""
    if any(secret[0] == key[0] for secret in profile.secret_keys):
        return True
    return key[0] in ("lm", "lms") and "api_key" not in profile.lm


def _is_in_project(value: str, file: Path | None) -> bool:
    """Return whether a path is of the project: for us, and for libraries, which start elsewhere."""
    if file is None or "{" in value:  # a text of JSON
        return False
    by_scheme = split_scheme(value, ("file",))
    rest = value if by_scheme is None else by_scheme[1]
    folders = (file.parent, Path.cwd()) if by_scheme is None else (file.parent,)
    return all(is_in_project(secret_file(rest, folder), file) for folder in folders)


def _written(profile: ResolvedProfile, key: KeyPath) -> KeyPath:
    """Return the part of a key whose origin is known: tables in lists have that of the list."""
    lengths = range(len(key), 0, -1)
    return next((key[:n] for n in lengths if key[:n] in profile.sources), key)


def _scalars(key: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _scalars((*key, name), item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _scalars(key, item)
    else:
        yield key, value
