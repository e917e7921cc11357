"""`set`, `unset`, `copy`, `rename`, `delete`, `use`: change files, and print each change."""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import File, Name, ToProject, ToUser, Yes, confirm, need_a_person
from dspy_profiles.cli._output import MUTED, note, out, warn
from dspy_profiles.cli.profiles._as_written import copy_between
from dspy_profiles.cli.profiles._target import Target, Warnings, change, refuse_taken, target
from dspy_profiles.cli.profiles.set import set_, unset
from dspy_profiles.config import Edit, editing, read_toml, settings_home
from dspy_profiles.display import on_path, word
from dspy_profiles.errors import InvalidProfile, ProfileNotFound
from dspy_profiles.profiles import Scene, choose

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add these commands to an app."""
    negative_numbers = {"ignore_unknown_options": True}  # `set` itself refuses options
    app.command(
        "set",
        epilog="Example: dspy-profiles set prod lm.temperature 0.2",
        context_settings=negative_numbers,
    )(set_)
    app.command(epilog="Example: dspy-profiles unset prod lm.temperature")(unset)
    app.command(epilog="Example: dspy-profiles copy prod staging")(copy)
    app.command(epilog="Example: dspy-profiles rename stagin staging")(rename)
    app.command(epilog="Example: dspy-profiles delete staging --yes")(delete)
    app.command(epilog="Example: dspy-profiles use dev")(use)


def copy(
    name: Name,
    new: Annotated[str, typer.Argument(help="Name of the copy.")],
    *,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Copy a profile, including its comments."""
    where = _defined(name, file)
    destination = target(None, file=file, project=project, user=user) if project or user else where

    def add(edit: Edit, _: Warnings) -> None:
        refuse_taken(edit.data, new)
        if destination.path == where.path:
            edit.copy((name,), (new,))
        else:
            names = where.scene.names
            copy_between(edit, name, read_toml(where.path), destination.path.parent, new, names)

    change(destination, new, add)
    out(
        Text.assemble((new, "bold"), f" is a copy of {name}   ", (on_path(destination.path), MUTED))
    )


def rename(
    name: Name, new: Annotated[str, typer.Argument(help="New name.")], *, file: File = None
) -> None:
    """Rename a profile and update every `extends` that names it."""
    where = _defined(name, file)
    updated = []
    own: list[str] = []

    def renamed(edit: Edit, _: Warnings) -> None:
        refuse_taken(edit.data, new)
        edit.rename((name,), (new,))
        own[:] = [] if is_elsewhere else _update_extends(edit, name, new)

    others = [doc.path for _, doc in where.scene.catalog.documents if doc.path != where.path]
    is_elsewhere = _is_defined_elsewhere(where, name)
    with ExitStack() as stack:  # the innermost is checked and written first
        for path in [] if is_elsewhere else others:
            if _extending(read_toml(path).data, name):
                edit = stack.enter_context(editing(path))
                updated += [(user, path) for user in _update_extends(edit, name, new)]
        change(where, new, renamed, was=name)
    updated += [(user, where.path) for user in own]
    out(Text.assemble(name, " → ", (new, "bold"), "   ", (on_path(where.path), MUTED)))
    for user, path in updated:
        out(Text.assemble("  ", user, f" now extends {new}   ", (on_path(path), MUTED)))
    if where.scene.settings.text("default") == name and not is_elsewhere:
        origin = where.scene.settings.values["default"].origin
        warn(f"the default is still {name}, set in {origin}", f"dspy-profiles use {word(new)}")


def delete(
    name: Name,
    *,
    yes: Yes = False,
    file: File = None,
) -> None:
    """Delete a profile, unless another profile extends it."""
    where = _defined(name, file)
    if not _is_defined_elsewhere(where, name):
        users = [
            f"{user} ({on_path(doc.path)})"
            for _, doc in where.scene.catalog.documents
            for user in _extending(doc.data, name)
            if user != name
        ]
        if users:
            verb = "extends" if len(users) == 1 else "extend"
            note(Text(f'"{name}" is not deleted: {", ".join(users)} {verb} it'))
            raise typer.Exit(1)
    if not yes:
        need_a_person("--yes deletes without asking")
        if not confirm(f"Delete {name} from {on_path(where.path)}?"):
            note(f"{name} is not deleted")
            raise typer.Exit(1)
    with editing(where.path) as edit:
        edit.unset((name,))
    out(Text.assemble(name, " is deleted   ", (on_path(where.path), MUTED)))
    if where.scene.settings.text("default") == name and not _is_defined_elsewhere(where, name):
        origin = where.scene.settings.values["default"].origin
        warn(f"the default is still {name}, set in {origin}", "dspy-profiles use NAME")


def use(
    name: Name,
    *,
    user: Annotated[
        bool, typer.Option("--user", help="Set your own default, not the project's.")
    ] = False,
) -> None:
    """Set the default profile, for the project or for you."""
    scene = Scene.now()
    scene.catalog.get(name, "from the command line")
    path, key = settings_home("default", scene.locations, user=user)
    with editing(path) as edit:
        edit.set(key, name)
    whose = "your default" if path == scene.locations.user_config else "the default of this project"
    out(Text.assemble((name, "bold"), f" is {whose}   ", (on_path(path), MUTED)))
    with suppress(ProfileNotFound):  # a forced name that no file defines
        active = choose(Scene.now(), None)
        if active.name != name:
            note(Text(f"the active profile is still {active.name}: {active.reason}"))


def _defined(name: str, file: Any) -> Target:
    """Return the file that defines a profile. Raise InvalidProfile for a built-in one."""
    where = target(name, file=file)
    definition = where.scene.catalog.get(name, "from the command line")
    if definition.document is None:
        raise InvalidProfile(
            f'profile "{name}" is built in: no file defines it',
            hint=f"dspy-profiles set {word(name)} KEY VALUE defines your own",
        )
    return where


def _extending(data: Mapping[str, Any], name: str) -> list[str]:
    """Return the profiles of one file that extend this one."""
    users = []
    for user, table in data.items():
        parents = table.get("extends", []) if isinstance(table, dict) else []
        if name == parents or (isinstance(parents, list) and name in parents):
            users.append(user)
    return users


def _update_extends(edit: Edit, name: str, new: str) -> list[str]:
    """Replace a name in every `extends` of the file. Return the profiles that had it."""
    users = _extending(edit.data, name)
    for user in users:
        old = edit.data[user]["extends"]
        parents = [new if one == name else one for one in old] if isinstance(old, list) else new
        edit.set((user, "extends"), parents)
    return users


def _is_defined_elsewhere(where: Target, name: str) -> bool:
    return any(name in d.data for _, d in where.scene.catalog.documents if d.path != where.path)
