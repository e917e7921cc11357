"""`secrets move`: from a profiles file into `.env`, so that a crash on the way loses nothing.

`.env` is written first. Until the profiles file follows, the secret stands in both.
"""

import os
import re
import shutil
import stat as modes
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from dspy_profiles import environment, secrets
from dspy_profiles.catalog import Definition
from dspy_profiles.cli.env_form import assigned, raw_values
from dspy_profiles.cli.in_clear import definitions, in_clear, names_of
from dspy_profiles.cli.options import can_ask
from dspy_profiles.cli.output import ACCENT, MUTED, columns, note, on_path, out, warn
from dspy_profiles.cli.writing import rewriting
from dspy_profiles.editing import Edit, editing
from dspy_profiles.errors import InvalidFile, Place
from dspy_profiles.redaction import AUTH_SCHEME
from dspy_profiles.resolved import KeyPath, join_key
from dspy_profiles.resolver import Scene

__all__ = ["move_all"]

STEERING = "DSPY_PROFILE"  # what starts so is not taken from a .env file


@dataclass(frozen=True)
class _Find:
    """A secret in clear: the key, and where in the lists under it."""

    definition: Definition
    key: KeyPath
    at: tuple[int | str, ...]
    value: Any = field(repr=False)


@dataclass(frozen=True)
class _Way:
    """Where a secret goes: the variable, its text, and what the profile says in its place."""

    find: _Find
    variable: str
    text: str = field(repr=False)
    reference: str


def move_all(file: Path | None, *, yes: bool) -> bool:
    """Move what can be moved; whether a secret stays in clear that was to be moved."""
    scene = Scene.now(file)
    names = names_of(scene)
    finds = [find for each in definitions(scene) for find in _finds(each, names)]
    if not finds:
        note(Text("no secret stands in clear", style=MUTED))
        return False
    if not yes and not can_ask():
        raise typer.BadParameter("nobody can be asked here; --yes moves without asking")
    left = False
    for layer, document in scene.catalog.documents:
        mine = [f for f in finds if f.definition.document is document]
        if mine:
            left |= _move(scene, document.path, _env_file(scene, layer, document.path), mine, yes)
    return left


def _finds(definition: Definition, names: secrets.Names) -> Iterator[_Find]:
    for key in in_clear(definition, names):
        written = ("rm", "class_name") if key == ("rm", "class") else key
        for at, value in _texts(definition.table, written, ()):
            yield _Find(definition, written, at, value)


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
    elif not key and _is_clear(value):
        yield at, value


def _is_clear(value: Any) -> bool:
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        return False
    text = str(value)
    refers = secrets.has_reference(text, secrets.BUILT_IN_SCHEMES)
    return any(map(secrets.is_plaintext, secrets.in_clear(text, refers=refers)))


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


def _move(scene: Scene, path: Path, env: Path, finds: Sequence[_Find], yes: bool) -> bool:
    moved: list[_Way] = []
    left = False
    with editing(path) as edit:
        taken = _Taken(scene, env)
        for find in finds:
            way = taken.way(find)
            what = f'{join_key(find.key)} of "{find.definition.name}"'
            at = on_path(path)
            if way is None:
                warn(f"{what} in {at} cannot be moved: it stands beside a reference", "use edit")
                left = True
            elif yes or typer.confirm(
                f"Move {what} in {at} to {on_path(env)} as {way.variable}?", default=True, err=True
            ):
                _replace(edit, way)
                taken.keep(way)
                moved.append(way)
            else:
                note(Text(f"{what} stays in clear"))
        if moved:
            _fill(env, taken.new)
    rows = [
        (
            Text(way.find.definition.name, style="bold"),
            join_key(way.find.key),
            Text(f"→ {way.reference}", style=ACCENT),
            Text(on_path(env), style=MUTED),
        )
        for way in moved
    ]
    if rows:
        out(columns(rows))
        _warn_of_git(env, path)
    return left


class _Taken:
    """Which variables are there, and which are on their way."""

    def __init__(self, scene: Scene, env: Path) -> None:
        read = [env] if env.exists() else []
        self.old = {n: v for f in (*reversed(scene.env_files), *read) for n, v in _values(f)}
        self.old |= os.environ
        self.new: dict[str, str] = {}

    def way(self, find: _Find) -> _Way | None:
        """How to move a secret; None where it cannot be told from what stands around it."""
        text = str(find.value)
        if not secrets.has_reference(text, secrets.BUILT_IN_SCHEMES):
            scheme = AUTH_SCHEME.match(text)
            start = scheme[0] if scheme else ""
            variable = self._free(find, text[len(start) :])
            return _Way(find, variable, text[len(start) :], f"{start}${{{variable}}}")
        fallback = secrets.TEMPLATE.fullmatch(text)
        if fallback is None or not fallback[2] or self._holds(fallback[1], None):
            return None
        return _Way(find, fallback[1], fallback[3], f"${{{fallback[1]}}}")

    def keep(self, way: _Way) -> None:
        if not self._holds(way.variable, way.text):
            self.new[way.variable] = way.text

    def _free(self, find: _Find, text: str) -> str:
        """A name that nobody has, or that has this very secret."""
        same = next((name for name, value in self.new.items() if value == text), None)
        if same is not None:
            return same
        for name in _candidates(find):
            if not self._holds(name, None) or self._holds(name, text):
                return name
        raise AssertionError  # the candidates do not end

    def _holds(self, name: str, text: str | None) -> bool:
        found = self.new.get(name, self.old.get(name))
        return found is not None and text in (None, found)


def _values(file: Path) -> list[tuple[str, str]]:
    names = environment.names_in([file])
    return [(name, environment.value_in(name, [file]) or "") for name in names]


def _candidates(find: _Find) -> Iterator[str]:
    key = _spelled(find.key[-1])
    beside: Any = find.definition.table
    for part in find.at[:-1]:
        beside = beside[part]
    model = beside.get("model") if isinstance(beside, Mapping) else None
    if find.key[-1] == "api_key" and isinstance(model, str) and "/" in model:
        yield f"{_spelled(model.partition('/')[0])}_{key}"
    elif "_" in key:
        yield key
    name = _spelled(find.definition.name)
    start = f"MY_{name}" if name.startswith(STEERING) or not name[:1].isalpha() else name
    yield f"{start}_{key}"
    yield f"{start}_{'_'.join(map(_spelled, find.key))}"
    number = 2
    while True:
        yield f"{start}_{key}_{number}"
        number += 1


def _spelled(text: str) -> str:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in parts).strip("_").upper()


def _replace(edit: Edit, way: _Way) -> None:
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
    """Whether each variable comes out as it went in: a `${` in it would be followed, say."""
    import io

    from dotenv import dotenv_values

    read = dotenv_values(stream=io.StringIO(text))
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
