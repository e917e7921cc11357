"""`.env` files and `[x.env]`: what we put into this process's environment, and follow up."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path

from dspy_profiles._locks import ProcessLock
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place
from dspy_profiles.secrets._names import Names
from dspy_profiles.secrets._redaction import remember

__all__ = [
    "NO_STATEMENT",
    "broken_lines",
    "load_env_files",
    "names_in",
    "parsed",
    "remember_secrets",
    "set_once",
    "tell_broken",
    "value_in",
]

NO_STATEMENT = "this is no NAME=VALUE, and is left out"

LEAST = 12  # characters: shorter ones may be words that stand elsewhere as well
STEERING = "DSPY_PROFILE"  # DSPY_PROFILE itself is asked for by name, when a profile is chosen

_lock = ProcessLock()
_from_files: dict[str, str] = {}
_from_profiles: dict[str, tuple[str, str]] = {}
_told: set[Place] = set()  # broken lines: once a process is enough


def load_env_files(files: Iterable[Path]) -> None:
    """Put what these files say into the environment; of several, the first that has a name wins.

    What the environment had before stays. What an earlier call put there follows the files, as
    long as nobody else has changed it since. What steers us is not taken from there: it would
    change which files are read.
    """
    # All are read before any is named: an error's frames must hold no secret.
    read = [_read(file) for file in files]
    wanted = {name: value for table in reversed(read) for name, value in table.items()}
    for name in [name for name in wanted if name.startswith(STEERING)]:
        del wanted[name]
    with _lock:
        for name, value in list(_from_files.items()):
            if os.environ.get(name) != value:
                del _from_files[name]  # somebody else's now
            elif name not in wanted:
                del _from_files[name], os.environ[name]
        for name, value in wanted.items():
            if name in _from_files or name not in os.environ:
                os.environ[name] = _from_files[name] = value


def remember_secrets(names: Names) -> None:
    """Have secrets masked that no profile names, by the names of variables: DSPy sends them too."""
    for name, value in list(os.environ.items()):
        if len(value) >= LEAST and names.is_secret(name):
            remember(value, f"${{{name}}}")


def value_in(name: str, files: Iterable[Path]) -> str | None:
    """What these files say of one name, the first that has it."""
    read = [_read(file) for file in files]  # all before any is named, as above
    return next((table[name] for table in read if name in table), None)


def names_in(files: Iterable[Path]) -> set[str]:
    """The names that these files give a value to, and nothing of the values."""
    return {name for file in files for name in _read(file)}


def set_once(profile: str, variables: Mapping[str, str]) -> None:
    """Set what is not set, for good. Where two profiles disagree, warn."""
    refused = [name for name, value in variables.items() if not _set_one(profile, name, value)]
    differing = [
        (name, _from_profiles[name][1])
        for name, value in variables.items()
        if name in _from_profiles and _from_profiles[name][0] != value
    ]
    del variables  # an error's frames are printed by some, and this may hold secrets
    if refused:
        raise InvalidProfile(
            f'profile "{profile}" cannot set {", ".join(refused)}: no environment can hold that'
        )
    for name, giver in differing:
        if giver != profile:
            warnings.warn(
                f'profile "{profile}" wants another {name} than "{giver}", which came first; '
                "an environment variable is set once per process",
                stacklevel=2,
            )


def _set_one(profile: str, name: str, value: str) -> bool:
    with _lock:
        if name not in os.environ:
            try:
                os.environ[name] = value
            except (OSError, ValueError):  # a NUL character, a text that has no bytes
                return False
            _from_profiles[name] = (value, profile)
    return True


def broken_lines(files: Iterable[Path]) -> list[Place]:
    """Where statements of these files begin that make no sense; they are told no more."""
    found = []
    for file in files:
        try:
            found += [Place(file, line) for line in _parsed(file)[1]]
        except InvalidFile:  # told by whoever needs it
            continue
    _told.update(found)
    return found


def parsed(text: str, *, interpolate: bool = True) -> tuple[dict[str, str], list[int]]:
    """What the text of a `.env` file says, and the lines where something makes no sense."""
    from dotenv.main import DotEnv
    from dotenv.parser import parse_stream

    bindings = list(parse_stream(StringIO(text)))

    class Parsed(DotEnv):
        """Itself it tells of a broken line without its file, and each time that it is read."""

        def parse(self) -> Iterator[tuple[str, str | None]]:
            return ((each.key, each.value) for each in bindings if each.key is not None)

    values = Parsed(None, StringIO(), interpolate=interpolate).dict()
    broken = [each.original.line for each in bindings if each.error]
    return {name: value for name, value in values.items() if value is not None}, broken


def tell_broken(file: Path, lines: Iterable[int]) -> None:
    """Tell of lines that make no sense, unless that was done before."""
    for place in [Place(file, line) for line in lines]:
        if place not in _told:
            import logging  # seldom needed, and slow to import

            _told.add(place)
            logging.getLogger("dspy_profiles").warning("dspy-profiles: %s: %s", place, NO_STATEMENT)


def _read(file: Path) -> dict[str, str]:
    values, broken = _parsed(file)
    tell_broken(file, broken)
    return {
        name: value
        for name, value in values.items()
        if "\0" not in name + value and "=" not in name
    }


def _parsed(file: Path) -> tuple[dict[str, str], list[int]]:
    # A folder called .env is somebody's virtual environment, and what lies in a home that may not
    # be looked into is not for us: Path.is_file would raise.
    if not os.path.isfile(file):  # noqa: PTH113
        return {}, []
    try:
        return parsed(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidFile(f"cannot read {file.name}: {reason}", where=Place(file)) from None
