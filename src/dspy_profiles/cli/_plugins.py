"""Commands that plugins bring, by the hook `dspy_profiles_commands`. Ours cannot be replaced."""

from collections.abc import Iterator
from typing import Any

import typer

from dspy_profiles import plugins
from dspy_profiles.cli._output import warn
from dspy_profiles.errors import ProfileError, ProviderError
from dspy_profiles.objects import import_path

__all__ = ["command", "usable"]


def command(name: str) -> Any:
    """The command of that name; None where no plugin has one."""
    found = plugins.commands().get(name)
    if found is None:
        return None
    app = import_path(found) if isinstance(found, str) else found
    if not isinstance(app, typer.Typer):
        if not callable(app):
            raise ProviderError(
                f'the command "{name}" of a plugin is a {type(app).__name__}',
                hint="a typer.Typer, a function, or an import path to one is needed",
            )
        function, app = app, typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command()(function)
    made = typer.main.get_command(app)
    made.name = name
    return made


def usable(*, tell: bool) -> Iterator[str]:
    """The names of those that can be used; a broken one is told, and keeps no other back."""
    try:
        names = sorted(plugins.commands())
    except ProfileError as error:
        names = []
        _tell(error, wanted=tell)
    for name in names:
        try:
            command(name)
        except ProfileError as error:
            _tell(error, wanted=tell)
        else:
            yield name


def _tell(error: ProfileError, *, wanted: bool) -> None:
    if wanted:
        warn(error.message, error.hint)
