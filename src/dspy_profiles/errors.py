"""The errors of dspy-profiles: what went wrong, where, and how to fix it."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, NamedTuple

from dspy_profiles._control import without_control

__all__ = [
    "BudgetExceeded",
    "CassetteMiss",
    "ExperimentNotFound",
    "InvalidFile",
    "InvalidProfile",
    "LiveCallBlocked",
    "LockTimeout",
    "MissingSecret",
    "Place",
    "PlaintextSecret",
    "ProfileError",
    "ProfileNotFound",
    "ProfileWarning",
    "ProviderError",
    "StoreError",
    "Untrusted",
    "WriteFailed",
    "did_you_mean",
]


class Place(NamedTuple):
    """A file and, if known, a line in it; prints as `path/profiles.toml:4`."""

    file: Path
    line: int | None = None

    def __str__(self) -> str:
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"


class ProfileError(Exception):
    """The base class of all errors of dspy-profiles.

    `str(error)` is the message, the place and the hint, without control characters; each is an
    attribute as well, as it is.
    `exit_code` is the exit code of the command line.
    """

    exit_code: ClassVar[int] = 4

    def __init__(
        self, message: str, hint: str | None = None, where: Place | str | None = None
    ) -> None:
        super().__init__(message, hint, where)  # pickle calls the class with these arguments
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        lines = [self.message]
        if self.where is not None:
            lines.append(f"  at {self.where}")
        if self.hint is not None:
            lines.append(f"  hint: {self.hint}")
        return without_control("\n".join(lines))


class ProfileWarning(UserWarning):
    """A warning about a profile."""

    def __str__(self) -> str:
        return without_control(super().__str__())


class ProfileNotFound(ProfileError):
    """No profile has that name, or no profile is active."""

    exit_code = 3


class InvalidProfile(ProfileError):
    """A profile has a wrong key, type, parent or value."""


class InvalidFile(ProfileError):
    """A file cannot be read, or its content is not valid. The file stays unchanged."""


class WriteFailed(InvalidFile):
    """A file cannot be written. Its old content stays."""

    exit_code = 6


class MissingSecret(ProfileError):
    """A reference to a secret has no value."""

    exit_code = 5


class PlaintextSecret(ProfileError):
    """A profile contains a plaintext secret; only a reference is allowed."""

    exit_code = 5


class ProviderError(ProfileError):
    """A class or plugin that a profile names cannot be imported, built or used."""


class Untrusted(ProfileError):
    """A file of a folder that is not trusted wants this process to act."""

    exit_code = 7


class LockTimeout(ProfileError):
    """Another process holds the lock of a file for too long."""

    exit_code = 6


class LiveCallBlocked(ProfileError):
    """A live call was blocked."""

    exit_code = 1


class BudgetExceeded(ProfileError):
    """A call was blocked, since it would exceed the budget."""

    exit_code = 1


class CassetteMiss(ProfileError):
    """A cassette has no response for a request."""

    exit_code = 1


class StoreError(ProfileError):
    """A store of results cannot be opened, read or written."""

    exit_code = 6


class ExperimentNotFound(StoreError):
    """The store has no experiment, or no trial, of that name."""

    exit_code = 3


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the known word nearest to `word`, or None."""
    import difflib  # slow to import, and needed for errors only

    others = sorted(set(known) - {word})
    near = difflib.get_close_matches(word, others, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else None
