"""The app: options and errors of every command. A command's module is imported when it runs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import dspy_profiles
from dspy_profiles._control import without_control
from dspy_profiles.cli import _output
from dspy_profiles.cli._typer_without_pydantic import read_without_pydantic, without_pydantic
from dspy_profiles.errors import ProfileError, did_you_mean

__all__ = ["COMMANDS", "app"]

INTERRUPTED = 130

# In the order of `--help`. Each module adds its commands by `add_to`.
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
    "import": "profiles.transfer",
    "export": "profiles.transfer",
    "secrets": "secrets",
    "schema": "schema",
    "config": "config",
    "trust": "trust",
    "validate": "doctor",
    "doctor": "doctor",
    "run": "run",
    "versions": "versions",
    "results": "results",
    "trace": "results.trace",
    "cassettes": "cassettes",
    "demo": "demo",
}


class Commands(TyperGroup):
    """Group of all commands. An error ends each with one red line and a code, no traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        plugins = import_module("dspy_profiles.cli._plugins")
        names = plugins.usable(with_warnings=not ctx.resilient_parsing)
        return [*COMMANDS, *(name for name in names if name not in COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as Typer calls it
        if cmd_name not in COMMANDS:
            return import_module("dspy_profiles.cli._plugins").command(cmd_name)
        module_app = typer.Typer(rich_markup_mode=None, add_completion=False)
        import_module(f"dspy_profiles.cli.{COMMANDS[cmd_name]}").add_to(module_app)
        module_app.callback()(lambda: None)  # else Typer makes a single command the app itself
        return without_pydantic(typer.main.get_group(module_app).commands[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not self.get_command(ctx, name):
            near = did_you_mean(name, self.list_commands(ctx)) or "see dspy-profiles --help"
            ctx.fail(f'unknown command "{name}"; {near}')
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Options of every command may also follow the command.
        read_without_pydantic(self.get_params(ctx))
        own, others = _split(args)
        ctx.obj = {"debug": "--debug" in own}
        _output.use_color(wanted="--no-color" not in own)
        own = [word for word in own if word not in ("--debug", "--no-color")]
        with _errors_end(ctx):  # `--help` and `--version` end here
            return super().parse_args(ctx, [*own, *others])

    def _main_shell_completion(self, *args: Any, **named: Any) -> None:
        if not any(name.endswith("_COMPLETE") for name in os.environ):
            return
        from dspy_profiles.cli._completion import in_silence

        os.environ["TERMINAL_WIDTH"] = "1000"  # fish would offer each line of a folded help text
        try:
            with in_silence():
                super()._main_shell_completion(*args, **named)
        except Exception:  # noqa: BLE001 - a wrong line is reported when it runs
            sys.exit(1)

    def invoke(self, ctx: Any) -> Any:
        with _errors_end(ctx):
            return super().invoke(ctx)


@contextmanager
def _errors_end(ctx: Any) -> Iterator[None]:
    """Print an error of the block, and end the command with its exit code."""
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
            _output.print_traceback(error)
        else:
            _output.fail(error)
        raise typer.Exit(error.exit_code) from None
    except (KeyboardInterrupt, typer.Abort):
        _output.note("interrupted; nothing was changed")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        # Typer prints usage errors itself, and a hint in one may name what a file names.
        if isinstance(message := getattr(error, "message", None), str):
            error.message = without_control(message)  # type: ignore[attr-defined]
        raise


def _split(args: list[str]) -> tuple[list[str], list[str]]:
    """Split the arguments into those that we read and those that `run` passes on."""
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
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print tracebacks of errors.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Print without colors.")] = False,
) -> None:
    """Run DSPy programs, tests and notebooks under named configuration profiles."""


if sys.platform == "win32":  # the encoding of a pipe may lack … and ✓
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
