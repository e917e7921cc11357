"""`set`, `unset`, `copy`, `rename`, `delete`, `use`: they print the change, and only that."""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import File, Name, ToProject, ToUser, Yes, need_a_person
from dspy_profiles.cli._output import MUTED, note, out
from dspy_profiles.cli.profiles._adopt import adopt
from dspy_profiles.cli.profiles._target import Target, changing, refuse_taken, target
from dspy_profiles.cli.profiles.set import set_, unset
from dspy_profiles.config import Edit, editing, read_toml, settings_home
from dspy_profiles.display import on_path, word
from dspy_profiles.errors import InvalidProfile, ProfileNotFound
from dspy_profiles.profiles import Scene, choose

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Put these commands into an app."""
    negative_numbers = {"ignore_unknown_options": True}  # what is none is refused below
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
    new: Annotated[str, typer.Argument(help="The name of the copy.")],
    *,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Copy a profile, as it is written, comments included."""
    where = _defined(name, file)
    where_to = target(None, file=file, project=project, user=user) if project or user else where
    with changing(where_to, new) as edit:
        refuse_taken(edit.data, new)
        if where_to.path == where.path:
            edit.copy((name,), (new,))
        else:
            names = where.scene.names
            adopt(edit, name, read_toml(where.path), where_to.path.parent, new, names)
    out(Text.assemble((new, "bold"), f" is a copy of {name}   ", (on_path(where_to.path), MUTED)))


def rename(
    name: Name, new: Annotated[str, typer.Argument(help="The new name.")], *, file: File = None
) -> None:
    """Rename a profile, and mend every `extends` that points to it."""
    where = _defined(name, file)
    mended = []
    others = [doc.path for _, doc in where.scene.catalog.documents if doc.path != where.path]
    is_elsewhere = _is_defined_elsewhere(where, name)
    with ExitStack() as stack:  # the innermost is written first, and nothing if it is refused
        for path in [] if is_elsewhere else others:
            if _extending(read_toml(path).data, name):
                edit = stack.enter_context(editing(path))
                mended += [(user, path) for user in _mend(edit, name, new)]
        edit = stack.enter_context(changing(where, new, was=name))
        refuse_taken(edit.data, new)
        edit.rename((name,), (new,))
        if not is_elsewhere:
            mended += [(user, where.path) for user in _mend(edit, name, new)]
    out(Text.assemble(name, " → ", (new, "bold"), "   ", (on_path(where.path), MUTED)))
    for user, path in mended:
        out(Text.assemble("  ", user, " extends it still   ", (on_path(path), MUTED)))
    if where.scene.settings.text("default") == name and not is_elsewhere:
        origin = where.scene.settings.values["default"].origin
        note(Text(f"{origin} still says that {name} is the default: dspy-profiles use {word(new)}"))


def delete(
    name: Name,
    *,
    yes: Yes = False,
    file: File = None,
) -> None:
    """Delete a profile; refused while others extend it."""
    where = _defined(name, file)
    if not _is_defined_elsewhere(where, name):
        users = [
            f"{user} ({on_path(doc.path)})"
            for _, doc in where.scene.catalog.documents
            for user in _extending(doc.data, name)
            if user != name
        ]
        if users:
            note(Text(f'"{name}" stays: {", ".join(users)} extend{"s" * (len(users) == 1)} it'))
            raise typer.Exit(1)
    if not yes:
        need_a_person("--yes deletes without asking")
        if not typer.confirm(f"Delete {name} from {on_path(where.path)}?", err=True):
            note(f"{name} stays")
            raise typer.Exit(1)
    with editing(where.path) as edit:
        edit.unset((name,))
    out(Text.assemble(name, " is deleted   ", (on_path(where.path), MUTED)))
    if where.scene.settings.text("default") == name and not _is_defined_elsewhere(where, name):
        origin = where.scene.settings.values["default"].origin
        note(Text(f"{origin} still says that {name} is the default"))


def use(
    name: Name,
    *,
    user: Annotated[
        bool, typer.Option("--user", help="For this user everywhere, not for the project.")
    ] = False,
) -> None:
    """Make a profile the default, of the project or, where there is none, of the user."""
    scene = Scene.now()
    scene.catalog.get(name, "from the command line")
    path, key = settings_home("default", scene.locations, user=user)
    with editing(path) as edit:
        edit.set(key, name)
    whose = "your default" if path == scene.locations.user_config else "the default of this project"
    out(Text.assemble((name, "bold"), f" is {whose}   ", (on_path(path), MUTED)))
    with suppress(ProfileNotFound):  # a name that is forced, and of no session
        applies = choose(Scene.now(), None)
        if applies.name != name:
            note(Text(f"here {applies.name} applies all the same: {applies.reason}"))


def _defined(name: str, file: Any) -> Target:
    """The file that a profile is written in; the built-in one is in none."""
    where = target(name, file=file)
    definition = where.scene.catalog.get(name, "from the command line")
    if definition.document is None:
        raise InvalidProfile(
            f'"{name}" is built in; no file defines it', hint=f"write your own: set {word(name)} …"
        )
    return where


def _extending(data: Mapping[str, Any], name: str) -> list[str]:
    """The profiles of one file that extend this one."""
    found = []
    for user, table in data.items():
        given = table.get("extends", []) if isinstance(table, dict) else []
        if name == given or (isinstance(given, list) and name in given):
            found.append(user)
    return found


def _mend(edit: Edit, name: str, new: str) -> list[str]:
    """Have those who extended the one extend the other; their names."""
    users = _extending(edit.data, name)
    for user in users:
        given = edit.data[user]["extends"]
        mended = [new if one == name else one for one in given] if isinstance(given, list) else new
        edit.set((user, "extends"), mended)
    return users


def _is_defined_elsewhere(where: Target, name: str) -> bool:
    return any(name in d.data for _, d in where.scene.catalog.documents if d.path != where.path)
