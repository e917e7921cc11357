"""Which file a command writes to, and whether what it is about to write is sound."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from dspy_profiles import schema
from dspy_profiles.cli._output import warn
from dspy_profiles.cli.secrets._plaintext import plaintext_keys
from dspy_profiles.config import Document, Edit, KeyPath, Layer, Stamp, editing, read_toml
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidProfile, PlaintextSecret, ProfileError
from dspy_profiles.profiles import Catalog, Choice, Scene, resolve_choice
from dspy_profiles.schema import Finding

__all__ = ["Target", "changing", "check_name", "check_sound", "refuse_taken", "target"]


@dataclass(frozen=True)
class Target:
    """A file to write to, and the scene that it is part of."""

    scene: Scene
    path: Path
    layer: str

    def after(self, edit: Edit) -> Scene:
        """The scene as it will be once the edit is written."""
        new = Document(self.path, edit.text, edit.data, _THERE)
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
_THERE = Stamp(0, 0, 0)


def target(
    name: str | None, *, file: Path | None = None, project: bool = False, user: bool = False
) -> Target:
    """The file that defines the profile; for a new one the project's, if there is one."""
    if (file is not None) + project + user > 1:
        raise typer.BadParameter("choose one of --file, --project and --user")
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


@contextmanager
def changing(
    where: Target,
    name: str,
    keys: Sequence[KeyPath] = (),
    *,
    force: bool = False,
    was: str | None = None,
) -> Iterator[Edit]:
    """Edit a file; nothing is written unless the profile is as sound after it as before.

    `keys` are those that change: only their faults count, so that a profile can be mended key by
    key. With `force` faults are told, and written all the same; a secret in clear never is.
    `was` is the name that the profile had before.
    """
    check_name(name)
    with editing(where.path) as edit:
        yield edit
        check_sound(where, edit, name, keys, force=force, was=was)


def check_sound(
    where: Target,
    edit: Edit,
    name: str,
    keys: Sequence[KeyPath] = (),
    *,
    force: bool = False,
    was: str | None = None,
) -> None:
    """Refuse what `changing` refuses, of one profile in an edit."""
    for finding in _faults(where, edit, name, keys, was or name):
        if finding.severity == "warning" or force:
            warn(finding.message, finding.hint)
            continue
        advice = " · --force writes it all the same" if finding.near_miss else ""
        raise InvalidProfile(
            f"{finding.message}\n{name}, {on_path(where.path)} was not changed",
            f"{finding.hint or ''}{advice}".removeprefix(" · ") or None,
        )


def refuse_taken(data: Mapping[str, Any], name: str, hint: str = "choose another name") -> None:
    """Refuse the name of a profile that the file has already."""
    if name in data:
        raise InvalidProfile(f'there is a profile "{name}" already', hint)


def check_name(name: str) -> None:
    if not name or name == "$schema" or not name.isprintable():
        raise InvalidProfile(f"{name!r} cannot be the name of a profile", "choose another name")


def _faults(
    where: Target, edit: Edit, name: str, keys: Sequence[KeyPath], was: str
) -> list[Finding]:
    scene = where.after(edit)
    choice = Choice(name, "from the command line")
    try:
        found = resolve_choice(scene, choice)
    except PlaintextSecret as error:
        definition = scene.catalog.get(name, choice.reason)
        written = plaintext_keys(definition, scene.names)
        is_new = was not in read_toml(where.path).data
        if any(is_new or any(_touches(own, key) for key in keys) for own in written):
            # Without a place: that line was never written.
            raise PlaintextSecret(error.message, error.hint) from None
        found = resolve_choice(scene, choice, allow_plaintext=True)
    except ProfileError as error:
        if not _was_broken(where.scene, was):
            raise
        warn(f"{name} is still not sound: {error.message}", error.hint)
        return []
    findings = schema.check(found, schema.descriptor())
    return [f for f in findings if any(_touches(f.key, key) for key in keys)]


def _was_broken(scene: Scene, name: str) -> bool:
    """Whether there was such a profile, and it could not be resolved before either."""
    try:
        if scene.catalog.find(name) is not None:
            resolve_choice(scene, Choice(name, ""), allow_plaintext=True)
    except ProfileError:
        return True
    return False


def _touches(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
