"""Read every file of profiles and settings; each one that is invalid is a problem.

A session stops at the first invalid file. `doctor` and `validate` read the others as well.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dspy_profiles.cli.doctor._problem import Problem
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
    """The files that could be read, and the problems of the others."""

    scene: Scene
    problems: tuple[Problem, ...]  # a session stops at the first one
    default: tuple[Problem, ...]  # of sessions that name no profile
    env: tuple[Problem, ...]  # lines of `.env` files that set nothing
    invalid: tuple[Path, ...]  # profiles files that cannot be read
    files: tuple[tuple[str, Path], ...]  # all files, invalid ones included: kind, path


def survey(file: Path | None = None) -> Survey:
    """Read every file that a session would read."""
    where = locate(file=file)
    problems: list[Problem] = []
    documents: list[tuple[str, Document]] = []
    invalid = []
    for layer in where.layers:
        document = _read(layer.path, problems)
        if document is None:
            invalid.append(layer.path)
            continue
        if document.stamp is None:  # a named file: other layers exist
            place = Place(document.path)
            problems.append(Problem("error", "file not found", _near(layer.path), place))
        documents.append((layer.name, document))
    files = [(layer.name, layer.path) for layer in where.layers]
    settings = _settings(where, problems, files)
    scene = Scene(where, settings, Catalog(tuple(documents)))
    default = [] if invalid else _unknown_default(scene)
    places = invalid_lines(scene.env_files)
    env = [Problem("warning", INVALID_LINE, None, place) for place in places]
    return Survey(scene, tuple(problems), tuple(default), tuple(env), tuple(invalid), tuple(files))


def _read(path: Path, problems: list[Problem]) -> Document | None:
    try:
        return read_toml(path)
    except InvalidFile as error:
        problems.append(Problem.from_error(error))
        return None


def _near(path: Path) -> str | None:
    try:
        beside = [other.name for other in path.parent.glob("*.toml")]
    except OSError:
        return None
    return did_you_mean(path.name, beside)


LAYERS = {"config": "user", "pyproject": "project"}


def _settings(where: Locations, problems: list[Problem], files: list[tuple[str, Path]]) -> Settings:
    """Return the valid settings; add a problem for each other one."""
    # Without files: defaults, and the environment, which overrides every file.
    bare = load_settings(replace(where, user_config=Path(os.devnull), pyprojects=()))
    values = dict(bare.values)
    for kind, source, table, prefix in _tables(where, problems):
        files.append((kind, source.path))
        for key, raw in table.items():
            try:
                values.update(settings_from_table(source, {key: raw}, prefix, LAYERS[kind]))
            except InvalidFile as error:
                problems.append(Problem.from_error(error, key=(key,)))
    values.update({name: value for name, value in bare.values.items() if bare.is_given(name)})
    return Settings(values, (where.user_config, *where.pyprojects))


def _tables(
    where: Locations, problems: list[Problem]
) -> Iterator[tuple[str, Document, Mapping[str, Any], KeyPath]]:
    """Yield the tables of settings, the user's first: the project's overrides it."""
    if os.path.exists(where.user_config):  # noqa: PTH110 - Path.exists would raise
        user = _read(where.user_config, problems)
        if user is not None:
            yield "config", user, user.data, ()
    for path in where.pyprojects:
        document = _read(path, problems)
        tool = document.data.get("tool") if document is not None else None
        if document is None or not isinstance(tool, dict) or SETTINGS_TABLE[1] not in tool:
            continue
        table = tool[SETTINGS_TABLE[1]]
        if isinstance(table, dict):
            yield "pyproject", document, table, SETTINGS_TABLE
        else:
            place = Place(path, document.line(SETTINGS_TABLE))
            problems.append(Problem("error", "[tool.dspy-profiles] is not a table", None, place))
        return


def _unknown_default(scene: Scene) -> list[Problem]:
    """Return a problem if the default profile does not exist."""
    value: SettingValue = scene.settings.values["default"]
    name = value.value
    known = scene.catalog.names()
    if not isinstance(name, str) or name in known:
        return []
    hint = did_you_mean(name, known) or f"profiles: {', '.join(known)}"
    message = f'default profile "{name}" not found'
    return [Problem("error", message, hint, _place(value.origin), key=("default",))]


def _place(origin: str) -> Place | str:
    """Return the origin of a setting as a place."""
    path, _, line = origin.rpartition(":")
    return Place(Path(path), int(line)) if path and line.isdigit() else origin
