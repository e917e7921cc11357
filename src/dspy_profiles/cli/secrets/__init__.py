"""`secrets list`, `secrets check`, `secrets move`: references, and whether they resolve."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson, File, Yes, profile_names
from dspy_profiles.cli._output import ACCENT, MUTED, columns, emit, note, out
from dspy_profiles.cli.profiles.show import origin_json
from dspy_profiles.cli.secrets._check import SecretUse, Status, find_uses
from dspy_profiles.config import join_key
from dspy_profiles.display import show_place
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import Scene
from dspy_profiles.secrets import redact

__all__ = ["add_to"]

Profiles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PROFILE]…", help="Profile names. Default: all.", autocompletion=profile_names
    ),
]

FAILED = (Status.MISSING, Status.PLAINTEXT, Status.ERROR, Status.UNTRUSTED)


def add_to(app: typer.Typer) -> None:
    """Add this group of commands to an app."""
    group = typer.Typer(
        name="secrets",
        help="List, check and move the secrets that profiles refer to.",
        no_args_is_help=True,
    )
    group.command("list", epilog="Example: dspy-profiles secrets list prod")(list_references)
    group.command(epilog="Example: dspy-profiles secrets check prod")(check)
    group.command(epilog="Example: dspy-profiles secrets move --yes")(move)
    app.add_typer(group)


def list_references(names: Profiles = None, *, file: File = None, json: AsJson = False) -> None:
    """List every reference of each profile, with its origin."""
    uses, errors = find_uses(Scene.now(file), names or (), follow=False)
    if json:
        emit(references=[_as_json(one) for one in uses], errors=_errors(errors))
        return
    rows = []
    for one in uses:
        reference = Text("plaintext: dspy-profiles secrets move", style="red")
        if one.reference is not None:
            reference = Text(one.reference, style=ACCENT)
        rows.append((Text(one.profile, style="bold"), join_key(one.key), reference, *_where(one)))
    if rows:
        out(columns(rows, ("PROFILE", "KEY", "REFERENCE", "FROM", "")))
    else:
        note(Text("no profile has references", style=MUTED))
    _note_errors(errors)


def check(names: Profiles = None, *, file: File = None, json: AsJson = False) -> None:
    """Check that every reference resolves. Shows no value."""
    uses, errors = find_uses(Scene.now(file), names or (), follow=True)
    missing = [one for one in uses if one.status in FAILED]
    if json:
        emit(
            ok=not missing and not errors,
            references=[_as_json(one) for one in uses],
            errors=_errors(errors),
        )
    else:
        rows = [
            (
                Text(
                    "✓" if one not in missing else "✗", style="red" if one in missing else "green"
                ),
                Text(one.profile, style="bold"),
                join_key(one.key),
                one.reference or "",
                Text(one.message, style="red" if one in missing else MUTED),
                *_where(one)[:1],
            )
            for one in uses
        ]
        if rows:
            out(columns(rows))
        else:
            note(Text("no profile has references", style=MUTED))
        for hint in dict.fromkeys(one.hint for one in missing if one.hint):
            note(Text(f"  hint: {redact(hint)}"))
        _note_errors(errors)
    if any(one.status is Status.UNTRUSTED for one in missing):
        raise typer.Exit(7)
    if missing:
        raise typer.Exit(5)
    if errors:
        raise typer.Exit(4)


def move(*, yes: Yes = False, file: File = None) -> None:
    """Move plaintext secrets to .env, leaving references."""
    from dspy_profiles.cli.secrets._move import move_all

    left = move_all(file, yes=yes)
    if left:
        raise typer.Exit(5)


def _where(one: SecretUse) -> tuple[Text, Text]:
    inherited = "" if one.origin.profile == one.profile else f"from {one.origin.profile}"
    return Text(show_place(one.origin.place), style=MUTED), Text(inherited, style=MUTED)


def _as_json(one: SecretUse) -> dict[str, Any]:
    return {
        "profile": one.profile,
        "key": join_key(one.key),
        "reference": one.reference,
        "secret": one.is_secret,
        "status": one.status.value,
        "source": one.source,
        "message": one.message or None,
        "hint": one.hint,
        "origin": origin_json(one.origin),
    }


def _errors(errors: Sequence[tuple[str, ProfileError]]) -> list[dict[str, Any]]:
    return [
        {
            "profile": name,
            "message": error.message,
            "hint": error.hint,
            "where": None if error.where is None else str(error.where),
        }
        for name, error in errors
    ]


def _note_errors(errors: Sequence[tuple[str, ProfileError]]) -> None:
    for name, error in errors:
        note(Text(f"{name}: {' '.join(redact(str(error)).split())}", style="red"))
