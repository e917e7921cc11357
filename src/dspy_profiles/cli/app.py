"""The app itself: what holds for every command, and the commands."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import dspy_profiles
from dspy_profiles.cli import changing, output, reading
from dspy_profiles.cli.demo import demo
from dspy_profiles.errors import ProfileError

__all__ = ["app"]

INTERRUPTED = 130


class Commands(TyperGroup):
    """Ends every command as the contract says: one red line and a code, never a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Options for every command may stand behind it, where one thinks of them.
        ours, dashes, childs = _split(args)
        ctx.obj = {"debug": "--debug" in ours}
        output.use_color(wanted="--no-color" not in ours)
        ours = [word for word in ours if word not in ("--debug", "--no-color")]
        return super().parse_args(ctx, [*ours, *dashes, *childs])

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ProfileError as error:
            if ctx.obj["debug"]:
                raise
            output.fail(error)
            raise typer.Exit(error.exit_code) from None
        except (KeyboardInterrupt, typer.Abort):
            output.note("interrupted; nothing was changed")
            raise typer.Exit(INTERRUPTED) from None


def _split(args: list[str]) -> tuple[list[str], list[str], list[str]]:
    """What is ours, and what a child of `run` gets untouched."""
    if "--" in args:
        at = args.index("--")
        return args[:at], ["--"], args[at + 1 :]
    return args, [], []


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dspy-profiles {dspy_profiles.__version__}")
        raise typer.Exit


app = typer.Typer(
    name="dspy-profiles",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Print without colours.")] = False,
) -> None:
    """Named configuration profiles for DSPy: in tests, notebooks and the terminal."""


for group in (reading, changing):
    group.add_to(app)
app.command()(demo)

if sys.platform == "win32":  # a pipe's encoding there may know neither … nor ✓
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
