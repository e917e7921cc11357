"""uv: where it is, how it is started, and what its errors mean."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dspy_profiles.config import SESSION_VARIABLE
from dspy_profiles.display import on_one_line
from dspy_profiles.errors import ProfileError, WriteFailed
from dspy_profiles.secrets import without_userinfo

__all__ = ["NoEnvironment", "Unresolved", "UvNotFound", "own_environ", "run_uv"]

# What would lead uv, or a Python, into another environment.
LEADING_ASIDE = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_PROJECT_ENVIRONMENT",
)
NO_SPACE = re.compile(r"os error (28|122)\b|No space left|[Dd]isk quota", re.ASCII)
NO_NETWORK = re.compile(
    r"network was disabled|[Ff]ailed to fetch|dns error|error sending request|[Cc]onnect", re.ASCII
)
NO_PYTHON = re.compile(r"No interpreter found|not find.*interpreter|No Python", re.ASCII)
NO_VERSION = re.compile(r"\b(no versions? of|only) dspy(\b|[<>=])", re.ASCII)
UNSOLVED = "No solution found"


class NoEnvironment(ProfileError):
    """An environment cannot be made."""


class Unresolved(NoEnvironment):
    """The requirements contradict each other."""


class UvNotFound(ProfileError):
    """uv is not installed."""

    exit_code = 3


def own_environ() -> dict[str, str]:
    """Return this process's variables, without those that lead to another environment."""
    return {k: v for k, v in os.environ.items() if k not in (*LEADING_ASIDE, SESSION_VARIABLE)}


def run_uv(words: Sequence[str], cwd: Path, what: str) -> str:
    """Run uv and return its output. `what` begins the message of an error."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell; requirements are in files
            [_uv(), *words],
            cwd=cwd,
            env=_uv_environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise UvNotFound(f"uv cannot be started: {error.strerror}", hint=HOW_TO_GET) from None
    if done.returncode:
        raise _error(what, done.stderr or done.stdout)
    return done.stdout


HOW_TO_GET = "install it: pip install uv"


def _uv() -> str:
    beside = Path(sys.executable).parent
    found = shutil.which("uv") or shutil.which("uv", path=str(beside))
    if found is None:
        raise UvNotFound("uv not found: it makes the environments", hint=HOW_TO_GET)
    return found


def _uv_environ() -> Mapping[str, str]:
    return {**own_environ(), "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def _error(what: str, said: str) -> ProfileError:
    """Return the error for what uv has printed, on one line, without passwords."""
    text = without_userinfo(said)
    if NO_SPACE.search(text):
        return WriteFailed(f"{what}: no space left on the disk", "free some disk space")
    line = on_one_line(
        re.sub(r"^\s*(error|cause|hint|[×╰─▶]+):?\s*", "", text, flags=re.MULTILINE), 400
    )
    message = f"{what}: {line}"
    if NO_VERSION.search(" ".join(text.split())):
        return NoEnvironment(message, "name versions that exist, such as 3.1 or 3.4.1")
    if NO_NETWORK.search(text):
        return NoEnvironment(
            message, "connect once to make the environment; later runs need no network"
        )
    if NO_PYTHON.search(text):
        return NoEnvironment(message, "name an installed Python: --python 3.12, or its path")
    if UNSOLVED in text:
        return Unresolved(message, "change what --with and the project require")
    return NoEnvironment(message, "try the same with uv: uv pip install dspy")
