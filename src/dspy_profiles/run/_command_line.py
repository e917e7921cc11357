"""From the words behind `run` to a program and its arguments."""

import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dspy_profiles.errors import ProfileError

__all__ = [
    "CommandNotFound",
    "NotExecutable",
    "cut_off_by",
    "find_program",
    "is_pythons",
    "program_words",
]

PYTHON = re.compile(r"(python|pypy)[0-9.]*[a-z]?(\.exe)?")
CUTTING_OFF = "EIS"  # of Python's options: no environment, isolated, no site
ENDING, WITH_VALUE = "cm", "WX"  # the rest is the program's; a value follows
FIRST_LINE = 512  # bytes; no system reads more of it


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


def cut_off_by(words: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The option that keeps us out of the Python that this command starts, as in `python -I`."""
    started = _without_env(words)
    if not _is_python(started):
        started = _without_env(_first_line(started[0], environ)) if started else []
    letters = _options(started[1:]) if _is_python(started) else ""
    return next((f"-{letter}" for letter in letters if letter in CUTTING_OFF), None)


def _is_python(words: Sequence[str]) -> bool:
    return bool(words) and PYTHON.fullmatch(Path(words[0]).name) is not None


def _options(words: Sequence[str]) -> Iterator[str]:
    """The letters of Python's own options: what follows -c, -m or a script is not its."""
    rest = iter(words)
    for word in rest:
        if word == "--check-hash-based-pycs":
            next(rest, None)
        elif not word.startswith("-") or word in ("-", "--"):
            return
        elif not word.startswith("--"):
            for at, letter in enumerate(word[1:], 2):
                yield letter
                if letter in ENDING:
                    return
                if letter in WITH_VALUE:
                    if at == len(word):
                        next(rest, None)
                    break


def _without_env(words: Sequence[str]) -> list[str]:
    """What `env` runs, for as far as its options are the usual ones; other commands as they are."""
    rest = list(words)
    if not rest or Path(rest[0]).name != "env":
        return rest
    del rest[0]
    while rest and (rest[0].startswith("-") or "=" in rest[0]):
        word = rest.pop(0)
        if word.startswith("-S"):
            rest = [*word[2:].split(), *rest]
        elif word in ("-u", "-C"):
            del rest[:1]
    return rest


def _first_line(command: str, environ: Mapping[str, str]) -> list[str]:
    """What the `#!` of a script has the system run."""
    found = shutil.which(command, path=environ.get("PATH", os.defpath))
    try:
        with open(found or "", "rb") as file:  # noqa: PTH123 - it may be no path at all
            line = file.read(FIRST_LINE).partition(b"\n")[0]
    except OSError:
        return []
    return line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # no file can have so long a name
        return False
