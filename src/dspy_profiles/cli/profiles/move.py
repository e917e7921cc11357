"""`import` and `export`: profiles from and to other forms. No secret takes part."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from dspy_profiles.cli._options import File, Force, Name, Out, Overwrite, Profile, ToProject, ToUser
from dspy_profiles.cli._output import MUTED, emit, note, out, out_raw, warn
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidFile, Place
from dspy_profiles.profiles import Choice, Scene, resolve_choice

__all__ = ["add_to"]

FORMS = ("toml", "json", "env", "python")


def add_to(app: typer.Typer) -> None:
    """Put these commands into an app."""
    app.command("import", epilog="Example: dspy-profiles import .env --profile dev")(import_)
    app.command(epilog="Example: dspy-profiles export prod --format python --out prod.py")(export)


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .env file, or another profiles file.")
    ],
    *,
    profile: Profile = None,
    prefix: Annotated[
        str, typer.Option("--prefix", help="What the variables of a .env file start with.")
    ] = "DSPY_",
    yes: Overwrite = False,
    force: Force = False,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Take profiles from a .env file (DSPY_LM_MODEL, …) or from another profiles file.

    A secret is never copied: it is referred to by its variable. All of it is written, or nothing.
    """
    from dspy_profiles.cli.profiles import _import

    if _import.is_profiles_file(source):
        names, where = _import.from_profiles(
            source, profile, overwrite=yes, file=file, project=project, user=user
        )
        left_out: list[str] = []
        needed: list[str] = []
    else:
        name = profile or "default"
        where, left_out, needed = _import.from_variables(
            source, name, prefix, overwrite=yes, force=force, file=file, project=project, user=user
        )
        names = [name]
    for name in names:
        out(Text.assemble((name, "bold"), " is imported   ", (on_path(where.path), MUTED)))
    if left_out:
        note(Text(f"{', '.join(left_out)}: of no section, left out", style=MUTED))
    if needed:
        warn(
            f"{on_path(source)} is not read by itself; set there: {', '.join(needed)}",
            "put them into .env, or export them",
        )


def export(
    name: Name,
    *,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(FORMS),
            help="What to write it as.",
            autocompletion=lambda: list(FORMS),
        ),
    ] = "toml",
    to: Out = None,
    yes: Overwrite = False,
    file: File = None,
) -> None:
    """Write what a profile comes to as TOML, JSON, variables or a Python program.

    References stay references; a secret in clear is refused.
    """
    from dspy_profiles.cli.profiles import _export

    if form not in FORMS:
        raise typer.BadParameter(f"{form!r} is none of {', '.join(FORMS)}", param_hint="--format")
    scene = Scene.now(file)
    found = resolve_choice(scene, Choice(name, "from the command line"))
    if form == "json" and to is None:
        emit(**_export.as_payload(found))
        return
    text = _export.text(found, form)
    if to is None:
        out_raw(text)
        return
    _refuse_ours(scene, to)
    from dspy_profiles.cli.profiles._write import write_new

    write_new(to, text, overwrite=yes)
    note(Text(f"{found.name} is written to {on_path(to)}", style=MUTED))


def _refuse_ours(scene: Scene, path: Path) -> None:
    where = scene.locations
    ours = (
        *(layer.path for layer in where.layers),
        *where.pyprojects,
        where.user_file,
        where.user_config,
        *scene.env_files,
    )
    if path.exists() and any(p.exists() and path.samefile(p) for p in ours):
        raise InvalidFile(
            "this file is in use by dspy-profiles, and an export would replace it whole",
            "choose another file; import adds profiles to one that is there",
            Place(path),
        )
