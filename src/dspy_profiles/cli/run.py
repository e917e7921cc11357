"""`run`: a program on a profile, with not a line of it changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dspy_profiles.cli._options import File, Profile
from dspy_profiles.cli._output import note, use_color, warn
from dspy_profiles.config import SETTINGS
from dspy_profiles.profiles import parse_assignments
from dspy_profiles.run import (
    Launch,
    Recorded,
    become,
    cut_off_by,
    is_pythons,
    launch,
    program_words,
)

__all__ = ["add_to", "own_words"]

NAME = "run"
MODES = next(setting for setting in SETTINGS if setting.name == "cassettes").choices
FOR_EVERY_COMMAND = frozenset({"--debug", "--no-color"})  # these are ours only up to the child
WITH_VALUE = frozenset(
    {"--profile", "-p", "--file", "--set", "--cassette", "--cassettes", "--store"}
)


def add_to(app: typer.Typer) -> None:
    """Put the command into an app."""
    app.command(
        NAME, cls=Run, epilog="Example: dspy-profiles run --profile prod -- python my_program.py"
    )(run)


def own_words(words: Sequence[str]) -> int:
    """How many of the words behind `run` are run's own; the child gets the rest untouched."""
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        if not word.startswith("-") or is_pythons(word):
            return at
        at += 2 if word in WITH_VALUE else 1
    return min(at, len(words))


class Run(TyperCommand):
    """A command that ends its own options where the child's words begin."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        at = own_words(args)
        own, childs = args[:at], args[at:]
        if "--debug" in own:
            ctx.ensure_object(dict)["debug"] = True
        if "--no-color" in own:
            use_color(wanted=False)
        own = [word for word in own if word not in FOR_EVERY_COMMAND]
        dashes = ["--"] if childs[:1] != ["--"] else []
        return super().parse_args(ctx, [*own, *dashes, *childs])


Command = Annotated[
    list[str],
    typer.Argument(metavar="CMD", help="A script, -m module, -c code, or any command."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value, for this run alone."),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Have every profile that the program names mean this one."),
]
Cassette = Annotated[
    Path | None,
    typer.Option("--cassette", metavar="FILE", help="Replay what models say from this file."),
]
Mode = Annotated[
    str | None,
    typer.Option("--cassettes", metavar="MODE", help="none, or once, new, all to record."),
]
Record = Annotated[
    bool, typer.Option("--record", help="Keep a durable record of the run, to be looked at.")
]
StoreUrl = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="Where; else the setting store.")
]


def run(
    words: Command,
    *,
    profile: Profile = None,
    file: File = None,
    overrides: Overrides = None,
    force: Force = False,
    cassette: Cassette = None,
    cassettes: Mode = None,
    record: Record = False,
    store: StoreUrl = None,
) -> None:
    """Run a program on a profile, with not a line of it changed.

    The program keeps the terminal, its input, output and exit code. DSPy is on the profile from
    its import on, on every thread; what the program itself configures does not displace it.
    """
    if store is not None and not record:
        raise typer.BadParameter("--store needs --record")
    words, recorded = program_words(words), _recorded(cassette, cassettes)

    def start(recorded: Recorded) -> Launch:
        launched = launch(
            profile, file, parse_assignments(overrides or ()), force=force, recorded=recorded
        )
        if launched.profile is None:
            note("no profile applies, and none is named by --profile; the program runs without one")
        elif option := cut_off_by(words, launched.environ):
            warn(
                f"{option} keeps the profile out of this Python: the program runs without it",
                "leave the option out, or call dspy_profiles.configure() in the program",
            )
        return launched

    if record:
        from dspy_profiles.run import run_recorded

        raise typer.Exit(run_recorded(words, store, recorded, start))
    raise typer.Exit(become(words, start(recorded).environ))


def _recorded(cassette: Path | None, mode: str | None) -> Recorded:
    if cassette is None:
        if mode is not None:
            raise typer.BadParameter("--cassettes needs a --cassette FILE")
        return Recorded()
    if mode is not None and mode not in MODES:
        known = f"the modes are {', '.join(MODES)}"
        raise typer.BadParameter(f'there is no mode "{mode}"; {known}')
    return Recorded() if mode == "off" else Recorded(cassette, mode or "none")
