"""Find the files that count, in order. No other module knows a path."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspy_profiles.errors import InvalidFile
from dspy_profiles.secrets import expand_user

__all__ = [
    "LOCATION_VARIABLES",
    "PATH_VARIABLE",
    "PROFILES_FILE",
    "SESSION_VARIABLE",
    "Layer",
    "Locations",
    "are_locations_pinned",
    "find_locations",
    "is_inside",
    "locate",
    "pin_locations",
    "unpin_locations",
]

PROFILES_FILE = "profiles.toml"
CONFIG = "config.toml"
PATH_VARIABLE = "DSPY_PROFILES_PATH"
SESSION_VARIABLE = "DSPY_PROFILES_SESSION"  # JSON, from `run` to its child processes
# The environment variables that decide which files are read.
LOCATION_VARIABLES = (PATH_VARIABLE, SESSION_VARIABLE, "XDG_CONFIG_HOME", "HOME", "USERPROFILE")


@dataclass(frozen=True)
class Layer:
    """One profiles file and its kind: "user", "project", or "file" if it was named."""

    name: str
    path: Path


@dataclass(frozen=True)
class Locations:
    """Every path that follows from a working directory and an environment."""

    cwd: Path
    root: Path  # the project's
    layers: tuple[Layer, ...]  # profiles files, nearest first; a named file may not exist yet
    user_file: Path  # the user's profiles; may not exist yet
    user_config: Path  # the user's settings; may not exist yet
    pyprojects: tuple[Path, ...]  # nearest first
    env_files: tuple[Path, ...]  # the `.env` files, unless the setting env-file names others
    hidden: tuple[Path, ...] = ()  # user files that another user file replaces
    checkout: Path = Path()  # the folder with `.git` around the root, else the root

    @property
    def project_file(self) -> Path | None:
        return next((layer.path for layer in self.layers if layer.name == "project"), None)

    @property
    def named_file(self) -> Path | None:
        return next((layer.path for layer in self.layers if layer.name == "file"), None)


_pinned: Locations | None = None


def find_locations(
    cwd: Path | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Locations:
    """Find the files from `cwd`, by default the working directory."""
    environ = os.environ if environ is None else environ
    named = str(file or environ.get(PATH_VARIABLE) or "")
    if cwd is None:
        session = None if file else _session(environ)
        cwd = Path(session["cwd"]) if session else _working_directory()
        named = "" if session and not session["named"] else named
    home = _home(environ)
    user_file, hidden_file = _user_file(PROFILES_FILE, home, environ)
    user_config, hidden_config = _user_file(CONFIG, home, environ)
    folders = tuple(_upwards(cwd, home))
    project = next((f / PROFILES_FILE for f in folders if _is_there(f / PROFILES_FILE)), None)
    git = next((f for f in folders if _is_there(f / ".git")), None)
    root = project.parent if project is not None else git or cwd
    if named:
        layers = [Layer("file", cwd / expand_user(named, home))]
    else:
        layers = [Layer("user", user_file)] if _is_there(user_file) else []
        if project is not None and not _same(project, user_file):
            layers.insert(0, Layer("project", project))
    return Locations(
        cwd=cwd,
        root=root,
        layers=tuple(layers),
        user_file=user_file,
        user_config=user_config,
        pyprojects=tuple(p for p in (f / "pyproject.toml" for f in folders) if os.path.isfile(p)),  # noqa: PTH113 - as _is_there
        env_files=_distinct(cwd / ".env", root / ".env", home / ".dspy" / ".env"),
        hidden=(*hidden_file, *hidden_config),
        checkout=git or root,
    )


def locate(*, file: Path | None = None) -> Locations:
    """Return the pinned locations of this session, or what `find_locations` returns now."""
    return _pinned if _pinned is not None and file is None else find_locations(file=file)


def pin_locations(locations: Locations) -> None:
    """Use these locations for the rest of the session, even after a `chdir`."""
    global _pinned  # noqa: PLW0603 - a process has one session
    _pinned = locations


def unpin_locations() -> None:
    """Search for files again from now on."""
    global _pinned  # noqa: PLW0603
    _pinned = None


def are_locations_pinned() -> bool:
    return _pinned is not None


def _session(environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the session that `run` passed to this process, unless another file was named since.

    The file that `run` exports is only the one that defines its profile; the others count too.
    """
    text = environ.get(SESSION_VARIABLE)
    if not text:
        return None
    import json

    try:
        session: Mapping[str, Any] = json.loads(text)
        exported, is_named = session["path"], bool(session["named"])
        is_ours = (environ.get(PATH_VARIABLE) or None) == exported and _folder_of(session)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidFile(
            f"{SESSION_VARIABLE} is not what `dspy-profiles run` writes",
            hint=f"unset {SESSION_VARIABLE}",
        ) from None
    return {"cwd": session["cwd"], "named": is_named} if is_ours else None


def _folder_of(session: Mapping[str, Any]) -> Path:
    if b"\0" in os.fsencode(session["cwd"]):  # raises for half a character
        raise ValueError("contains a NUL")
    return Path(session["cwd"])


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError:
        raise InvalidFile(
            "the working directory does not exist or cannot be read",
            hint="change to an existing folder",
        ) from None


def _home(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises
    return home if home.is_absolute() else Path(home.anchor or "/")


def _user_file(name: str, home: Path, environ: Mapping[str, str]) -> tuple[Path, tuple[Path, ...]]:
    """Return the file that counts, and those that it hides."""
    plain = home / ".dspy" / name
    xdg = Path(environ.get("XDG_CONFIG_HOME") or "")
    if not xdg.is_absolute():  # unset, or relative, which the XDG specification says to ignore
        return plain, ()
    first = xdg / "dspy" / name
    if _is_there(first):
        return first, (plain,) if _is_there(plain) and not _same(first, plain) else ()
    return (plain, ()) if _is_there(plain) else (first, ())


def _upwards(cwd: Path, home: Path) -> Iterator[Path]:
    """Yield the folders that may hold a project's files, nearest first."""
    real_home = os.path.realpath(home)
    for folder in (cwd, *cwd.parents):
        if os.path.realpath(folder) == real_home:
            return
        yield folder
        if _is_there(folder / ".git"):
            return


def _is_there(path: Path) -> bool:
    # A path that cannot be inspected, as in another user's home, counts as missing; Path.exists
    # would raise.
    return os.path.exists(path)  # noqa: PTH110


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _distinct(*paths: Path) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))


def is_inside(path: Path, root: Path) -> bool:
    """Return whether a path is in a folder, with links resolved."""
    if "\0" in str(path):  # no path of a file
        return False
    real, folder = os.path.realpath(path), os.path.realpath(root)
    return real == folder or real.startswith(os.path.join(folder, ""))  # noqa: PTH118
