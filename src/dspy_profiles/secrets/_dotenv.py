"""Load `.env` files and `[x.env]` into the environment of this process."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path

from dspy_profiles._locks import ProcessLock
from dspy_profiles._reading import MEGABYTE, read_text
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place
from dspy_profiles.secrets._names import Names
from dspy_profiles.secrets._redaction import SHORTEST_MASKED, remember
from dspy_profiles.secrets._steering import is_never_set, needs_trust, steers_profiles

__all__ = [
    "INVALID_LINE",
    "Trusts",
    "file_of_variable",
    "invalid_lines",
    "left_out",
    "load_env_files",
    "names_in_files",
    "parse_dotenv",
    "remember_environment",
    "set_variables_once",
    "value_in_files",
    "warn_about_lines",
    "warn_no_more",
]

INVALID_LINE = "not NAME=VALUE; ignored"

LARGEST = 16 * MEGABYTE
Trusts = Callable[[Path], bool]  # whether a file may set the variables that need trust

_lock = ProcessLock()
_from_files: dict[str, tuple[str, Path]] = {}
_from_profiles: dict[str, tuple[str, str, Path | None]] = {}  # values, profiles, their files
_reported: set[Place] = set()  # broken lines, each reported once per process
_left_out: set[tuple[str, str]] = set()  # variables of a file, each reported once
EVERYTHING = ("", "")


def load_env_files(files: Iterable[Path], trusts: Trusts, held: list[str] | None = None) -> None:
    """Set the variables of these files; the first file that has a name wins.

    Variables that were set before stay. Those of an earlier call follow the files, unless other
    code has changed them since. Variables that steer programs are left out, see `left_out`.
    """
    # Read all files before keeping a value: an error's frames must hold no secret.
    read = [(file, _read(file)) for file in files]
    for file, table in read:
        for name in left_out(file, table, trusts, held=held):
            del table[name]
    wanted = {
        name: (value, file) for file, table in reversed(read) for name, value in table.items()
    }
    with _lock:
        for name, (value, _) in list(_from_files.items()):
            if os.environ.get(name) != value:
                del _from_files[name]  # other code has changed it
            elif name not in wanted:
                del _from_files[name], os.environ[name]
        for name, (value, file) in wanted.items():
            if name in _from_files or name not in os.environ:
                os.environ[name] = value
                _from_files[name] = value, file


def file_of_variable(name: str) -> Path | None:
    """Return the file that has set a variable of this process, if one has."""
    for value, *_, file in filter(None, (_from_files.get(name), _from_profiles.get(name))):
        if os.environ.get(name) == value:
            return file if isinstance(file, Path) else None
    return None


def left_out(
    file: Path,
    table: Mapping[str, str],
    trusts: Trusts,
    *,
    where: str = "",
    held: list[str] | None = None,
) -> list[str]:
    """Return which of these variables the file may not set. Warn about them, once per process.

    Some would start or import what they name, in every program: no file sets them. Others decide
    where requests go: only the user's own file or a trusted one sets them. `held` gets those
    instead of a warning, if another process will ask again. DSPY_PROFILE… variables are left out
    without a word, since they would change which files are read.
    """
    never = [name for name in table if is_never_set(name)]
    waiting = [n for n, value in table.items() if n not in never and needs_trust(n, value)]
    if waiting and trusts(file):
        waiting = []
    source = where or str(file)
    _warn(source, [name for name in never if not steers_profiles(name)], "no file may set")
    if held is not None:
        held += waiting
    else:
        hint = f"run dspy-profiles trust {file.parent}"
        _warn(source, waiting, "only a trusted file may set", hint)
    return never + waiting


def warn_no_more() -> None:
    """Say nothing of variables that no file may set: the parent of this process has."""
    _left_out.add(EVERYTHING)


def _warn(source: str, names: Iterable[str], why: str, hint: str | None = None) -> None:
    new = [name for name in names if (source, name) not in _left_out]
    if new and not (hint is None and EVERYTHING in _left_out):
        import logging  # rarely needed, and slow to import

        _left_out.update((source, name) for name in new)
        logging.getLogger("dspy_profiles").warning(
            "dspy-profiles: %s: left out %s, which %s%s",
            _printable(source),
            ", ".join(map(_printable, new)),
            why,
            f"\n  hint: {_printable(hint)}" if hint else "",
        )


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)


def remember_environment(names: Names) -> None:
    """Mask the values of variables with names of secrets: DSPy may send them without a profile."""
    for name, value in list(os.environ.items()):
        if len(value) >= SHORTEST_MASKED and names.is_secret(name, value):
            remember(value, f"${{{name}}}")


def value_in_files(name: str, files: Iterable[Path]) -> str | None:
    """Return the value of a name in the first file that has it."""
    read = [_read(file) for file in files]  # read all files first, as above
    return next((table[name] for table in read if name in table), None)


def names_in_files(files: Iterable[Path]) -> set[str]:
    """Return the names that these files set, without their values."""
    return {name for file in files for name in _read(file)}


def set_variables_once(
    profile: str, variables: Mapping[str, str], files: Mapping[str, Path] | None = None
) -> None:
    """Set these variables where unset, for the rest of the process. Warn if profiles disagree.

    `files` are those that they come from.
    """
    refused = [
        name
        for name, value in variables.items()
        if not _set_one(profile, name, value, (files or {}).get(name))
    ]
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


def _set_one(profile: str, name: str, value: str, file: Path | None) -> bool:
    with _lock:
        if name not in os.environ:
            try:
                os.environ[name] = value
            except (OSError, ValueError):  # a NUL character, or a lone surrogate
                return False
            _from_profiles[name] = (value, profile, file)
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
            logging.getLogger("dspy_profiles").warning(
                "dspy-profiles: %s: %s", _printable(str(place)), INVALID_LINE
            )


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
