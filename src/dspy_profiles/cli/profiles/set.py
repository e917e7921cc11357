"""`set` and `unset`: change values of a profile, and print each change."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import (
    File,
    Force,
    Profile,
    ToProject,
    ToUser,
    words_of_set,
    words_of_unset,
)
from dspy_profiles.cli._output import ACCENT, MUTED, columns, out
from dspy_profiles.cli.profiles._target import Target, Warnings, change, target
from dspy_profiles.cli.secrets._plaintext import frozen
from dspy_profiles.config import Edit, KeyPath, join_key, read_toml, split_key
from dspy_profiles.display import on_path, show_value, word
from dspy_profiles.errors import InvalidProfile, ProfileError, ProfileNotFound
from dspy_profiles.profiles import Catalog, Definition, Leaf, Scene, parse_assignment

__all__ = ["set_", "unset"]


def set_(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROFILE] KEY VALUE | KEY=VALUE…",
            help="A key and its value, or several KEY=VALUE.",
            autocompletion=words_of_set,
        ),
    ],
    *,
    profile: Profile = None,
    force: Force = False,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Set values of a profile; creates the profile if needed.

    0.7 is a number, true a boolean, JSON a list or table; anything else is a string.
    """
    name, pairs = _assignments(words, profile)
    where = target(name, file=file, project=project, user=user)
    before = _masked(where, name)
    written: Pairs = {}

    def edit_it(edit: Edit, warnings: Warnings) -> None:
        written.clear()
        written.update(_set_usable(where, edit, warnings, name, pairs, force=force))

    change(where, name, edit_it, list(pairs), force=force)
    changes = {key: (_value(before, key), value) for key, value in written.items()}
    _print_changes(where, name, changes)


def unset(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROFILE] KEY…", help="Keys to remove.", autocompletion=words_of_unset
        ),
    ],
    *,
    profile: Profile = None,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Remove values from a profile."""
    name, *keys = words if profile is None else [profile, *words]
    paths = [split_key(key) for key in keys]
    if not paths:
        raise typer.BadParameter("missing key: unset PROFILE KEY")
    where = target(name, file=file, project=project, user=user)
    before = _masked(where, name)

    def edit_it(edit: Edit, _: Warnings) -> None:
        for path in dict.fromkeys(paths):
            try:
                edit.unset((name, *path))
            except KeyError:
                raise ProfileNotFound(
                    f'"{name}" does not set {join_key(path)} in {on_path(where.path)}',
                    hint=f"dspy-profiles show {word(name)} prints where each value is set",
                ) from None

    change(where, name, edit_it, paths, force=True)  # warns about keys missing now
    _print_changes(where, name, {path: (_value(before, path), _ABSENT) for path in paths})


_ABSENT = object()
_UNRESOLVED = object()
Pairs = dict[KeyPath, Any]


def _assignments(words: list[str], profile: str | None) -> tuple[str, Pairs]:
    unknown = next((w for w in words if w.startswith("-") and not w[1:2].isdigit()), None)
    if unknown is not None:
        raise typer.BadParameter(f"unknown option {unknown.partition('=')[0]}")
    if profile is None:
        if len(words) == 1:
            raise typer.BadParameter("use set PROFILE KEY VALUE, or set --profile P KEY=VALUE")
        profile, *words = words
    if len(words) == 2 and "=" not in words[0]:  # noqa: PLR2004 - KEY VALUE
        words = ["=".join(words)]
    if not words:
        raise typer.BadParameter("missing key and value: set PROFILE KEY VALUE")
    return profile, dict(map(parse_assignment, words))


def _set_usable(
    where: Target, edit: Edit, warnings: Warnings, name: str, pairs: Pairs, *, force: bool
) -> Pairs:
    """Set the pairs, and return them; a provider without a class gets the built-in profile's."""
    before = edit.document
    _set_all(edit, name, pairs)
    if _provider_class(where.after(edit), name) is not None:
        return pairs
    keys = [key for key in pairs if key[0] == "provider" and len(key) > 1]
    built_in = Catalog(()).find(name)
    own = built_in.table["provider"]["class"] if built_in is not None else None
    class_before = _provider_class(where.scene, name)
    if own is not None and (class_before == own or (keys and class_before is None)):
        pairs = {("provider", "class"): own, **pairs}  # else `mock` would call a real model
        edit.become(before)  # the class comes first
        _set_all(edit, name, pairs)
    elif keys:
        message = "provider.class is missing"
        example = f"provider.class=mock {join_key(keys[0])}=…"
        hint = f"as in dspy-profiles set {word(name)} {example} · "
        hint += "a class is an import path (pkg.mod.Class) or a short name"
        if not force:
            unchanged = f"{name}, {on_path(where.path)} was not changed"
            raise InvalidProfile(f"{message}\n{unchanged}", hint)
        warnings.append((message, hint))
    return pairs


def _set_all(edit: Edit, name: str, pairs: Pairs) -> None:
    for key, value in pairs.items():
        edit.set((name, *key), value)


def _provider_class(scene: Scene, name: str) -> object:
    """Return the effective provider class of a profile, or None."""
    try:
        definition = scene.catalog.find(name)
        tree = scene.catalog.effective(definition)[0] if definition is not None else {}
    except ProfileError:
        return _UNRESOLVED  # `change` raises the error
    provider = tree.get("provider")
    leaf = provider.get("class") if isinstance(provider, dict) else None
    return leaf.value if isinstance(leaf, Leaf) else leaf


def _masked(where: Target, name: str) -> Mapping[str, Any]:
    """Return a profile's values in the file, with secrets masked."""
    doc = read_toml(where.path)
    table = doc.data.get(name)
    if not isinstance(table, dict):
        return {}
    return frozen(Definition(name, where.layer, 0, table, doc), where.scene.names)


def _value(table: Any, key: KeyPath) -> Any:
    for part in key:
        if not isinstance(table, Mapping) or part not in table:
            return _ABSENT
        table = table[part]
    return table


def _print_changes(where: Target, name: str, changes: Mapping[KeyPath, tuple[Any, Any]]) -> None:
    now = read_toml(where.path)
    rows = []
    for key, (old, new) in changes.items():
        line = now.line((name, *key))
        at = f"{on_path(where.path)}:{line}" if line and new is not _ABSENT else on_path(where.path)
        change = Text()
        if old is not _ABSENT:
            change.append(show_value(old), style="strike" if new is _ABSENT else MUTED)
            change.append("" if new is _ABSENT else " → ")
        if new is not _ABSENT:
            change.append(show_value(new), style=ACCENT)
        rows.append((Text(name, style="bold"), join_key(key), change, Text(at, style=MUTED)))
    out(columns(rows))
