"""The hooks that a plugin may implement. Register under the entry-point group `dspy_profiles`."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pluggy

# `profile` is a `dspy_profiles.ResolvedProfile`, which stands above this module.
hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker("dspy_profiles")


@hookspec
def dspy_profiles_providers() -> Mapping[str, object]:  # type: ignore[empty-body]
    """Providers by short name: `[x.provider] class = "name"`.

    A value is what an import path would name (a class or an object), or an import path.
    """


@hookspec
def dspy_profiles_secret_schemes() -> Mapping[str, Callable[[str], str | None]]:  # type: ignore[empty-body]
    """Secret schemes: "vault" serves `vault:path`, by a function from the path to the secret.

    None says that there is no such secret.
    """


@hookspec
def dspy_profiles_stores() -> Mapping[str, Callable[[str, Path], object] | str]:  # type: ignore[empty-body]
    """Kinds of result stores: "cloud" serves `cloud:rest`, by a function from the rest to a store.

    It also gets the folder that a relative path starts from. In its place an import path may stand.
    """


@hookspec
def dspy_profiles_commands() -> Mapping[str, object]:  # type: ignore[empty-body]
    """Commands by name: "push" is `dspy-profiles push`.

    A value is a `typer.Typer`, which is a group if it has several commands, or a function as Typer
    takes it, or an import path to one of these. The names of our own commands are taken.
    """


@hookspec
def dspy_profiles_redaction_rules() -> Iterable[str]:  # type: ignore[empty-body]
    """Regular expressions; what matches one is masked in everything that we print or write."""


@hookspec
def dspy_profiles_loaded(profile: Any) -> None:
    """A profile was resolved and built, for the first time or because something changed."""


@hookspec
def dspy_profiles_activated(profile: Any) -> None:
    """A profile has become the active one."""


@hookspec
def dspy_profiles_deactivated(profile: Any) -> None:
    """A profile is no longer the active one."""
