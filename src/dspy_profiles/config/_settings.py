"""The suite's own settings: one table, from which files, environment and flags are read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspy_profiles.config import _document
from dspy_profiles.config._locations import Locations
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place, did_you_mean
from dspy_profiles.secrets import Names, expand_user

__all__ = [
    "BY_NAME",
    "SETTINGS",
    "TOOL",
    "Setting",
    "SettingValue",
    "Settings",
    "load_settings",
    "meant_by",
    "setting_from_text",
    "settings_from_table",
    "settings_home",
]

Value = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Setting:
    """One name, spelled for each place that it can be given in."""

    name: str
    help: str
    many: bool = False  # a list of strings; one string is a list of one
    choices: tuple[str, ...] = ()  # the only values; the first is the default
    metavar: str = "TEXT"  # what a help page writes for the value
    pytest_help: str = ""  # where it means something more there
    in_pytest: bool = True  # whether pytest has an option for it
    env: str = ""
    flag: str = ""
    pytest_flag: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", self.env or f"DSPY_PROFILES_{self._snake.upper()}")
        object.__setattr__(self, "flag", self.flag or f"--{self.name}")
        object.__setattr__(self, "pytest_flag", self.pytest_flag or f"--dspy-{self.name}")

    @property
    def ini(self) -> str:
        """The key in pytest's configuration."""
        return self.pytest_flag.removeprefix("--").replace("-", "_")

    @property
    def default(self) -> Value:
        if self.choices:
            return self.choices[0]
        return () if self.many else None

    @property
    def _snake(self) -> str:
        return self.name.replace("-", "_")


SETTINGS = (
    Setting(
        "default",
        "The profile that applies where none is named.",
        metavar="NAME",
        pytest_help="The profile to run tests under; of several, NAME,NAME, each test runs once "
        "under each.",
        env="DSPY_PROFILE",
        flag="--profile",
        pytest_flag="--dspy-profile",
    ),
    Setting(
        "env-file",
        "The .env files to read, in place of the usual ones.",
        many=True,
        in_pytest=False,
    ),
    Setting(
        "secret-keys",
        "Further keys whose values are secrets; * stands for any text.",
        many=True,
        in_pytest=False,
    ),
    Setting("not-secret", "Keys that look like secrets and are none.", many=True, in_pytest=False),
    Setting(
        "missing-secrets",
        "What becomes of a test whose profile lacks a secret.",
        choices=("fail", "skip"),
    ),
    Setting(
        "live",
        "Whether tests may call models that are neither mocked, nor replayed, nor cached.",
        choices=("allow", "block"),
    ),
    Setting(
        "budget",
        "What a test run may spend: usd=0.5,tokens=100000,calls=200,prod.calls=20.",
        metavar="KIND=AMOUNT,…",
    ),
    Setting(
        "cassettes",
        "Whether what models say to tests is recorded (once, new, all) or only replayed (none).",
        choices=("off", "none", "once", "new", "all"),
    ),
    Setting(
        "cassette-dir",
        "The folder of the cassettes; else cassettes, at the root of the tests.",
        metavar="FOLDER",
    ),
    Setting(
        "store",
        "Where recorded runs are kept: file:DIR, sqlite:FILE, postgresql://…; else "
        "file:.dspy/results.",
        metavar="URL",
        pytest_help="Record the test run, each test a trial: file:DIR, sqlite:FILE, postgresql://…",
    ),
    Setting("report", "The file that a test run writes its usage to, as JSON.", metavar="FILE"),
    Setting(
        "isolation",
        "Whether each test under a profile starts with DSPy's state as it was before the others.",
        choices=("true", "false"),
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class SettingValue:
    """A value, who gave it, and the folder that relative paths in it start from."""

    value: Value
    origin: str  # "built-in", "pyproject.toml:4", "DSPY_PROFILES_ENV_FILE", "--env-file"
    folder: Path


@dataclass(frozen=True)
class Settings:
    """All settings, later givers over earlier ones."""

    values: Mapping[str, SettingValue]
    files: tuple[Path, ...]  # those that were read, there or not

    @property
    def secret_names(self) -> Names:
        """Return which keys and variables hold secrets here."""
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
        """One path, from the folder of whoever gave it."""
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
    """Built-in, user config, project config, pytest's ini, environment, command line: later wins.

    `ini` and `flags` are pytest's. `DSPY_PROFILE` is not read here: it is a stage of its own in
    choosing a profile.
    """
    values = {s.name: SettingValue(s.default, "built-in", locations.cwd) for s in SETTINGS}
    # A home that may not be looked into, as root's for a service, has no settings for us.
    if os.path.exists(locations.user_config):  # noqa: PTH110 - Path.exists would raise
        user = _document.read(locations.user_config)
        values.update(settings_from_table(user, user.data, ()))
    project = _project_config(locations)
    if project is not None:
        values.update(settings_from_table(project, project.data["tool"]["dspy-profiles"], TOOL))
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
    """The file that a setting is to be written to, and its key there.

    The project's pyproject.toml: the one that has the table, else the nearest; the user's
    config.toml where there is none, or where it is asked for.
    """
    if not user:
        found = _project_config(locations)
        path = found.path if found is not None else next(iter(locations.pyprojects), None)
        if path is not None:
            return path, (*TOOL, name)
    return locations.user_config, (name,)


TOOL = ("tool", "dspy-profiles")


def _project_config(locations: Locations) -> _document.Document | None:
    for path in locations.pyprojects:
        found = _document.read(path)
        tool = found.data.get("tool")
        if isinstance(tool, dict) and "dspy-profiles" in tool:
            if not isinstance(tool["dspy-profiles"], dict):
                raise InvalidFile(
                    "[tool.dspy-profiles] is not a table", where=Place(path, found.line(TOOL))
                )
            return found
    return None


def settings_from_table(
    source: _document.Document, table: Mapping[str, Any], prefix: tuple[str, ...]
) -> dict[str, SettingValue]:
    """The settings that one table gives; one that is unknown, or of a wrong type, is an error."""
    values = {}
    for key, raw in table.items():
        place = Place(source.path, source.line((*prefix, key)))
        setting = BY_NAME.get(key)
        if setting is None:
            raise InvalidFile(f'there is no setting "{key}"', hint=meant_by(key), where=place)
        values[key] = SettingValue(_typed(setting, raw, place), str(place), source.path.parent)
    return values


def meant_by(name: str) -> str:
    """A hint for a name that no setting has: one that is spelled like it, here or elsewhere."""
    spelled = name.lstrip("-").replace("-", "_").lower()
    for setting in SETTINGS:
        if spelled in (setting.flag.lstrip("-"), setting.ini, setting.env.lower()):
            return f'did you mean "{setting.name}"?'
    return did_you_mean(name, BY_NAME) or f"settings are {', '.join(BY_NAME)}"


def setting_from_text(setting: Setting, text: str, origin: str) -> Value:
    """A setting as an environment, an ini file or a command line gives it."""
    if setting.many:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return _one(setting, text, origin)


def _typed(setting: Setting, raw: object, place: Place) -> Value:
    if setting.many:
        items = raw if isinstance(raw, list) else [raw]
        if all(isinstance(item, str) for item in items):
            return tuple(items)
    elif setting.choices:
        return _chosen(setting, str(raw).lower() if isinstance(raw, bool) else raw, place)
    elif isinstance(raw, str):
        return _one(setting, raw, place)
    expected = "a string or a list of strings" if setting.many else "a string"
    raise InvalidFile(f"{setting.name} has to be {expected}", where=place)


def _one(setting: Setting, text: str, where: Place | str) -> str:
    """A text that the setting can have."""
    if setting.choices:
        return _chosen(setting, text, where)
    if setting.name == "budget":
        from dspy_profiles.config._budgets import Budgets  # few have one

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
        f"{setting.name} is {raw!r}, and has to be {choices}",
        hint=did_you_mean(str(raw), setting.choices),
        where=where,
    )
