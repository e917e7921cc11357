"""Every file that counts, read for as far as it can be read; what cannot is a fault.

Everybody else stops at the first broken file, as they must. Here the others are still looked at.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dspy_profiles.cli.doctor._fault import Fault
from dspy_profiles.config import (
    SETTINGS_TABLE,
    Document,
    KeyPath,
    Locations,
    Settings,
    SettingValue,
    load_settings,
    locate,
    read_toml,
    settings_from_table,
)
from dspy_profiles.errors import InvalidFile, Place, did_you_mean
from dspy_profiles.profiles import Catalog, Scene
from dspy_profiles.secrets import INVALID_LINE, invalid_lines

__all__ = ["Survey", "survey"]


@dataclass(frozen=True)
class Survey:
    """What could be read, and the faults of what could not."""

    scene: Scene
    faults: tuple[Fault, ...]  # every session here stops at the first of them
    default: tuple[Fault, ...]  # what only those meet who name no profile
    env: tuple[Fault, ...]  # lines of `.env` files that say nothing
    broken: tuple[Path, ...]  # profiles files that cannot be read
    files: tuple[tuple[str, Path], ...]  # all that have a say, broken or not: kind, path


def survey(file: Path | None = None) -> Survey:
    """Look at every file that a session here would read."""
    where = locate(file=file)
    faults: list[Fault] = []
    documents: list[tuple[str, Document]] = []
    broken = []
    for layer in where.layers:
        found = _read(layer.path, faults)
        if found is None:
            broken.append(layer.path)
            continue
        if found.stamp is None:  # one that was named: others are there, or do not count
            place = Place(found.path)
            faults.append(Fault("error", "there is no such file", _near(layer.path), place))
        documents.append((layer.name, found))
    files = [(layer.name, layer.path) for layer in where.layers]
    given = _settings(where, faults, files)
    scene = Scene(where, given, Catalog(tuple(documents)))
    default = [] if broken else _unknown_default(scene)
    places = invalid_lines(scene.env_files)
    env = [Fault("warning", INVALID_LINE, None, place) for place in places]
    return Survey(scene, tuple(faults), tuple(default), tuple(env), tuple(broken), tuple(files))


def _read(path: Path, faults: list[Fault]) -> Document | None:
    try:
        return read_toml(path)
    except InvalidFile as error:
        faults.append(Fault.told(error))
        return None


def _near(path: Path) -> str | None:
    try:
        beside = [other.name for other in path.parent.glob("*.toml")]
    except OSError:
        return None
    return did_you_mean(path.name, beside)


def _settings(where: Locations, faults: list[Fault], files: list[tuple[str, Path]]) -> Settings:
    """The suite settings that are sound; each that is not is a fault."""
    # With no file at all: what is built in, and what the environment says above every file.
    bare = load_settings(replace(where, user_config=Path(os.devnull), pyprojects=()))
    values = dict(bare.values)
    for kind, source, table, prefix in _tables(where, faults):
        files.append((kind, source.path))
        for key, raw in table.items():
            try:
                values.update(settings_from_table(source, {key: raw}, prefix))
            except InvalidFile as error:
                faults.append(Fault.told(error, key=(key,)))
    values.update({name: value for name, value in bare.values.items() if bare.is_given(name)})
    return Settings(values, (where.user_config, *where.pyprojects))


def _tables(
    where: Locations, faults: list[Fault]
) -> Iterator[tuple[str, Document, Mapping[str, Any], KeyPath]]:
    """The tables that hold settings, the user's first: the project's has more to say."""
    if os.path.exists(where.user_config):  # noqa: PTH110 - Path.exists would raise
        user = _read(where.user_config, faults)
        if user is not None:
            yield "config", user, user.data, ()
    for path in where.pyprojects:
        found = _read(path, faults)
        tool = found.data.get("tool") if found is not None else None
        if found is None or not isinstance(tool, dict) or SETTINGS_TABLE[1] not in tool:
            continue
        table = tool[SETTINGS_TABLE[1]]
        if isinstance(table, dict):
            yield "pyproject", found, table, SETTINGS_TABLE
        else:
            place = Place(path, found.line(SETTINGS_TABLE))
            faults.append(Fault("error", "[tool.dspy-profiles] is not a table", None, place))
        return


def _unknown_default(scene: Scene) -> list[Fault]:
    """The default has to be a profile; a name that leads nowhere fails wherever it is needed."""
    value: SettingValue = scene.settings.values["default"]
    name = value.value
    known = scene.catalog.names()
    if not isinstance(name, str) or name in known:
        return []
    hint = did_you_mean(name, known) or f"profiles: {', '.join(known)}"
    message = f'the default is "{name}", and there is no such profile'
    return [Fault("error", message, hint, _place(value.origin), key=("default",))]


def _place(origin: str) -> Place | str:
    """The place that a setting's origin spells out."""
    path, _, line = origin.rpartition(":")
    return Place(Path(path), int(line)) if path and line.isdigit() else origin
