"""`secrets move`: from a profiles file into `.env`, so that a crash on the way loses nothing.

`.env` is written first. Until the profiles file follows, the secret stands in both.
"""

import os
import shutil
import stat as modes
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import need_a_person
from dspy_profiles.cli._output import ACCENT, MUTED, columns, note, out, warn
from dspy_profiles.cli.profiles._as_env import assigned, raw_values
from dspy_profiles.cli.profiles._write import rewriting
from dspy_profiles.cli.secrets._moves import Find, Taken, Way
from dspy_profiles.cli.secrets._plaintext import definitions, is_clear, plaintext_keys
from dspy_profiles.config import Document, Edit, KeyPath, editing, join_key
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidFile, Place, WriteFailed
from dspy_profiles.profiles import Definition, Scene
from dspy_profiles.secrets import Names, parse_dotenv

__all__ = ["move_all"]


def move_all(file: Path | None, *, yes: bool) -> bool:
    """Move what can be moved; whether a secret stays in clear that was to be moved."""
    scene = Scene.now(file)
    names = scene.names
    finds = [find for each in definitions(scene) for find in _finds(each, names)]
    if not finds:
        note(Text("no secret stands in clear", style=MUTED))
        return False
    if not yes:
        need_a_person("--yes moves without asking")
    left = False
    for layer, document in scene.catalog.documents:
        mine = [f for f in finds if f.definition.document is document]
        if mine:
            left |= _move(scene, document, _env_file(scene, layer, document.path), mine, yes)
    return left


def _finds(definition: Definition, names: Names) -> Iterator[Find]:
    for key in plaintext_keys(definition, names):
        written = ("rm", "class_name") if key == ("rm", "class") else key
        for at, value in _texts(definition.table, written, ()):
            yield Find(definition, written, at, value)


def _texts(
    value: Any, key: KeyPath, at: tuple[int | str, ...]
) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """The values that a key leads to, through lists: each with the whole way to it."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, key, (*at, number))
    elif isinstance(value, Mapping):
        if key and key[0] in value:
            yield from _texts(value[key[0]], key[1:], (*at, key[0]))
    elif not key and _is_secret(value):
        yield at, value


def _is_secret(value: Any) -> bool:
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        return False
    return is_clear(str(value))


def _env_file(scene: Scene, layer: str, path: Path) -> Path:
    """The user's secrets go to the user's `.env`, all others to the project's."""
    where = scene.locations
    is_users = layer == "user" or os.path.realpath(path) == os.path.realpath(where.user_file)
    usual = where.env_files[-1] if is_users else where.root / ".env"
    if usual in scene.env_files:
        return usual
    if not scene.env_files:
        raise InvalidFile("the setting env-file names no file, so none could be read back")
    return scene.env_files[0]


def _move(scene: Scene, document: Document, env: Path, finds: Sequence[Find], yes: bool) -> bool:
    moved: list[Way] = []
    left = False
    taken = Taken(scene, env)
    at = on_path(document.path)
    for find in finds:  # who is asked may take their time: nothing is locked yet
        way = taken.way(find)
        what = f'{join_key(find.key)} of "{find.definition.name}"'
        if way is None:
            warn(f"{what} in {at} cannot be moved: it stands beside a reference", "use edit")
            left = True
        elif not (taken.holds(way.variable, way.text) or _fits(way)):
            warn(
                f"{what} in {at} cannot be moved: no .env file can hold it as it is",
                "put it into a file of its own, and write file:… in its place; or use keyring:…",
            )
            left = True
        elif yes or _confirmed(f"Move {what} in {at} to {on_path(env)} as {way.variable}?"):
            taken.keep(way)
            moved.append(way)
        else:
            note(Text(f"{what} stays in clear"))
    if moved:
        _write(document, env, moved, taken.new)
        out(columns([_row(way, env) for way in moved]))
        _warn_of_git(env, document.path)
    return left


def _fits(way: Way) -> bool:
    """Whether a variable comes out of a `.env` file as it went in: a `${` would be followed."""
    try:
        line = assigned(way.variable, way.text)
    except InvalidFile:
        return False
    return parse_dotenv(line)[0] == {way.variable: way.text}


def _confirmed(question: str) -> bool:
    return bool(typer.confirm(question, default=True, err=True))


def _write(document: Document, env: Path, ways: Sequence[Way], new: Mapping[str, str]) -> None:
    with editing(document.path) as edit:
        if edit.text != document.text:
            raise WriteFailed(
                "this file was changed by somebody else in the meantime",
                "nothing was written: run it again",
                Place(document.path),
            )
        for way in ways:
            _replace(edit, way)
        _fill(env, new)


def _row(way: Way, env: Path) -> tuple[Text, str, Text, Text]:
    return (
        Text(way.find.definition.name, style="bold"),
        join_key(way.find.key),
        Text(f"→ {way.reference}", style=ACCENT),
        Text(on_path(env), style=MUTED),
    )


def _replace(edit: Edit, way: Way) -> None:
    find = way.find
    at = next((n for n, part in enumerate(find.at) if isinstance(part, int)), len(find.at))
    key = (find.definition.name, *map(str, find.at[:at]))
    if at == len(find.at):
        edit.set(key, way.reference)
        return
    whole: Any = edit.data
    for part in key:
        whole = whole[part]
    edit.set(key, _replaced(whole, find.at[at:], way.reference))


def _replaced(value: Any, at: Sequence[int | str], new: str) -> Any:
    if not at:
        return new
    if isinstance(value, list):
        return [_replaced(v, at[1:], new) if n == at[0] else v for n, v in enumerate(value)]
    return {k: _replaced(v, at[1:], new) if k == at[0] else v for k, v in value.items()}


def _fill(env: Path, new: Mapping[str, str]) -> None:
    """Add variables to a `.env` file that is for its owner alone."""
    if not new:
        return
    lines = [assigned(name, value) for name, value in new.items()]
    with rewriting(env) as edit:
        if edit.exists and os.name == "posix":
            mode = modes.S_IMODE(edit.path.stat().st_mode)
            if mode & 0o077:
                edit.path.chmod(0o600)
                note(Text(f"{on_path(env)} is for you alone now (it was {mode:o})"))
        newline = "\r\n" if "\r\n" in edit.text else "\n"
        start = edit.text if not edit.text or edit.text.endswith("\n") else edit.text + newline
        edit.text = start + "".join(line + newline for line in lines)
        _check(edit.text, env, new)


def _check(text: str, env: Path, new: Mapping[str, str]) -> None:
    """Whether each variable comes out of this very file as it went in."""
    read, _ = parse_dotenv(text)
    before = raw_values(env) if env.exists() else {}
    wrong = [name for name, value in new.items() if read.get(name) != value or name in before]
    del read, before, new
    if wrong:
        raise InvalidFile(
            f"{', '.join(wrong)} cannot be written to this file as it is",
            "put it there by hand, or use file:… or keyring:…",
            Place(env),
        )


def _warn_of_git(env: Path, path: Path) -> None:
    if _git(env, "check-ignore", "-q") == 1:
        warn(
            f"{on_path(env)} is not ignored by git",
            f"echo {env.name} >> {on_path(env.with_name('.gitignore'))}",
        )
    if _git(path, "ls-files", "--error-unmatch") == 0:
        note(Text(f"{on_path(path)} is in git: replace by new ones what was committed"))


def _git(path: Path, *words: str) -> int | None:
    """What git answers about a file; None where there is no git, or no repository."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(path.parent), *words, "--", path.name]
    return subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603
