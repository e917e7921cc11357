"""Arguments and options that several commands share, and what completes them."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

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
    "keys_of",
    "need_a_person",
    "profile_names",
    "words_of_set",
    "words_of_unset",
]


def can_ask() -> bool:
    """Whether a person sits there: what may send a secret is for nobody else to say."""
    return sys.stdin is not None and sys.stdin.isatty()  # a closed input is no stream at all


def need_a_person(instead: str) -> None:
    """Refuse where nobody answers, not even a pipe; `instead` says what goes without."""
    if not (can_ask() or _has_answers()):
        raise typer.BadParameter(f"nobody can be asked here; {instead}")


def _has_answers() -> bool:
    """Whether there is something to read; an open pipe is waited for until it says so."""
    stream = getattr(sys.stdin, "buffer", None)
    try:
        if isinstance(stream, io.BufferedReader):
            return bool(stream.peek(1))
        if isinstance(stream, io.BytesIO):  # a test runner's
            return stream.tell() < len(stream.getbuffer())
    except (OSError, ValueError):  # closed, or nothing to read from
        pass
    return False


# What completes a word offers all that fit its place: Typer leaves out those that begin otherwise.


def profile_names() -> list[str]:
    """The profiles that there are; none, rather than an error, where a file is broken."""
    try:
        return Scene.now().catalog.names()
    except ProfileError:
        return []


def keys_of(ctx: typer.Context) -> list[str]:
    """The keys that the profile on the command line has."""
    return _keys(ctx.params.get("name"))


def words_of_set(ctx: typer.Context) -> list[str]:
    """A profile first, then its keys and all that DSPy knows."""
    profile, before = _profile_and_words(ctx)
    if profile is None:
        return profile_names()
    if before and "=" not in before[-1] and len(before) % 2:
        return []  # a value is due
    from dspy_profiles.schema import every_key

    return sorted({*_keys(profile), *every_key()})


def words_of_unset(ctx: typer.Context) -> list[str]:
    """A profile first, then its keys."""
    profile, before = _profile_and_words(ctx)
    if profile is None:
        return profile_names()
    return [key for key in _keys(profile) if key not in before]


def _profile_and_words(ctx: typer.Context) -> tuple[str | None, list[str]]:
    named: str | None = ctx.params.get("profile")
    words = [str(word) for word in ctx.params.get("words") or ()]
    if named is not None:
        return named, words
    return (words[0], words[1:]) if words else (None, [])


def _keys(profile: Any) -> list[str]:
    from dspy_profiles.config import join_key
    from dspy_profiles.profiles import leaves

    try:
        found = resolve_choice(Scene.now(), Choice(str(profile), ""), allow_plaintext=True)
    except ProfileError:
        return []
    return [join_key(key) for key, _ in leaves(found.values)]


Name = Annotated[str, typer.Argument(help="A profile.", autocompletion=profile_names)]
Profile = Annotated[
    str | None, typer.Option("--profile", "-p", help="A profile.", autocompletion=profile_names)
]
File = Annotated[
    Path | None,
    typer.Option("--file", help="One profiles file, in place of the user's and the project's."),
]
ToProject = Annotated[bool, typer.Option("--project", help="Write to the project's file.")]
ToUser = Annotated[bool, typer.Option("--user", help="Write to the user's file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write to a file.")]
Overwrite = Annotated[bool, typer.Option("--yes", "-y", help="Overwrite what is there.")]
Force = Annotated[bool, typer.Option("--force", help="Write it in spite of faults.")]
