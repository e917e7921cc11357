"""`diff`: the effective values of two profiles, side by side."""

from typing import Annotated

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson, File, profile_names
from dspy_profiles.cli._output import MUTED, as_json, columns, emit, note, out
from dspy_profiles.config import join_key
from dspy_profiles.display import show_value
from dspy_profiles.objects import content
from dspy_profiles.profiles import Choice, Scene, leaves, resolve_choice

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this command to an app."""
    app.command(epilog="Example: dspy-profiles diff dev prod")(diff)


def diff(
    one: Annotated[str, typer.Argument(help="Profile name.", autocompletion=profile_names)],
    other: Annotated[
        str, typer.Argument(help="Profile to compare with.", autocompletion=profile_names)
    ],
    *,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if they differ.")
    ] = False,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Compare the values of two profiles."""
    scene = Scene.now(file)
    left, right = (
        dict(
            leaves(
                resolve_choice(
                    scene, Choice(name, "from the command line"), allow_plaintext=True
                ).values
            )
        )
        for name in (one, other)
    )
    keys = list(dict.fromkeys((*left, *right)))
    # By content: 1, 1.0 and true are not the same.
    changed = [
        key for key in keys if content(left.get(key, _ABSENT)) != content(right.get(key, _ABSENT))
    ]
    if json:
        emit(
            profiles=[one, other],
            differences=[
                {
                    "key": join_key(key),
                    "values": [as_json(side.get(key)) for side in (left, right)],
                    "set": [key in side for side in (left, right)],
                }
                for key in changed
            ],
        )
    elif changed:
        rows = [
            (
                join_key(key),
                *(show_value(side[key]) if key in side else "" for side in (left, right)),
            )
            for key in changed
        ]
        out(columns(rows, ("", one, other)))
    else:
        note(Text(f"{one} and {other} have the same values", style=MUTED))
    if changed and exit_code:
        raise typer.Exit(1)


_ABSENT = object()
