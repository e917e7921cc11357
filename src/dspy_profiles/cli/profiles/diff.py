"""`diff`: what two profiles come to, side by side."""

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
    """Put this command into an app."""
    app.command(epilog="Example: dspy-profiles diff dev prod")(diff)


def diff(
    one: Annotated[str, typer.Argument(help="A profile.", autocompletion=profile_names)],
    other: Annotated[str, typer.Argument(help="Another one.", autocompletion=profile_names)],
    *,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 where they differ.")
    ] = False,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Show what two profiles come to, side by side, where they differ."""
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
        note(Text(f"{one} and {other} come to the same", style=MUTED))
    if changed and exit_code:
        raise typer.Exit(1)


_ABSENT = object()
