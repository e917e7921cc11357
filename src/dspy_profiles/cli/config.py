"""`config list`, `config get`, `config set`: the suite's own settings, and who gave each."""

import json as json_text
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson
from dspy_profiles.cli._output import ACCENT, MUTED, as_json, columns, emit, note, out, out_value
from dspy_profiles.config import (
    SETTINGS_BY_NAME,
    Locations,
    Setting,
    SettingValue,
    editing,
    load_settings,
    locate,
    setting_from_text,
    settings_home,
)
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidProfile, PlaintextSecret, ProfileNotFound, did_you_mean
from dspy_profiles.profiles import Scene

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Put this group of commands into an app."""
    group = typer.Typer(
        name="config", help="Show and change the suite's own settings.", no_args_is_help=True
    )
    group.command("list", epilog="Example: dspy-profiles config list")(list_settings)
    group.command(epilog="Example: dspy-profiles config get env-file")(get)
    group.command("set", epilog="Example: dspy-profiles config set not-secret page_token")(set_)
    app.add_typer(group)


SettingName = Annotated[
    str, typer.Argument(help="A setting.", autocompletion=lambda: list(SETTINGS_BY_NAME))
]


def list_settings(*, json: AsJson = False) -> None:
    """List every setting, its value, and who gave it."""
    where = locate()
    given = _values(where)
    if json:
        emit(settings=[_as_json(SETTINGS_BY_NAME[name], value) for name, value in given.items()])
        return
    rows = [
        (
            name,
            Text(_shown(value.value), style=ACCENT),
            Text(_origin(value), style=MUTED),
            Text(SETTINGS_BY_NAME[name].help, style=MUTED),
        )
        for name, value in given.items()
    ]
    out(columns(rows, ("SETTING", "VALUE", "FROM", "")))


def get(name: SettingName, *, json: AsJson = False) -> None:
    """Print the value of one setting; of a list, each item on a line."""
    setting = _known(name)
    value = _values(locate())[setting.name]
    if json:
        emit(**_as_json(setting, value))
        return
    items = value.value if isinstance(value.value, tuple) else (value.value,)
    for item in items:
        if item is not None:
            out_value(item)
    if not any(items):
        note(Text(f"{name} is not set", style=MUTED))


def set_(
    name: SettingName,
    values: Annotated[list[str], typer.Argument(metavar="VALUE…", help="One, or several.")],
    *,
    user: Annotated[bool, typer.Option("--user", help="For this user everywhere.")] = False,
    project: Annotated[bool, typer.Option("--project", help="For this project.")] = False,
) -> None:
    """Set one setting, of the project or, where there is none, of the user."""
    setting = _known(name)
    value = _value(setting, values)
    if user and project:
        raise typer.BadParameter("choose one of --user and --project")
    where = locate()
    path, key = settings_home(setting.name, where, user=user)
    if project and path == where.user_config:
        raise InvalidProfile(
            "this project has no pyproject.toml to hold its settings",
            hint="make one, or set it for yourself: --user",
        )
    if setting.name == "default":
        Scene.now().catalog.get(str(value), "from the command line")
    with editing(path) as edit:
        edit.set(key, value)
    out(Text.assemble(setting.name, " = ", (_shown(value), ACCENT), "   ", (on_path(path), MUTED)))
    in_force = _values(locate())[setting.name]
    if not in_force.origin.startswith(str(path)):
        note(Text(f"here {_shown(in_force.value)} counts all the same: {_origin(in_force)}"))


def _known(name: str) -> Setting:
    found = SETTINGS_BY_NAME.get(name) or SETTINGS_BY_NAME.get(name.replace("_", "-"))
    if found is None:
        near = did_you_mean(name, SETTINGS_BY_NAME) or f"settings are {', '.join(SETTINGS_BY_NAME)}"
        raise ProfileNotFound(f'there is no setting "{name}"', near)
    return found


def _value(setting: Setting, words: list[str]) -> str | list[str]:
    if not setting.many:
        if len(words) > 1 or not words[0].strip():
            raise InvalidProfile(f"{setting.name} takes one value")
        setting_from_text(setting, words[0], "the command line")
        if setting.name == "store" and (shown := _masked(words[0])) != words[0]:
            raise PlaintextSecret(
                f'"{shown}" would put a password into a file',
                hint="write a reference: postgresql://you:${PGPASSWORD}@host/database",
            )
        return words[0]
    items: list[str] = []
    for word in words:
        try:
            found = json_text.loads(word) if word.startswith("[") else word
        except ValueError:
            found = word
        # A comma parts them in the environment, and so it does here.
        items += found if isinstance(found, list) else [p.strip() for p in word.split(",")]
    if not all(isinstance(item, str) for item in items):
        raise InvalidProfile(f"{setting.name} takes texts")
    return [item for item in items if item]


def _values(where: Locations) -> dict[str, SettingValue]:
    """What counts here: for the default, the environment's word as well."""
    found = dict(load_settings(where).values)
    named = os.environ.get(SETTINGS_BY_NAME["default"].env)
    if named:
        found["default"] = SettingValue(named, SETTINGS_BY_NAME["default"].env, where.cwd)
    store = found.get("store")
    if store is not None and isinstance(store.value, str):
        found["store"] = replace(store, value=_masked(store.value))
    return found


def _masked(url: str) -> str:
    """The address of a store without its password."""
    from dspy_profiles.results.store import masked  # nearly nobody has one

    return masked(url)


def _as_json(setting: Setting, value: SettingValue) -> dict[str, Any]:
    return {
        "name": setting.name,
        "value": as_json(value.value),
        "origin": value.origin,
        "env": setting.env,
        "help": setting.help,
    }


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _origin(value: SettingValue) -> str:
    path, _, line = value.origin.rpartition(":")
    is_place = line.isdigit() and path != ""
    return f"{on_path(Path(path))}:{line}" if is_place else value.origin
