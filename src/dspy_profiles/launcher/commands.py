"""From the words behind `run` to a program and its arguments."""

import errno
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dspy_profiles.errors import ProfileError

__all__ = ["CommandNotFound", "NotExecutable", "find_program", "is_pythons", "program_words"]


class CommandNotFound(ProfileError):
    """There is no such command, in a shell's sense."""

    exit_code = 127


class NotExecutable(ProfileError):
    """There is such a file, but the system does not run it."""

    exit_code = 126


def is_pythons(word: str) -> bool:
    """Whether a program that starts with this word is one for Python: `-m`, `-c`, a script."""
    return word.startswith(("-m", "-c")) or word.endswith(".py")


def program_words(words: Sequence[str]) -> list[str]:
    """The words to run; scripts, `-m` and `-c` with the Python that runs us."""
    return [sys.executable, *words] if is_pythons(words[0]) else list(words)


def find_program(command: str, environ: Mapping[str, str]) -> str:
    """The file that a shell would run for a command."""
    path = environ.get("PATH", os.defpath)
    found = shutil.which(command, path=path)
    if found is not None:
        return found
    is_path = Path(command).name != command
    folders = [""] if is_path else path.split(os.pathsep)
    there = [file for folder in folders if command and _exists(file := Path(folder, command))]
    if there:
        reason = os.strerror(errno.EISDIR if there[0].is_dir() else errno.EACCES)
        raise NotExecutable(f'"{command}" cannot be run: {reason}')
    own = Path(sys.executable).parent / (command or "nothing")
    raise CommandNotFound(
        f'there is no command "{command}"',
        hint=f"{own} is not on PATH: write its path, or -m and its module"
        if not is_path and _exists(own)
        else None,
    )


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # no file can have so long a name
        return False
