"""`import` and `export`: profiles from and to other files. Neither copies a secret."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles._control import escaped
from dspy_profiles.cli._options import File, Force, Name, Out, Overwrite, Profile, ToProject, ToUser
from dspy_profiles.cli._output import (
    JSON_VERSION,
    MUTED,
    as_json,
    emit,
    note,
    out,
    out_text,
    warn,
)
from dspy_profiles.cli.profiles._as_written import anchored, copy_between
from dspy_profiles.cli.profiles._target import (
    Target,
    Warnings,
    change,
    change_with_warnings,
    check_sound,
    refuse_taken,
    target,
)
from dspy_profiles.cli.secrets._plaintext import refuse_plaintext
from dspy_profiles.config import Document, Edit, file_stamp, read_toml
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place, ProfileNotFound, did_you_mean
from dspy_profiles.profiles import (
    Choice,
    Definition,
    ResolvedProfile,
    Scene,
    acts_in,
    resolve_choice,
)

__all__ = ["add_to"]

FORMATS = ("toml", "json", "env", "python")


def add_to(app: typer.Typer) -> None:
    """Add these commands to an app."""
    app.command("import", epilog="Example: dspy-profiles import .env --profile dev")(import_)
    app.command(epilog="Example: dspy-profiles export prod --format python --out prod.py")(export)


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .env file or another profiles file.")
    ],
    *,
    profile: Profile = None,
    prefix: Annotated[
        str, typer.Option("--prefix", help="Prefix of the variables in a .env file.")
    ] = "DSPY_",
    yes: Overwrite = False,
    force: Force = False,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Import profiles from a .env file or another profiles file.

    Variables of a .env file are named like DSPY_LM_MODEL. Secrets are not copied: the profile
    refers to their variables. Either everything is written, or nothing.
    """
    choice = {"file": file, "project": project, "user": user}
    ignored: list[str] = []
    needed: list[str] = []
    if _is_profiles_file(source):
        names, where = _from_profiles(source, profile, overwrite=yes, **choice)
    else:
        names = [profile or "default"]
        where, ignored, needed = _from_variables(
            source, names[0], prefix, overwrite=yes, force=force, **choice
        )
    for name in names:
        out(Text.assemble((name, "bold"), " is imported   ", (on_path(where.path), MUTED)))
    if ignored:
        note(Text(f"ignored, in no section: {', '.join(ignored)}", style=MUTED))
    if needed:
        warn(
            f"{on_path(source)} is not loaded with the profile, which needs {', '.join(needed)}",
            "copy these variables to .env, or export them",
        )


def _is_profiles_file(path: Path) -> bool:
    """Return whether a file is TOML, judged by its name, else by its content."""
    if file_stamp(path) is None:
        raise ProfileNotFound("file not found", "name a .env file or a profiles file", Place(path))
    if path.suffix == ".toml":
        return True
    if path.name.startswith(".env") or path.suffix == ".env":
        return False
    try:
        return any(isinstance(table, dict) for table in read_toml(path).data.values())
    except InvalidFile:
        return False


def _from_variables(
    path: Path, name: str, prefix: str, *, overwrite: bool, force: bool, **choice: Any
) -> tuple[Target, list[str], list[str]]:
    """Write one profile from variables; return the ignored ones, and those to set elsewhere."""
    from dspy_profiles.cli.profiles._as_env import raw_values, read_variables

    where = target(name, **choice)
    variables = raw_values(path)
    values, ignored = read_variables(variables, prefix, where.scene.names)
    if not values:
        raise InvalidFile(
            f"no variable is named {prefix}LM_MODEL, {prefix}SETTINGS_… or similar",
            "pass --prefix if your variables start with another word",
            Place(path),
        )

    def add(edit: Edit, _: Warnings) -> None:
        _remove_old(edit, where, name, overwrite=overwrite)
        for key, value in values.items():
            edit.set((name, *key), value)

    change(where, name, add, list(values), force=force)
    is_loaded = any(env.exists() and env.samefile(path) for env in where.scene.env_files)
    references = [v[2:-1] for v in values.values() if isinstance(v, str) and v[2:-1] in variables]
    return where, ignored, [] if is_loaded else references


def _from_profiles(
    path: Path, name: str | None, *, overwrite: bool, **choice: Any
) -> tuple[list[str], Target]:
    """Write all profiles of another file, or one of them."""
    source = read_toml(path)
    tables = {k: v for k, v in source.data.items() if k != "$schema"}
    if name is not None and name not in tables:
        near = did_you_mean(name, tables) or f"profiles: {', '.join(tables) or 'none'}"
        raise ProfileNotFound(f'profile "{name}" not found', near, Place(path))
    names = [name] if name is not None else list(tables)
    if not names:
        raise ProfileNotFound("the file has no profiles", "name another file", Place(path))
    where = target(name, **choice)
    if where.path.exists() and where.path.samefile(path):
        raise InvalidFile("the file already holds these profiles", None, Place(path))
    hint = f"move it first: dspy-profiles secrets move --file {on_path(path)}"
    for each in names:
        table = tables[each]
        if not isinstance(table, dict):
            place = Place(path, source.line((each,)))
            raise InvalidProfile(f'"{each}" is not a profile: it must be a table', None, place)
        refuse_plaintext(Definition(each, "file", 0, table, source), where.scene.names, hint)

    def add(edit: Edit, warnings: Warnings) -> None:
        for each in names:
            _remove_old(edit, where, each, overwrite=overwrite)
            copy_between(edit, each, source, where.path.parent)
        for each in names:
            check_sound(where, edit, warnings, each)

    change_with_warnings(where.path, add)
    return names, where


def _remove_old(edit: Edit, where: Target, name: str, *, overwrite: bool) -> None:
    if name not in edit.data:
        return
    if not overwrite:
        refuse_taken(edit.data, name, f"pass --yes to replace it in {on_path(where.path)}")
    edit.unset((name,))


def export(
    name: Name,
    *,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="Output format.",
            autocompletion=lambda: list(FORMATS),
        ),
    ] = "toml",
    to: Out = None,
    yes: Overwrite = False,
    file: File = None,
) -> None:
    """Export a profile as TOML, JSON, variables or Python.

    Values are effective ones. References stay references; a plaintext secret is an error.
    """
    if form not in FORMATS:
        raise typer.BadParameter(
            f"{form!r} is not one of {', '.join(FORMATS)}", param_hint="--format"
        )
    scene = Scene.now(file)
    profile = resolve_choice(scene, Choice(name, "from the command line"))
    if form == "json" and to is None:
        emit(**_payload(profile))
        return
    text = _text(profile, form)
    if to is None:
        out_text(text)
        return
    _refuse_own_files(scene, to)
    from dspy_profiles.cli.profiles._write import write_new

    write_new(to, text, overwrite=yes, is_ours=not acts_in(profile, scene.untrusted))
    note(Text(f"{profile.name} is written to {on_path(to)}", style=MUTED))


def _refuse_own_files(scene: Scene, path: Path) -> None:
    where = scene.locations
    own = (
        *(layer.path for layer in where.layers),
        *where.pyprojects,
        where.user_file,
        where.user_config,
        *scene.env_files,
    )
    if path.exists() and any(p.exists() and path.samefile(p) for p in own):
        raise InvalidFile(
            "dspy-profiles reads this file, and export would replace all of it",
            "name another --out file; import adds profiles to an existing one",
            Place(path),
        )


def _text(profile: ResolvedProfile, form: str) -> str:
    if form == "json":
        payload = {"version": JSON_VERSION, **_payload(profile)}
        return escaped(json.dumps(payload, indent=2, ensure_ascii=False)) + "\n"
    if form == "python":
        from dspy_profiles.cli.profiles._as_python import program

        return program(profile)
    if form == "env":
        from dspy_profiles.cli.profiles._as_env import variables

        return "\n".join(variables(anchored(profile), "DSPY_")) + "\n"
    return _as_toml(profile.name, anchored(profile))


def _payload(profile: ResolvedProfile) -> dict[str, Any]:
    return {"name": profile.name, "profile": as_json(anchored(profile))}


def _as_toml(name: str, values: Mapping[str, Any]) -> str:
    edit = Edit(Document(Path(name)))
    roles = {role: table for role, table in values.get("lms", {}).items() if table}
    rest = {role: table for role, table in values.get("lms", {}).items() if not table}
    others = {key: value for key, value in values.items() if key != "lms" or rest or not roles}
    edit.set((name,), others | ({"lms": rest} if "lms" in others else {}))
    for role, table in roles.items():  # a section for each
        for key, value in table.items():
            edit.set((name, "lms", role, key), value)
    return edit.text
