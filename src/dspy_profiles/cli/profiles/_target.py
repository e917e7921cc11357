"""Which file a command writes to, and whether the result would be valid."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import typer

from dspy_profiles import schema
from dspy_profiles.cli._output import warn
from dspy_profiles.cli.secrets._plaintext import plaintext_keys
from dspy_profiles.config import (
    Document,
    Edit,
    KeyPath,
    Layer,
    Stamp,
    change_file,
    join_key,
    read_toml,
    touches,
)
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidProfile, PlaintextSecret, ProfileError
from dspy_profiles.profiles import Catalog, Choice, Scene, resolve_choice
from dspy_profiles.schema import Finding

__all__ = [
    "Target",
    "Warnings",
    "change",
    "change_with_warnings",
    "check_name",
    "check_sound",
    "refuse_taken",
    "target",
]

Warnings: TypeAlias = list[tuple[str, str | None]]  # messages and hints


@dataclass(frozen=True)
class Target:
    """A file to write to, its layer, and the scene that it belongs to."""

    scene: Scene
    path: Path
    layer: str

    def after(self, edit: Edit) -> Scene:
        """Return the scene as it will be after the edit is written."""
        new = Document(self.path, edit.text, edit.document.data, _EXISTS)
        others = [(la, doc) for la, doc in self.scene.catalog.documents if doc.path != self.path]
        at = next(
            (n for n, (la, _) in enumerate(others) if _RANK[la] > _RANK[self.layer]), len(others)
        )
        documents = (*others[:at], (self.layer, new), *others[at:])
        layers = tuple(Layer(name, doc.path) for name, doc in documents)
        return replace(
            self.scene,
            locations=replace(self.scene.locations, layers=layers),
            catalog=Catalog(documents),
        )


_RANK = {"file": 0, "project": 0, "user": 1}
_EXISTS = Stamp(0, 0, 0)


def target(
    name: str | None, *, file: Path | None = None, project: bool = False, user: bool = False
) -> Target:
    """Return the file that defines a profile; for a new one, the project's if it exists."""
    if (file is not None) + project + user > 1:
        raise typer.BadParameter("--file, --project and --user exclude each other")
    scene = Scene.now(file)
    where = scene.locations
    if where.named_file is not None and not (project or user):
        return Target(scene, where.named_file, "file")
    if project:
        path = where.project_file or where.root / "profiles.toml"
        return Target(scene, path, "project")
    if user:
        return Target(scene, where.user_file, "user")
    definition = scene.catalog.find(name) if name is not None else None
    if definition is not None and definition.document is not None:
        return Target(scene, definition.document.path, definition.layer)
    if where.project_file is not None:
        return Target(scene, where.project_file, "project")
    return Target(scene, where.user_file, "user")


def change(
    where: Target,
    name: str,
    edit_it: Callable[[Edit, Warnings], None],
    keys: Sequence[KeyPath] = (),
    *,
    force: bool = False,
    was: str | None = None,
) -> None:
    """Edit a file. Write nothing if the change makes the profile invalid.

    `keys` are those that change: only their errors count, so that a profile can be fixed key by
    key. With `force`, errors become warnings; a plaintext secret is always an error. `was` is the
    former name of a renamed profile. `edit_it` runs again if another process changes the file at
    the same time.
    """
    check_name(name)

    def checked(edit: Edit, warnings: Warnings) -> None:
        edit_it(edit, warnings)
        check_sound(where, edit, warnings, name, keys, force=force, was=was)

    change_with_warnings(where.path, checked)


def change_with_warnings(path: Path, edit_it: Callable[[Edit, Warnings], None]) -> None:
    """Edit a file, and print the warnings once, though `edit_it` may run again."""
    warnings: Warnings = []

    def once(edit: Edit) -> None:
        warnings.clear()
        edit_it(edit, warnings)

    try:
        change_file(path, once)
    finally:
        for message, hint in warnings:
            warn(message, hint)


def check_sound(
    where: Target,
    edit: Edit,
    warnings: Warnings,
    name: str,
    keys: Sequence[KeyPath] = (),
    *,
    force: bool = False,
    was: str | None = None,
) -> None:
    """Raise the errors of `change` for one profile of an edit, and add its warnings."""
    for finding in _findings(where, edit, name, keys, was or name):
        if finding.severity == "warning" or force:
            warnings.append((finding.message, finding.hint))
            continue
        force_hint = " · --force writes it anyway" if finding.near_miss else ""
        raise InvalidProfile(
            f"{finding.message}\n{name}, {on_path(where.path)} was not changed",
            f"{finding.hint or ''}{force_hint}".removeprefix(" · ") or None,
        )


def refuse_taken(data: Mapping[str, Any], name: str, hint: str = "choose another name") -> None:
    """Raise InvalidProfile if the file already has a profile of this name."""
    if name in data:
        raise InvalidProfile(f'profile "{name}" already exists', hint)


def check_name(name: str) -> None:
    if not name or name == "$schema" or not name.isprintable():
        raise InvalidProfile(f"{name!r} is not a valid profile name", "choose another name")


def _findings(
    where: Target, edit: Edit, name: str, keys: Sequence[KeyPath], was: str
) -> list[Finding]:
    scene = where.after(edit)
    choice = Choice(name, "from the command line")
    try:
        profile = resolve_choice(scene, choice)
    except PlaintextSecret as error:
        definition = scene.catalog.get(name, choice.reason)
        plaintext = plaintext_keys(definition, scene.names)
        is_new = was not in read_toml(where.path).data
        touched = [k for k in plaintext if is_new or any(touches(k, key) for key in keys)]
        if touched:
            # Without a place: the line is not in the file.
            hint = f"put it in .env, then set {join_key(touched[0])}='${{NAME}}'"
            hint += f"; if it is not a secret, add {touched[0][-1]} to not-secret"
            raise PlaintextSecret(error.message, hint) from None
        profile = resolve_choice(scene, choice, allow_plaintext=True)
    except ProfileError as error:
        if not _was_broken(where.scene, was):
            raise
        return [Finding("warning", (), f"{name} is still invalid: {error.message}", error.hint)]
    return schema.check(profile, schema.descriptor(), only=keys) if keys else []


def _was_broken(scene: Scene, name: str) -> bool:
    """Return whether the profile existed and could not be resolved before the edit either."""
    try:
        if scene.catalog.find(name) is not None:
            resolve_choice(scene, Choice(name, ""), allow_plaintext=True)
    except ProfileError:
        return True
    return False
