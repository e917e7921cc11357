"""`secrets move`: from a profiles file to `.env`, so that a crash in between loses nothing.

`.env` is written first. Until the profiles file follows, both hold the secret.
"""

import os
import shutil
import stat as modes
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from dspy_profiles.cli._options import confirm, need_a_person
from dspy_profiles.cli._output import ACCENT, MUTED, columns, note, out, warn
from dspy_profiles.cli.profiles._as_env import assigned, raw_values
from dspy_profiles.cli.profiles._write import rewriting
from dspy_profiles.cli.secrets._plaintext import definitions, holds_plaintext, plaintext_keys
from dspy_profiles.cli.secrets._variables import Move, Plaintext, TakenNames
from dspy_profiles.config import Document, Edit, KeyPath, editing, join_key
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidFile, Place, WriteFailed
from dspy_profiles.profiles import Definition, Scene
from dspy_profiles.secrets import Names, parse_dotenv

__all__ = ["move_all"]


def move_all(file: Path | None, *, yes: bool) -> bool:
    """Move plaintext secrets to `.env`. Return whether one is left that cannot be moved."""
    scene = Scene.now(file)
    names = scene.names
    secrets = [secret for each in definitions(scene) for secret in _secrets(each, names)]
    if not secrets:
        note(Text("no plaintext secrets", style=MUTED))
        return False
    if not yes:
        need_a_person("--yes moves without asking")
    left = False
    for layer, document in scene.catalog.documents:
        own = [each for each in secrets if each.definition.document is document]
        if own:
            left |= _move(scene, document, _env_file(scene, layer, document.path), own, yes)
    return left


def _secrets(definition: Definition, names: Names) -> Iterator[Plaintext]:
    for key in plaintext_keys(definition, names, with_tolerated=True):
        written = ("rm", "class_name") if key == ("rm", "class") else key
        for at, value in _values(definition.table, written, ()):
            yield Plaintext(definition, written, at, value)


def _values(
    value: Any, key: KeyPath, at: tuple[int | str, ...]
) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """Yield the secrets at a key, through lists, each with its full position."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _values(item, key, (*at, number))
    elif isinstance(value, Mapping):
        if key and key[0] in value:
            yield from _values(value[key[0]], key[1:], (*at, key[0]))
    elif not key and _is_secret(value):
        yield at, value


def _is_secret(value: Any) -> bool:
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        return False
    return holds_plaintext(str(value))


def _env_file(scene: Scene, layer: str, path: Path) -> Path:
    """Return the user's `.env` for the user's secrets, and the project's for all others."""
    where = scene.locations
    is_users = layer == "user" or os.path.realpath(path) == os.path.realpath(where.user_file)
    usual = where.env_files[-1] if is_users else where.root / ".env"
    if usual in scene.env_files:
        return usual
    if not scene.env_files:
        raise InvalidFile(
            "the setting env-file names no file, so moved secrets could not be read",
            "dspy-profiles config set env-file .env",
        )
    return scene.env_files[0]


def _move(
    scene: Scene, document: Document, env: Path, secrets: Sequence[Plaintext], yes: bool
) -> bool:
    moves: list[Move] = []
    left = False
    taken = TakenNames(scene, env)
    for secret in secrets:  # before anything is locked: a person may take their time
        move = taken.move(secret)
        what = f'{join_key(secret.key)} of "{secret.definition.name}" in {on_path(document.path)}'
        if move is None:
            warn(f"{what} cannot be moved: its value also has a reference", "dspy-profiles edit")
            left = True
        elif not (taken.holds(move.variable, move.text) or _fits(move)):
            warn(
                f"{what} cannot be moved: a .env file cannot hold its value",
                "write it to a file and refer to file:…, or use keyring:…",
            )
            left = True
        elif yes or _confirmed(f"Move {what} to {on_path(env)} as {move.variable}?"):
            taken.add(move)
            moves.append(move)
        else:
            note(Text(f"{what} is still plaintext"))
    if moves:
        _write(document, env, moves, taken.new)
        out(columns([_row(move, env) for move in moves]))
        _warn_about_git(env, document.path)
    return left


def _fits(move: Move) -> bool:
    """Return whether a `.env` file can hold the value: a `${` in it would be replaced."""
    try:
        line = assigned(move.variable, move.text)
    except InvalidFile:
        return False
    return parse_dotenv(line)[0] == {move.variable: move.text}


def _confirmed(question: str) -> bool:
    return confirm(question, default=True)


def _write(document: Document, env: Path, moves: Sequence[Move], new: Mapping[str, str]) -> None:
    with editing(document.path) as edit:
        if edit.text != document.text:
            raise WriteFailed(
                "another program has changed the file",
                "nothing was written; run the command again",
                Place(document.path),
            )
        for move in moves:
            _replace(edit, move)
        _add_variables(env, new)


def _row(move: Move, env: Path) -> tuple[Text, str, Text, Text]:
    return (
        Text(move.plaintext.definition.name, style="bold"),
        join_key(move.plaintext.key),
        Text(f"→ {move.reference}", style=ACCENT),
        Text(on_path(env), style=MUTED),
    )


def _replace(edit: Edit, move: Move) -> None:
    secret = move.plaintext
    in_list = (n for n, part in enumerate(secret.at) if isinstance(part, int))
    at = next(in_list, len(secret.at))
    key = (secret.definition.name, *map(str, secret.at[:at]))
    if at == len(secret.at):
        edit.set(key, move.reference)
        return
    whole: Any = edit.data
    for part in key:
        whole = whole[part]
    edit.set(key, _replaced(whole, secret.at[at:], move.reference))


def _replaced(value: Any, at: Sequence[int | str], new: str) -> Any:
    if not at:
        return new
    if isinstance(value, list):
        return [_replaced(v, at[1:], new) if n == at[0] else v for n, v in enumerate(value)]
    return {k: _replaced(v, at[1:], new) if k == at[0] else v for k, v in value.items()}


def _add_variables(env: Path, new: Mapping[str, str]) -> None:
    """Add variables to a `.env` file, which only its owner may read from then on."""
    if not new:
        return
    lines = [assigned(name, value) for name, value in new.items()]
    with rewriting(env) as edit:
        if edit.exists and os.name == "posix":
            mode = modes.S_IMODE(edit.path.stat().st_mode)
            if mode & 0o077:
                edit.path.chmod(0o600)
                note(Text(f"permissions of {on_path(env)} changed from {mode:o} to 600"))
        newline = "\r\n" if "\r\n" in edit.text else "\n"
        start = edit.text if not edit.text or edit.text.endswith("\n") else edit.text + newline
        edit.text = start + "".join(line + newline for line in lines)
        _check(edit.text, env, new)


def _check(text: str, env: Path, new: Mapping[str, str]) -> None:
    """Refuse to write a file that would not give each variable exactly its value."""
    values, _ = parse_dotenv(text)
    before = raw_values(env) if env.exists() else {}
    wrong = [name for name, value in new.items() if values.get(name) != value or name in before]
    del values, before, new
    if wrong:
        raise InvalidFile(
            f"the file cannot hold the values of {', '.join(wrong)}",
            "add them by hand, or use file:… or keyring:…",
            Place(env),
        )


def _warn_about_git(env: Path, path: Path) -> None:
    if _git(env, "check-ignore", "-q") == 1:
        warn(
            f"{on_path(env)} is not ignored by git",
            f"echo {env.name} >> {on_path(env.with_name('.gitignore'))}",
        )
    if _git(path, "ls-files", "--error-unmatch") == 0:
        note(Text(f"{on_path(path)} is in git: replace the committed keys with new ones"))


def _git(path: Path, *words: str) -> int | None:
    """Return git's exit code for a file; None if git is not installed."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(path.parent), *words, "--", path.name]
    return subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603
