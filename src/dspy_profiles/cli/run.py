"""`run`: run a program under a profile, without changing its code."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dspy_profiles.cli._options import File, Profile
from dspy_profiles.cli._output import note, use_color, warn
from dspy_profiles.config import SETTINGS, locate, vouch_for_code
from dspy_profiles.errors import Untrusted
from dspy_profiles.profiles import parse_assignments
from dspy_profiles.run import (
    Launch,
    Recorded,
    code_of,
    cut_off_by,
    is_pythons,
    launch,
    program_words,
    run_program,
)

__all__ = ["add_to", "own_words"]

NAME = "run"
MODES = next(setting for setting in SETTINGS if setting.name == "cassettes").choices
FOR_EVERY_COMMAND = frozenset({"--debug", "--no-color"})  # ours only before the program
WITH_VALUE = frozenset(
    {"--profile", "-p", "--file", "--set", "--cassette", "--cassettes", "--store"}
)


def add_to(app: typer.Typer) -> None:
    """Add this command to an app."""
    app.command(
        NAME, cls=Run, epilog="Example: dspy-profiles run --profile prod -- python my_program.py"
    )(run)


def own_words(words: Sequence[str]) -> int:
    """Return how many of the words after `run` are its own; the program gets the rest."""
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        if not word.startswith("-") or is_pythons(word):
            return at
        at += 2 if word in WITH_VALUE else 1
    return min(at, len(words))


class Run(TyperCommand):
    """A command whose own options end where the program's arguments begin."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        at = own_words(args)
        own, program = args[:at], args[at:]
        if "--debug" in own:
            ctx.ensure_object(dict)["debug"] = True
        if "--no-color" in own:
            use_color(wanted=False)
        own = [word for word in own if word not in FOR_EVERY_COMMAND]
        dashes = ["--"] if program[:1] != ["--"] else []
        return super().parse_args(ctx, [*own, *dashes, *program])


Command = Annotated[
    list[str],
    typer.Argument(metavar="CMD", help="A script, -m MODULE, -c CODE, or any command."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value for this run."),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Use this profile also for every profile the code names."),
]
Cassette = Annotated[
    Path | None,
    typer.Option("--cassette", metavar="FILE", help="Replay responses from this cassette."),
]
Mode = Annotated[
    str | None,
    typer.Option("--cassettes", metavar="MODE", help="none, once, new, all or off. Default: none."),
]
Record = Annotated[bool, typer.Option("--record", help="Record the run as an experiment.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", help="Store of the experiment. Default: the setting store."
    ),
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
    """Run a program under a profile, without changing its code.

    The program keeps the terminal, its input, output and exit code. The profile is active on
    every thread from the import of DSPy on. It overrides what the program configures.
    """
    if store is not None and not record:
        raise typer.BadParameter("--store needs --record")
    words, recorded = program_words(words), _recorded(cassette, cassettes)
    vouch_for_code(code_of(words), locate(file=file).root)  # it runs in any case

    def start(recorded: Recorded) -> Launch:
        launched = launch(
            profile, file, parse_assignments(overrides or ()), force=force, recorded=recorded
        )
        if launched.profile is None:
            note("no active profile, and no --profile: the program runs without one")
        elif option := cut_off_by(words, launched.environ):
            warn(
                f"Python option {option} disables the profile: the program runs without it",
                "remove the option, or call dspy_profiles.configure() in the program",
            )
        return launched

    try:
        code = _run(words, store, recorded, start, record=record)
    except Untrusted as error:
        from dspy_profiles.run import is_allowed  # most programs start without a question

        if not is_allowed(error):
            raise
        code = _run(words, store, recorded, start, record=record)
    raise typer.Exit(code)


def _run(
    words: Sequence[str],
    store: str | None,
    recorded: Recorded,
    start: Callable[[Recorded], Launch],
    *,
    record: bool,
) -> int:
    if not record:
        return run_program(words, start(recorded))
    from dspy_profiles.run import run_recorded

    return run_recorded(words, store, recorded, start)


def _recorded(cassette: Path | None, mode: str | None) -> Recorded:
    if cassette is None:
        if mode is not None:
            raise typer.BadParameter("--cassettes needs --cassette FILE")
        return Recorded()
    if mode is not None and mode not in MODES:
        raise typer.BadParameter(f'unknown mode "{mode}"; modes: {", ".join(MODES)}')
    return Recorded() if mode == "off" else Recorded(cassette, mode or "none")
