"""Data that is needed to repeat a run: versions, commit, command, profile."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.results.recording._json import clean
from dspy_profiles.secrets import MASK, Names

__all__ = ["circumstances", "command", "git"]

PATIENCE = 2.0  # seconds for git; a large tree on a slow disk may need more


def circumstances(profile: ResolvedProfile | None) -> dict[str, Any]:
    """Return all of it, as far as it is known. Never raises."""
    return {
        "profile": _profile(profile),
        "versions": {name: _version(name) for name in ("dspy", "dspy-profiles")}
        | {"python": platform.python_version()},
        "platform": platform.platform(),
        "git": git(),
        "command": command(sys.orig_argv),
        "folder": _folder(),
        "pid": os.getpid(),
    }


def _profile(profile: ResolvedProfile | None) -> dict[str, Any] | None:
    """Return name and fingerprint, which contain no value and no secret."""
    if profile is None:
        return None
    fingerprint = profile.fingerprint
    return {"name": profile.name, "fingerprint": fingerprint, "reason": profile.reason}


def git() -> dict[str, Any] | None:
    """Return commit and branch of the working directory, and whether it has changes.

    None if that is not known: no git, no repository, or git takes too long.
    """
    # A repository may configure a program that watches for changes: do not start it.
    arguments = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, fixed arguments
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if done.returncode:
        return None
    headers: dict[str, str] = {}
    is_dirty = False
    for line in done.stdout.decode(errors="replace").splitlines():
        if line.startswith("# "):
            key, _, value = line[2:].partition(" ")
            headers[key] = value
        else:
            is_dirty = True
    commit, branch = headers.get("branch.oid"), headers.get("branch.head")
    return {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if branch is None or branch == "(detached)" else clean(branch),
        "dirty": is_dirty,
    }


def command(words: Sequence[str]) -> list[str]:
    """Return a command line without secrets.

    Masks resolved secrets, and values of options that are named like a secret.
    """
    names, shown, is_secret = Names(), [], False
    for word in words:
        option, equals, _ = word.partition("=")
        is_named = names.is_secret(option.lstrip("-"))
        if is_secret and not word.startswith("-"):
            shown.append(MASK)
        else:
            shown.append(f"{option}={MASK}" if is_named and equals else clean(word))
        is_secret = is_named and not equals and word.startswith("-")
    return shown


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None
