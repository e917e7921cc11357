"""Load `.env` files and `[x.env]` into the environment of this process."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path

from dspy_profiles._locks import ProcessLock
from dspy_profiles._reading import MEGABYTE, read_text
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place
from dspy_profiles.secrets._names import Names
from dspy_profiles.secrets._redaction import remember

__all__ = [
    "INVALID_LINE",
    "invalid_lines",
    "load_env_files",
    "names_in_files",
    "parse_dotenv",
    "remember_environment",
    "set_variables_once",
    "value_in_files",
    "warn_about_lines",
]

INVALID_LINE = "not NAME=VALUE; ignored"

SHORTEST_MASKED = 12  # characters: shorter values may be ordinary words
LARGEST = 16 * MEGABYTE
STEERING = "DSPY_PROFILE"  # DSPY_PROFILE itself is read by name when a profile is chosen

_lock = ProcessLock()
_from_files: dict[str, str] = {}
_from_profiles: dict[str, tuple[str, str]] = {}
_reported: set[Place] = set()  # broken lines, each reported once per process


def load_env_files(files: Iterable[Path]) -> None:
    """Set the variables of these files; the first file that has a name wins.

    Variables that were set before stay. Those of an earlier call follow the files, unless other
    code has changed them since. DSPY_PROFILE… variables are ignored: they would change which files
    are read.
    """
    # Read all files before keeping a value: an error's frames must hold no secret.
    read = [_read(file) for file in files]
    wanted = {name: value for table in reversed(read) for name, value in table.items()}
    for name in [name for name in wanted if name.startswith(STEERING)]:
        del wanted[name]
    with _lock:
        for name, value in list(_from_files.items()):
            if os.environ.get(name) != value:
                del _from_files[name]  # other code has changed it
            elif name not in wanted:
                del _from_files[name], os.environ[name]
        for name, value in wanted.items():
            if name in _from_files or name not in os.environ:
                os.environ[name] = _from_files[name] = value


def remember_environment(names: Names) -> None:
    """Mask the values of variables with names of secrets: DSPy may send them without a profile."""
    for name, value in list(os.environ.items()):
        if len(value) >= SHORTEST_MASKED and names.is_secret(name):
            remember(value, f"${{{name}}}")


def value_in_files(name: str, files: Iterable[Path]) -> str | None:
    """Return the value of a name in the first file that has it."""
    read = [_read(file) for file in files]  # read all files first, as above
    return next((table[name] for table in read if name in table), None)


def names_in_files(files: Iterable[Path]) -> set[str]:
    """Return the names that these files set, without their values."""
    return {name for file in files for name in _read(file)}


def set_variables_once(profile: str, variables: Mapping[str, str]) -> None:
    """Set these variables where unset, for the rest of the process. Warn if profiles disagree."""
    refused = [name for name, value in variables.items() if not _set_one(profile, name, value)]
    differing = [
        (name, _from_profiles[name][1])
        for name, value in variables.items()
        if name in _from_profiles and _from_profiles[name][0] != value
    ]
    del variables  # an error's frames may be printed, and this can hold secrets
    if refused:
        raise InvalidProfile(
            f'profile "{profile}": cannot set {", ".join(refused)}: not valid in an environment'
        )
    for name, giver in differing:
        if giver != profile:
            warnings.warn(
                f'profile "{profile}" sets {name} to another value than profile "{giver}" did; '
                "an environment variable is set once per process",
                stacklevel=2,
            )


def _set_one(profile: str, name: str, value: str) -> bool:
    with _lock:
        if name not in os.environ:
            try:
                os.environ[name] = value
            except (OSError, ValueError):  # a NUL character, or a lone surrogate
                return False
            _from_profiles[name] = (value, profile)
    return True


def invalid_lines(files: Iterable[Path]) -> list[Place]:
    """Return the places of invalid lines; they are not reported again."""
    places = []
    for file in files:
        try:
            places += [Place(file, line) for line in _parsed(file)[1]]
        except InvalidFile:  # reported by the code that needs the file
            continue
    _reported.update(places)
    return places


def parse_dotenv(text: str, *, interpolate: bool = True) -> tuple[dict[str, str], list[int]]:
    """Return the variables of a `.env` file's text, and the numbers of its invalid lines."""
    from dotenv.main import DotEnv
    from dotenv.parser import parse_stream

    bindings = list(parse_stream(StringIO(text)))

    class Parsed(DotEnv):
        """Parser without its own warnings, which lack the file and come at every read."""

        def parse(self) -> Iterator[tuple[str, str | None]]:
            return ((line.key, line.value) for line in bindings if line.key is not None)

    values = Parsed(None, StringIO(), interpolate=interpolate).dict()
    broken = [line.original.line for line in bindings if line.error]
    return {name: value for name, value in values.items() if value is not None}, broken


def warn_about_lines(file: Path, lines: Iterable[int]) -> None:
    """Warn about invalid lines, once per process."""
    for place in [Place(file, line) for line in lines]:
        if place not in _reported:
            import logging  # rarely needed, and slow to import

            _reported.add(place)
            logging.getLogger("dspy_profiles").warning("dspy-profiles: %s: %s", place, INVALID_LINE)


def _read(file: Path) -> dict[str, str]:
    values, broken = _parsed(file)
    warn_about_lines(file, broken)
    return {
        name: value
        for name, value in values.items()
        if "\0" not in name + value and "=" not in name
    }


def _parsed(file: Path) -> tuple[dict[str, str], list[int]]:
    # A folder called .env is a virtual environment. A file in a home that cannot be read counts as
    # missing: Path.is_file would raise.
    if not os.path.isfile(file):  # noqa: PTH113
        return {}, []
    try:
        return parse_dotenv(read_text(file, LARGEST))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidFile(f"cannot read {file.name}: {reason}", where=Place(file)) from None
