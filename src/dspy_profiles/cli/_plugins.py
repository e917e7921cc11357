"""Commands of plugins, by the hook `dspy_profiles_commands`. They cannot replace ours."""

from collections.abc import Iterator
from typing import Any

import typer

from dspy_profiles import plugins
from dspy_profiles.cli._output import warn
from dspy_profiles.errors import ProfileError, ProviderError
from dspy_profiles.objects import import_path

__all__ = ["command", "usable"]


def command(name: str) -> Any:
    """Return a plugin's command; None if no plugin has it."""
    registered = plugins.commands().get(name)
    if registered is None:
        return None
    app = import_path(registered) if isinstance(registered, str) else registered
    if not isinstance(app, typer.Typer):
        if not callable(app):
            raise ProviderError(
                f'plugin command "{name}" is not a command: {type(app).__name__}',
                hint="register a typer.Typer, a function, or an import path to one",
            )
        function, app = app, typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command()(function)
    built = typer.main.get_command(app)
    built.name = name
    return built


def usable(*, with_warnings: bool) -> Iterator[str]:
    """Yield the commands that can be used. One that cannot is warned about and left out."""
    try:
        names = sorted(plugins.commands())
    except ProfileError as error:
        names = []
        _warn(error, wanted=with_warnings)
    for name in names:
        try:
            command(name)
        except ProfileError as error:
            _warn(error, wanted=with_warnings)
        else:
            yield name


def _warn(error: ProfileError, *, wanted: bool) -> None:
    if wanted:
        warn(error.message, error.hint)
