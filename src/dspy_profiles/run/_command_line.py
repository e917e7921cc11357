"""From the words after `run` to a program and its arguments."""

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
    "code_of",
    "cut_off_by",
    "find_program",
    "is_pythons",
    "program_words",
]

PYTHON = re.compile(r"(python|pypy)[0-9.]*[a-z]?(\.exe)?")
CUTTING_OFF = "EIS"  # Python options: no environment, isolated, no site
ENDING, WITH_VALUE = "cm", "WX"  # the program's arguments follow; a value follows
FIRST_LINE = 512  # bytes; systems read no more of it


class CommandNotFound(ProfileError):
    """The command does not exist. Exit code as in a shell."""

    exit_code = 127


class NotExecutable(ProfileError):
    """The file exists, but the system cannot run it. Exit code as in a shell."""

    exit_code = 126


def is_pythons(word: str) -> bool:
    """Return whether the first word is an argument of Python: `-m`, `-c`, a script."""
    return word.startswith(("-m", "-c")) or word.endswith(".py")


def program_words(words: Sequence[str]) -> list[str]:
    """Return the words to run; scripts, `-m` and `-c` get the current Python in front."""
    return [sys.executable, *words] if is_pythons(words[0]) else list(words)


def code_of(words: Sequence[str]) -> list[Path]:
    """Return the files that a command runs as code, existing or not: a script, or a module."""
    if not _is_python(words):
        return [Path(words[0])] if Path(words[0]).name != words[0] else []
    rest = iter(words[1:])
    is_safe = bool(os.environ.get("PYTHONSAFEPATH"))  # modules are not taken from the folder
    for word in rest:
        if word == "--check-hash-based-pycs":
            next(rest, None)
        elif not word.startswith("-"):
            return [Path(word)]
        letters, ending, value = _until(word, (*ENDING, *WITH_VALUE))
        is_safe = is_safe or "P" in letters or "I" in letters
        if ending == "m":
            module = Path(*(value or next(rest, "")).split("."))
            names = [module.with_suffix(".py"), module / "__main__.py"] if module.name else []
            return [] if is_safe else names
        if ending == "c" or word == "-":
            return []
        if ending and not value:
            next(rest, None)
    return []


def _until(word: str, endings: Sequence[str]) -> tuple[str, str, str]:
    """Split Python's options, as in -uW error: letters, the one that has a value, and the value."""
    at = next((at for at, letter in enumerate(word[1:], 1) if letter in endings), len(word))
    return (
        ("", "", "") if word.startswith("--") else (word[1:at], word[at : at + 1], word[at + 1 :])
    )


def find_program(command: str, environ: Mapping[str, str]) -> str:
    """Return the file that a shell would run for a command."""
    path = environ.get("PATH", os.defpath)
    file = shutil.which(command, path=path)
    if file is not None:
        return file
    is_path = Path(command).name != command
    folders = [""] if is_path else path.split(os.pathsep)
    candidates = [Path(folder, command) for folder in folders] if command else []
    existing = [candidate for candidate in candidates if _exists(candidate)]
    if existing:
        reason = os.strerror(errno.EISDIR if existing[0].is_dir() else errno.EACCES)
        raise NotExecutable(f'command "{command}" cannot be run: {reason}')
    own = Path(sys.executable).parent / (command or "nothing")
    raise CommandNotFound(
        f'command "{command}" not found',
        hint=f"use {own}, which is not on PATH, or -m and its module"
        if not is_path and _exists(own)
        else None,
    )


def cut_off_by(words: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the Python option that disables the profile, as in `python -I`; None if absent."""
    started = _without_env(words)
    if not _is_python(started):
        started = _without_env(_first_line(started[0], environ)) if started else []
    letters = _options(started[1:]) if _is_python(started) else ""
    return next((f"-{letter}" for letter in letters if letter in CUTTING_OFF), None)


def _is_python(words: Sequence[str]) -> bool:
    return bool(words) and PYTHON.fullmatch(Path(words[0]).name) is not None


def _options(words: Sequence[str]) -> Iterator[str]:
    """Yield the letters of Python's own options: those before -c, -m or a script."""
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
    """Return the command that `env` runs; any other command unchanged."""
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
    """Return the command of a script's `#!` line."""
    script = shutil.which(command, path=environ.get("PATH", os.defpath))
    try:
        with open(script or "", "rb") as file:  # noqa: PTH123 - it may not be a path at all
            line = file.read(FIRST_LINE).partition(b"\n")[0]
    except OSError:
        return []
    return line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # the name is too long for a file
        return False
