"""The app itself: options that hold for every command, and the commands."""

from typing import Annotated

import typer

import dspy_profiles
from dspy_profiles.cli.demo import demo

__all__ = ["app"]

app = typer.Typer(
    name="dspy-profiles",
    help="Named configuration profiles for DSPy: in tests, notebooks and the terminal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dspy-profiles {dspy_profiles.__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Named configuration profiles for DSPy: in tests, notebooks and the terminal."""


app.command()(demo)
