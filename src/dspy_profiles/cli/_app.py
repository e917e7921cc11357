"""The app itself: what holds for every command. A command's own room is imported when it runs."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import dspy_profiles
from dspy_profiles.cli import _output
from dspy_profiles.cli._typer import read_plainly, without_pydantic
from dspy_profiles.errors import ProfileError, did_you_mean

__all__ = ["COMMANDS", "app"]

INTERRUPTED = 130

# In the order of `--help`; each room adds its commands by `add_to`.
COMMANDS = {
    "init": "profiles.init",
    "list": "profiles.show",
    "show": "profiles.show",
    "get": "profiles.show",
    "which": "profiles.show",
    "diff": "profiles.diff",
    "set": "profiles.change",
    "unset": "profiles.change",
    "copy": "profiles.change",
    "rename": "profiles.change",
    "delete": "profiles.change",
    "use": "profiles.change",
    "edit": "profiles.edit",
    "import": "profiles.move",
    "export": "profiles.move",
    "secrets": "secrets",
    "schema": "schema",
    "config": "config",
    "validate": "doctor",
    "doctor": "doctor",
    "run": "run",
    "results": "results",
    "trace": "results.trace",
    "cassettes": "cassettes",
    "demo": "demo",
}


class Commands(TyperGroup):
    """Ends every command as the contract says: one red line and a code, never a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        plugins = import_module("dspy_profiles.cli._plugins")
        theirs = plugins.usable(tell=not ctx.resilient_parsing)
        return [*COMMANDS, *(name for name in theirs if name not in COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as Typer calls it
        if cmd_name not in COMMANDS:
            return import_module("dspy_profiles.cli._plugins").command(cmd_name)
        room = typer.Typer(rich_markup_mode=None, add_completion=False)
        import_module(f"dspy_profiles.cli.{COMMANDS[cmd_name]}").add_to(room)
        room.callback()(lambda: None)  # without one, Typer makes a single command the app itself
        return without_pydantic(typer.main.get_group(room).commands[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not self.get_command(ctx, name):
            near = did_you_mean(name, self.list_commands(ctx)) or "see dspy-profiles --help"
            ctx.fail(f'there is no command "{name}"; {near}')
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Options for every command may stand behind it, where one thinks of them.
        read_plainly(self.get_params(ctx))
        ours, others = _split(args)
        ctx.obj = {"debug": "--debug" in ours}
        _output.use_color(wanted="--no-color" not in ours)
        ours = [word for word in ours if word not in ("--debug", "--no-color")]
        with _ending(ctx):  # as `--help` and `--version` do here
            return super().parse_args(ctx, [*ours, *others])

    def invoke(self, ctx: Any) -> Any:
        with _ending(ctx):
            return super().invoke(ctx)


@contextmanager
def _ending(ctx: Any) -> Iterator[None]:
    """What went wrong in here is told, and ends the command with its code."""
    try:
        try:
            yield
        except OSError as error:
            _output.lost(error)
            raise
        finally:
            _output.finish()
    except ProfileError as error:
        if ctx.obj["debug"]:
            traceback.print_exception(error)
        else:
            _output.fail(error)
        raise typer.Exit(error.exit_code) from None
    except (KeyboardInterrupt, typer.Abort):
        _output.note("interrupted; nothing was changed")
        raise typer.Exit(INTERRUPTED) from None


def _split(args: list[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what a child of `run` gets untouched."""
    command = next((word for word in args if not word.startswith("-")), None)
    end = "run" if command == "run" else "--"
    at = args.index(end) if end in args else len(args)
    return args[:at], args[at:]


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


if sys.platform == "win32":  # a pipe's encoding there may know neither … nor ✓
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
