"""The command line. `app` is a Typer app that a parent command can mount."""

from dspy_profiles.cli._app import app

__all__ = ["app"]
