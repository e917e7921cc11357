"""`set`, `unset`, `copy`, `rename`, `delete`, `use`: they print the change, and only that."""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles import document, editing, resolver, settings
from dspy_profiles.assignments import assignment
from dspy_profiles.catalog import Definition
from dspy_profiles.cli.adopting import adopt
from dspy_profiles.cli.in_clear import frozen, names_of
from dspy_profiles.cli.options import (
    File,
    Force,
    Name,
    Profile,
    ToProject,
    ToUser,
    Yes,
    need_a_person,
    words_of_set,
    words_of_unset,
)
from dspy_profiles.cli.output import ACCENT, MUTED, columns, note, out
from dspy_profiles.cli.targets import Target, changing, refuse_taken, target
from dspy_profiles.errors import InvalidProfile, ProfileNotFound
from dspy_profiles.resolved import KeyPath, join_key, split_key
from dspy_profiles.resolver import Scene
from dspy_profiles.wording import on_path, shown

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


def set_(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROFILE] KEY VALUE | KEY=VALUE…",
            help="What to set.",
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
    """Set values of a profile, which is made if there is none of that name.

    0.7 is a number, true a boolean, JSON a list or table; anything else is text.
    """
    name, pairs = _assignments(words, profile)
    where = target(name, file=file, project=project, user=user)
    before = _masked(where, name)
    with changing(where, name, list(pairs), force=force) as edit:
        for key, value in pairs.items():
            edit.set((name, *key), value)
    _print_changes(where, name, {key: (_value(before, key), value) for key, value in pairs.items()})


def unset(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROFILE] KEY…", help="What to remove.", autocompletion=words_of_unset
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
        raise typer.BadParameter("name a key: unset PROFILE KEY")
    where = target(name, file=file, project=project, user=user)
    before = _masked(where, name)
    with changing(where, name, paths, force=True) as edit:  # what is missing now is told
        for path in dict.fromkeys(paths):
            try:
                edit.unset((name, *path))
            except KeyError:
                raise ProfileNotFound(
                    f'"{name}" does not set {join_key(path)} in {on_path(where.path)}',
                    hint=f"see where it comes from: dspy-profiles show {name}",
                ) from None
    _print_changes(where, name, {path: (_value(before, path), _ABSENT) for path in paths})


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
            adopt(edit, name, document.read(where.path), where_to.path.parent, new)
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
            if _extending(document.read(path).data, name):
                edit = stack.enter_context(editing.editing(path))
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
        note(Text(f"{origin} still says that {name} is the default: dspy-profiles use {new}"))


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
    with editing.editing(where.path) as edit:
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
    path, key = settings.home_of("default", scene.locations, user=user)
    with editing.editing(path) as edit:
        edit.set(key, name)
    whose = "you" if path == scene.locations.user_config else "this project"
    out(Text.assemble((name, "bold"), f" is the default of {whose}   ", (on_path(path), MUTED)))
    with suppress(ProfileNotFound):  # a name that is forced, and of no session
        applies = resolver.choose(Scene.now(), None)
        if applies.name != name:
            note(Text(f"here {applies.name} applies all the same: {applies.reason}"))


_ABSENT = object()


def _assignments(words: list[str], profile: str | None) -> tuple[str, dict[KeyPath, Any]]:
    unknown = next((w for w in words if w.startswith("-") and not w[1:2].isdigit()), None)
    if unknown is not None:
        raise typer.BadParameter(f"no such option: {unknown.partition('=')[0]}")
    if profile is None:
        if len(words) == 1:
            raise typer.BadParameter("write set PROFILE KEY VALUE, or set --profile P KEY=VALUE")
        profile, *words = words
    if len(words) == 2 and "=" not in words[0]:  # noqa: PLR2004 - KEY VALUE
        words = ["=".join(words)]
    if not words:
        raise typer.BadParameter("name a key and its value: set PROFILE KEY VALUE")
    return profile, dict(map(assignment, words))


def _defined(name: str, file: Any) -> Target:
    """The file that a profile is written in; the built-in one is in none."""
    where = target(name, file=file)
    definition = where.scene.catalog.get(name, "from the command line")
    if definition.document is None:
        raise InvalidProfile(
            f'"{name}" is built in; no file defines it', hint=f"write your own: set {name} …"
        )
    return where


def _masked(where: Target, name: str) -> Mapping[str, Any]:
    """What the file says of a profile, for showing."""
    doc = document.read(where.path)
    table = doc.data.get(name)
    if not isinstance(table, dict):
        return {}
    return frozen(Definition(name, where.layer, 0, table, doc), names_of(where.scene))


def _value(table: Any, key: KeyPath) -> Any:
    for part in key:
        if not isinstance(table, Mapping) or part not in table:
            return _ABSENT
        table = table[part]
    return table


def _print_changes(where: Target, name: str, changes: Mapping[KeyPath, tuple[Any, Any]]) -> None:
    now = document.read(where.path)
    rows = []
    for key, (old, new) in changes.items():
        line = now.line((name, *key))
        at = f"{on_path(where.path)}:{line}" if line and new is not _ABSENT else on_path(where.path)
        change = Text()
        if old is not _ABSENT:
            change.append(shown(old), style="strike" if new is _ABSENT else MUTED)
            change.append("" if new is _ABSENT else " → ")
        if new is not _ABSENT:
            change.append(shown(new), style=ACCENT)
        rows.append((Text(name, style="bold"), join_key(key), change, Text(at, style=MUTED)))
    out(columns(rows))


def _extending(data: Mapping[str, Any], name: str) -> list[str]:
    """The profiles of one file that extend this one."""
    found = []
    for user, table in data.items():
        given = table.get("extends", []) if isinstance(table, dict) else []
        if name == given or (isinstance(given, list) and name in given):
            found.append(user)
    return found


def _mend(edit: editing.Edit, name: str, new: str) -> list[str]:
    """Have those who extended the one extend the other; their names."""
    users = _extending(edit.data, name)
    for user in users:
        given = edit.data[user]["extends"]
        mended = [new if one == name else one for one in given] if isinstance(given, list) else new
        edit.set((user, "extends"), mended)
    return users


def _is_defined_elsewhere(where: Target, name: str) -> bool:
    return any(name in d.data for _, d in where.scene.catalog.documents if d.path != where.path)
