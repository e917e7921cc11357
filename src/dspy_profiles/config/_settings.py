"""The values of settings: from files, variables and flags, with the origin of each."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspy_profiles.config import _document
from dspy_profiles.config._locations import Locations
from dspy_profiles.config._settings_table import (
    SETTINGS,
    SETTINGS_BY_NAME,
    Setting,
    Value,
    meant_by,
)
from dspy_profiles.config._trust import read_of_project
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place, did_you_mean
from dspy_profiles.secrets import Names, expand_user

__all__ = [
    "SETTINGS_TABLE",
    "SettingValue",
    "Settings",
    "load_settings",
    "setting_from_text",
    "settings_from_table",
    "settings_home",
]


@dataclass(frozen=True)
class SettingValue:
    """A value, its origin, and the folder that its relative paths start from."""

    value: Value
    origin: str  # "built-in", "pyproject.toml:4", "DSPY_PROFILES_ENV_FILE", "--env-file"
    folder: Path
    layer: str = "given"  # "user", "project", "built-in"; "given": a variable, a flag, pytest's ini
    file: Path | None = None


@dataclass(frozen=True)
class Settings:
    """The effective value of every setting."""

    values: Mapping[str, SettingValue]
    files: tuple[Path, ...]  # the files that count, existing or not

    @property
    def secret_names(self) -> Names:
        """Return the names of keys and variables that hold secrets."""
        return Names.extended(self.texts("secret-keys"), self.texts("not-secret"))

    def text(self, name: str) -> str | None:
        value = self.values[name].value
        return value if isinstance(value, str) else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values[name].value
        return value if isinstance(value, tuple) else ()

    def is_given(self, name: str) -> bool:
        return self.values[name].origin != "built-in"

    def path(self, name: str) -> Path | None:
        """Return the setting as a path, relative to its origin's folder."""
        text = self.text(name)
        return None if text is None else self.values[name].folder / expand_user(text)

    def paths(self, name: str) -> tuple[Path, ...]:
        folder = self.values[name].folder
        return tuple(folder / expand_user(text) for text in self.texts(name))


def load_settings(
    locations: Locations,
    *,
    ini: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> Settings:
    """Read the settings: defaults, user, project, pytest's ini, environment, flags; the last wins.

    `ini` and `flags` are pytest's. `DSPY_PROFILE` is not read here, since choosing a profile reads
    it.
    """
    values = {
        s.name: SettingValue(s.default, "built-in", locations.cwd, "built-in") for s in SETTINGS
    }
    # A home that cannot be read, as root's by a service, counts as one without settings.
    if os.path.exists(locations.user_config):  # noqa: PTH110 - Path.exists would raise
        user = _document.read_toml(locations.user_config)
        values.update(settings_from_table(user, user.data, (), "user"))
    project = _project_config(locations)
    if project is not None:
        table = project.data["tool"]["dspy-profiles"]
        values.update(settings_from_table(project, table, SETTINGS_TABLE, "project"))
    for setting in SETTINGS:
        in_environment = os.environ.get(setting.env) if setting.name != "default" else None
        for text, origin in (
            ((ini or {}).get(setting.name), setting.ini),
            (in_environment, setting.env),
            ((flags or {}).get(setting.name), setting.pytest_flag),
        ):
            if text:
                value = setting_from_text(setting, text, origin)
                values[setting.name] = SettingValue(value, origin, locations.cwd)
    return Settings(values, (locations.user_config, *locations.pyprojects))


def settings_home(
    name: str, locations: Locations, *, user: bool = False
) -> tuple[Path, tuple[str, ...]]:
    """Return the file to write a setting to, and its key there.

    This is the pyproject.toml that has the table, or the nearest one, or with `user` or without a
    pyproject.toml the user's config.toml.
    """
    if not user:
        project = _project_config(locations)
        path = project.path if project is not None else next(iter(locations.pyprojects), None)
        if path is not None:
            return path, (*SETTINGS_TABLE, name)
    return locations.user_config, (name,)


SETTINGS_TABLE = ("tool", "dspy-profiles")


def _project_config(locations: Locations) -> _document.Document | None:
    for path in locations.pyprojects:
        document = read_of_project(path, locations)
        tool = document.data.get("tool")
        if isinstance(tool, dict) and "dspy-profiles" in tool:
            if not isinstance(tool["dspy-profiles"], dict):
                raise InvalidFile(
                    "[tool.dspy-profiles] is not a table",
                    where=Place(path, document.line(SETTINGS_TABLE)),
                )
            return document
    return None


def settings_from_table(
    source: _document.Document, table: Mapping[str, Any], prefix: tuple[str, ...], layer: str
) -> dict[str, SettingValue]:
    """Return the settings of one table. Raise InvalidFile for an unknown name or a wrong type."""
    values = {}
    for key, raw in table.items():
        place = Place(source.path, source.line((*prefix, key)))
        setting = SETTINGS_BY_NAME.get(key)
        if setting is None:
            raise InvalidFile(f'unknown setting "{key}"', hint=meant_by(key), where=place)
        value, path = _typed(setting, raw, place), source.path
        values[key] = SettingValue(value, str(place), path.parent, layer, path)
    return values


def setting_from_text(setting: Setting, text: str, origin: str) -> Value:
    """Parse a setting from the text of a variable, an ini file or a command line."""
    if setting.many:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return _one(setting, text, origin)


def _typed(setting: Setting, raw: object, place: Place) -> Value:
    if "\0" in str(raw) or (isinstance(raw, list) and any("\0" in str(item) for item in raw)):
        raise InvalidFile(f"{setting.name} contains a NUL character", where=place)
    if setting.many:
        items = raw if isinstance(raw, list) else [raw]
        if all(isinstance(item, str) for item in items):
            return tuple(items)
    elif setting.choices:
        return _chosen(setting, str(raw).lower() if isinstance(raw, bool) else raw, place)
    elif isinstance(raw, str):
        return _one(setting, raw, place)
    expected = "a string or a list of strings" if setting.many else "a string"
    raise InvalidFile(f"{setting.name} must be {expected}", where=place)


def _one(setting: Setting, text: str, where: Place | str) -> str:
    """Return the text. Raise InvalidFile if it is not valid for the setting."""
    if setting.choices:
        return _chosen(setting, text, where)
    if setting.name == "budget":
        from dspy_profiles.config._budgets import Budgets  # rarely needed

        try:
            Budgets.from_text(text)
        except InvalidProfile as error:
            raise InvalidFile(error.message, error.hint, where) from None
    return text


def _chosen(setting: Setting, raw: object, where: Place | str) -> str:
    if isinstance(raw, str) and raw.strip().lower() in setting.choices:
        return raw.strip().lower()
    choices = " or ".join(setting.choices)
    raise InvalidFile(
        f"{setting.name} must be {choices}, not {raw!r}",
        hint=did_you_mean(str(raw), setting.choices),
        where=where,
    )
