"""What has to be known to do a run again: versions, commit, command, profile."""

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

PATIENCE = 2.0  # seconds that git may take; a large tree on a slow disk may take longer


def circumstances(profile: ResolvedProfile | None) -> dict[str, Any]:
    """All of it, as far as it can be found out. Never fails."""
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
    """Its name and fingerprint: no value of it, and no secret has a part in that."""
    if profile is None:
        return None
    fingerprint = profile.fingerprint
    return {"name": profile.name, "fingerprint": fingerprint, "reason": profile.reason}


def git() -> dict[str, Any] | None:
    """The commit that the working directory is at, and whether something in it is not committed.

    None where that is not known: no git, no repository, or an answer that takes too long.
    """
    # A repository may name a program of its own to watch for changes: not on our account.
    asked = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, no argument of anybody's
            asked,
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
    said: dict[str, str] = {}
    is_dirty = False
    for line in done.stdout.decode(errors="replace").splitlines():
        if line.startswith("# "):
            key, _, value = line[2:].partition(" ")
            said[key] = value
        else:
            is_dirty = True
    commit, branch = said.get("branch.oid"), said.get("branch.head")
    return {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if branch is None or branch == "(detached)" else clean(branch),
        "dirty": is_dirty,
    }


def command(words: Sequence[str]) -> list[str]:
    """The command line without its secrets.

    A secret is what was resolved, and what is given to an option that is named like one.
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
