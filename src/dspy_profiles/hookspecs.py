"""The hooks that a plugin can implement. Register them under the entry point `dspy_profiles`."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pluggy

# `profile` is a `dspy_profiles.ResolvedProfile`, of a package above this one.
hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker("dspy_profiles")


@hookspec
def dspy_profiles_providers() -> Mapping[str, object]:  # type: ignore[empty-body]
    """Return providers by short name, for `[x.provider] class = "name"`.

    A value is a class, an object, or the import path of one.
    """


@hookspec
def dspy_profiles_secret_schemes() -> Mapping[str, Callable[[str], str | None]]:  # type: ignore[empty-body]
    """Return secret schemes: the function of "vault" gets the path of `vault:path`.

    It returns the secret, or None if there is no such secret.
    """


@hookspec
def dspy_profiles_stores() -> Mapping[str, Callable[[str, Path], object] | str]:  # type: ignore[empty-body]
    """Return kinds of result stores: the function of "cloud" opens `cloud:rest`.

    It gets the rest, and the folder that relative paths start from. A value may also be the
    function's import path.
    """


@hookspec
def dspy_profiles_commands() -> Mapping[str, object]:  # type: ignore[empty-body]
    """Return commands by name: "push" adds `dspy-profiles push`.

    A value is a `typer.Typer` (a group if it has several commands), a function for Typer, or the
    import path of either. The names of built-in commands cannot be used.
    """


@hookspec
def dspy_profiles_redaction_rules() -> Iterable[str]:  # type: ignore[empty-body]
    """Return regular expressions; their matches are masked in everything printed or written."""


@hookspec
def dspy_profiles_loaded(profile: Any) -> None:
    """React to a profile that was built, for the first time or after a change."""


@hookspec
def dspy_profiles_activated(profile: Any) -> None:
    """React to a profile that became active."""


@hookspec
def dspy_profiles_deactivated(profile: Any) -> None:
    """React to a profile that is no longer active."""
