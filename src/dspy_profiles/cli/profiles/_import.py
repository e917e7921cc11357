"""Where imported profiles come from, and how they get into a file: all of them or none."""

from pathlib import Path
from typing import Any

from dspy_profiles.cli.profiles._adopt import adopt
from dspy_profiles.cli.profiles._as_env import raw_values, read_variables
from dspy_profiles.cli.profiles._target import Target, changing, check_sound, refuse_taken, target
from dspy_profiles.cli.secrets._plaintext import refuse_in_clear
from dspy_profiles.config import Edit, editing, file_stamp, read_toml
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place, ProfileNotFound, did_you_mean
from dspy_profiles.profiles import Definition

__all__ = ["from_profiles", "from_variables", "is_profiles_file"]


def is_profiles_file(path: Path) -> bool:
    """Whether a file is to be read as TOML: by its name, else by what is in it."""
    if file_stamp(path) is None:
        raise ProfileNotFound(
            "there is no such file", "name a .env or a profiles file", Place(path)
        )
    if path.suffix == ".toml":
        return True
    if path.name.startswith(".env") or path.suffix == ".env":
        return False
    try:
        return any(isinstance(table, dict) for table in read_toml(path).data.values())
    except InvalidFile:
        return False


def from_variables(
    path: Path, name: str, prefix: str, *, overwrite: bool, force: bool, **choice: Any
) -> tuple[Target, list[str], list[str]]:
    """One profile of a .env file's variables; also what was left out, and what is to be set."""
    where = target(name, **choice)
    table = raw_values(path)
    found, left_out = read_variables(table, prefix, where.scene.names)
    if not found:
        raise InvalidFile(
            f"no variable in it is called {prefix}LM_MODEL, {prefix}SETTINGS_… or the like",
            "--prefix names another start",
            Place(path),
        )
    with changing(where, name, list(found), force=force) as edit:
        _make_room(edit, where, name, overwrite=overwrite)
        for key, value in found.items():
            edit.set((name, *key), value)
    is_read = any(each.exists() and each.samefile(path) for each in where.scene.env_files)
    referred = [v[2:-1] for v in found.values() if isinstance(v, str) and v[2:-1] in table]
    return where, left_out, [] if is_read else referred


def from_profiles(
    path: Path, name: str | None, *, overwrite: bool, **choice: Any
) -> tuple[list[str], Target]:
    """All profiles of another file, or one of them."""
    source = read_toml(path)
    tables = {k: v for k, v in source.data.items() if k != "$schema"}
    if name is not None and name not in tables:
        near = did_you_mean(name, tables) or f"profiles: {', '.join(tables) or 'none'}"
        raise ProfileNotFound(f'there is no profile "{name}" in it', near, Place(path))
    names = [name] if name is not None else list(tables)
    if not names:
        raise ProfileNotFound("there is no profile in it", "name another file", Place(path))
    where = target(name, **choice)
    if where.path.exists() and where.path.samefile(path):
        raise InvalidFile("these profiles are in this file already", None, Place(path))
    known = where.scene.names
    move = f"move it first: dspy-profiles secrets move --file {on_path(path)}"
    for each in names:
        table = tables[each]
        if not isinstance(table, dict):
            place = Place(path, source.line((each,)))
            raise InvalidProfile(f'"{each}" is not a profile: a profile is a table', None, place)
        refuse_in_clear(Definition(each, "file", 0, table, source), known, move)
    with editing(where.path) as edit:
        for each in names:
            _make_room(edit, where, each, overwrite=overwrite)
            adopt(edit, each, source, where.path.parent)
        for each in names:
            check_sound(where, edit, each)
    return names, where


def _make_room(edit: Edit, where: Target, name: str, *, overwrite: bool) -> None:
    if name not in edit.data:
        return
    if not overwrite:
        refuse_taken(edit.data, name, f"--yes replaces it in {on_path(where.path)}")
    edit.unset((name,))
