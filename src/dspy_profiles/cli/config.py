"""`config list`, `config get`, `config set`: dspy-profiles settings, and their origins."""

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
    """Add this group of commands to an app."""
    group = typer.Typer(
        name="config", help="Show and change dspy-profiles settings.", no_args_is_help=True
    )
    group.command("list", epilog="Example: dspy-profiles config list")(list_settings)
    group.command(epilog="Example: dspy-profiles config get env-file")(get)
    group.command("set", epilog="Example: dspy-profiles config set not-secret page_token")(set_)
    app.add_typer(group)


SettingName = Annotated[
    str, typer.Argument(help="Name of a setting.", autocompletion=lambda: list(SETTINGS_BY_NAME))
]


def list_settings(*, json: AsJson = False) -> None:
    """List all settings with their values and origins."""
    where = locate()
    values = _values(where)
    if json:
        emit(settings=[_as_json(SETTINGS_BY_NAME[name], value) for name, value in values.items()])
        return
    rows = [
        (
            name,
            Text(_shown(value.value), style=ACCENT),
            Text(_origin(value), style=MUTED),
            Text(SETTINGS_BY_NAME[name].help, style=MUTED),
        )
        for name, value in values.items()
    ]
    out(columns(rows, ("SETTING", "VALUE", "FROM", "")))


def get(name: SettingName, *, json: AsJson = False) -> None:
    """Print one setting; a list has one item per line."""
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
    values: Annotated[
        list[str], typer.Argument(metavar="VALUE…", help="A value, or several for a list.")
    ],
    *,
    user: Annotated[
        bool, typer.Option("--user", help="Set it for you, not for the project.")
    ] = False,
    project: Annotated[bool, typer.Option("--project", help="Set it for the project.")] = False,
) -> None:
    """Set a setting, for the project or for you.

    It is written to the nearest pyproject.toml, else to your config.toml.
    """
    setting = _known(name)
    value = _value(setting, values)
    if user and project:
        raise typer.BadParameter("--user and --project exclude each other")
    where = locate()
    path, key = settings_home(setting.name, where, user=user)
    if project and path == where.user_config:
        raise InvalidProfile(
            "pyproject.toml not found in this project",
            hint="create one, or pass --user to set it for you",
        )
    if setting.name == "default":
        Scene.now().catalog.get(str(value), "from the command line")
    with editing(path) as edit:
        edit.set(key, value)
    out(Text.assemble(setting.name, " = ", (_shown(value), ACCENT), "   ", (on_path(path), MUTED)))
    effective = _values(locate())[setting.name]
    if not effective.origin.startswith(str(path)):
        note(Text(f"{_origin(effective)} overrides it with {_shown(effective.value)}"))


def _known(name: str) -> Setting:
    setting = SETTINGS_BY_NAME.get(name) or SETTINGS_BY_NAME.get(name.replace("_", "-"))
    if setting is None:
        near = did_you_mean(name, SETTINGS_BY_NAME) or f"settings: {', '.join(SETTINGS_BY_NAME)}"
        raise ProfileNotFound(f'unknown setting "{name}"', near)
    return setting


def _value(setting: Setting, words: list[str]) -> str | list[str]:
    if not setting.many:
        if not words[0].strip():
            raise InvalidProfile(f"{setting.name} must not be empty")
        if len(words) > 1:
            raise InvalidProfile(f"{setting.name} takes one value, not {len(words)}")
        setting_from_text(setting, words[0], "the command line")
        if setting.name == "store" and (shown := _masked(words[0])) != words[0]:
            raise PlaintextSecret(
                f'store "{shown}" has a plaintext password',
                hint="use a reference: postgresql://you:${PGPASSWORD}@host/database",
            )
        return words[0]
    items: list[str] = []
    for word in words:
        try:
            parsed = json_text.loads(word) if word.startswith("[") else word
        except ValueError:
            parsed = word
        # Commas separate items, as in the environment.
        items += parsed if isinstance(parsed, list) else [p.strip() for p in word.split(",")]
    if not all(isinstance(item, str) for item in items):
        raise InvalidProfile(f"{setting.name} takes strings")
    return [item for item in items if item]


def _values(where: Locations) -> dict[str, SettingValue]:
    """Return the effective settings; the default may come from the environment."""
    values = dict(load_settings(where).values)
    name = os.environ.get(SETTINGS_BY_NAME["default"].env)
    if name:
        values["default"] = SettingValue(name, SETTINGS_BY_NAME["default"].env, where.cwd)
    store = values.get("store")
    if store is not None and isinstance(store.value, str):
        values["store"] = replace(store, value=_masked(store.value))
    return values


def _masked(url: str) -> str:
    """Return the address of a store without its password."""
    from dspy_profiles.results.store import masked  # rarely needed

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
