"""Which file a command writes to, and whether what it is about to write is sound."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from dspy_profiles import document, dspy_api, resolver
from dspy_profiles.catalog import Catalog
from dspy_profiles.cli.output import on_path, warn
from dspy_profiles.dspy_api import Finding
from dspy_profiles.editing import Edit, editing
from dspy_profiles.errors import InvalidProfile, PlaintextSecret
from dspy_profiles.locations import Layer
from dspy_profiles.resolved import KeyPath
from dspy_profiles.resolver import Choice, Scene

__all__ = ["Target", "changing", "target"]


@dataclass(frozen=True)
class Target:
    """A file to write to, and the scene that it is part of."""

    scene: Scene
    path: Path
    layer: str

    def after(self, edit: Edit) -> Scene:
        """The scene as it will be once the edit is written."""
        new = document.Document(self.path, edit.text, edit.data, _THERE)
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
_THERE = document.Stamp(0, 0, 0)


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
    where: Target, name: str, keys: Sequence[KeyPath] = (), *, force: bool = False
) -> Iterator[Edit]:
    """Edit a file; nothing is written unless the profile is as sound after it as before.

    `keys` are those that change: only their faults count, so that a profile can be mended key by
    key. With `force` faults are told, and written all the same; a secret in clear never is.
    """
    with editing(where.path) as edit:
        yield edit
        for finding in _faults(where.after(edit), name, keys):
            if finding.severity == "warning" or force:
                warn(finding.message, finding.hint)
                continue
            advice = " · --force writes it all the same" if finding.near_miss else ""
            raise InvalidProfile(
                f"{finding.message}\n{name}, {on_path(where.path)} was not changed",
                f"{finding.hint or ''}{advice}".removeprefix(" · ") or None,
            )


def _faults(scene: Scene, name: str, keys: Sequence[KeyPath]) -> list[Finding]:
    try:
        found = resolver.resolve_in(scene, Choice(name, "from the command line"))
    except PlaintextSecret as error:
        raise PlaintextSecret(error.message, error.hint) from None  # that line was never written
    findings = dspy_api.check(found, dspy_api.descriptor())
    return [f for f in findings if any(_touches(f.key, key) for key in keys)]


def _touches(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
