"""Arguments and options that several commands share, and their completion."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dspy_profiles.cli._completion import completing
from dspy_profiles.display import visible
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import Choice, Scene, resolve_choice

__all__ = [
    "AsJson",
    "File",
    "Force",
    "Name",
    "Out",
    "Overwrite",
    "Profile",
    "ToProject",
    "ToUser",
    "Yes",
    "can_ask",
    "confirm",
    "keys_of",
    "need_a_person",
    "profile_names",
    "words_of_set",
    "words_of_unset",
]


def can_ask() -> bool:
    """Return whether standard input is a terminal: only a person may allow to send a secret."""
    return sys.stdin is not None and sys.stdin.isatty()  # None if it is closed


def confirm(question: str, *, default: bool = False) -> bool:
    """Ask a question on stderr, and return whether the answer is yes."""
    return bool(typer.confirm(visible(question), default=default, err=True))


def need_a_person(instead: str) -> None:
    """Raise a usage error if neither a terminal nor a pipe can answer a prompt.

    `instead` names the option that needs no answer.
    """
    if not (can_ask() or _has_answers()):
        raise typer.BadParameter(f"cannot prompt without a terminal; {instead}")


def _has_answers() -> bool:
    """Return whether standard input has data; waits for an open pipe."""
    stream = getattr(sys.stdin, "buffer", None)
    try:
        if isinstance(stream, io.BufferedReader):
            return bool(stream.peek(1))
        if isinstance(stream, io.BytesIO):  # of a test runner
            return stream.tell() < len(stream.getbuffer())
    except (OSError, ValueError):  # closed, or nothing to read from
        pass
    return False


# Completions return every word that fits the position: Typer filters by the typed start.


@completing
def profile_names() -> list[str]:
    """Return all profiles; none if a file is invalid."""
    return _names()


@completing
def keys_of(ctx: typer.Context) -> list[str]:
    """Return the keys of the profile on the command line."""
    return _keys(ctx.params.get("name"))


@completing
def words_of_set(ctx: typer.Context) -> list[str]:
    """Return profiles for the first word, then keys of the profile and of DSPy."""
    profile, before = _profile_and_words(ctx)
    if profile is None:
        return _names()
    if before and "=" not in before[-1] and len(before) % 2:
        return []  # the next word is a value
    from dspy_profiles.schema import every_key

    return sorted({*_keys(profile), *every_key()})


@completing
def words_of_unset(ctx: typer.Context) -> list[str]:
    """Return profiles for the first word, then keys of the profile."""
    profile, before = _profile_and_words(ctx)
    if profile is None:
        return _names()
    return [key for key in _keys(profile) if key not in before]


def _names() -> list[str]:
    return Scene.now().catalog.names()


def _profile_and_words(ctx: typer.Context) -> tuple[str | None, list[str]]:
    profile: str | None = ctx.params.get("profile")
    words = [str(word) for word in ctx.params.get("words") or ()]
    if profile is not None:
        return profile, words
    return (words[0], words[1:]) if words else (None, [])


def _keys(profile: Any) -> list[str]:
    from dspy_profiles.config import join_key
    from dspy_profiles.profiles import leaves

    try:
        resolved = resolve_choice(Scene.now(), Choice(str(profile), ""), allow_plaintext=True)
    except ProfileError:  # `set` still offers the keys of DSPy
        return []
    return [join_key(key) for key, _ in leaves(resolved.values)]


Name = Annotated[str, typer.Argument(help="Profile name.", autocompletion=profile_names)]
Profile = Annotated[
    str | None, typer.Option("--profile", "-p", help="Profile name.", autocompletion=profile_names)
]
File = Annotated[
    Path | None,
    typer.Option("--file", help="Use only this profiles file."),
]
ToProject = Annotated[bool, typer.Option("--project", help="Use the project's file.")]
ToUser = Annotated[bool, typer.Option("--user", help="Use your user file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write to this file.")]
Overwrite = Annotated[
    bool, typer.Option("--yes", "-y", help="Overwrite existing profiles or files.")
]
Force = Annotated[bool, typer.Option("--force", help="Write even if it is invalid.")]
