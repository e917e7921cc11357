"""Every error of ours: what went wrong, where, and what to do about it."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, NamedTuple

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
    "WriteFailed",
    "did_you_mean",
]


class Place(NamedTuple):
    """A file and, where it is known, a line in it; prints as `path/profiles.toml:4`."""

    file: Path
    line: int | None = None

    def __str__(self) -> str:
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"


class ProfileError(Exception):
    """The base of every error of ours.

    `str(error)` is the message, the place and the hint; each is an attribute as well.
    `exit_code` is what the command line ends with.
    """

    exit_code: ClassVar[int] = 4

    def __init__(
        self, message: str, hint: str | None = None, where: Place | str | None = None
    ) -> None:
        super().__init__(message, hint, where)  # all of them, so that a pickled error is whole
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        lines = [self.message]
        if self.where is not None:
            lines.append(f"  at {self.where}")
        if self.hint is not None:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class ProfileWarning(UserWarning):
    """Something about a profile that its user should know, and that stops nothing."""


class ProfileNotFound(ProfileError):
    """No profile of that name, or no profile that applies at all."""

    exit_code = 3


class InvalidProfile(ProfileError):
    """A profile says something that cannot be: a wrong key, type, parent or value."""


class InvalidFile(ProfileError):
    """A file cannot be read or is not what it should be. It is left as it is."""


class WriteFailed(InvalidFile):
    """A file could not be written. It holds what it held before."""

    exit_code = 6


class MissingSecret(ProfileError):
    """A secret that a profile refers to is not there."""

    exit_code = 5


class PlaintextSecret(ProfileError):
    """A secret stands in clear where only a reference may stand."""

    exit_code = 5


class ProviderError(ProfileError):
    """A class that a profile names cannot be imported, built or used."""


class LockTimeout(ProfileError):
    """Another process holds the lock of a file for too long."""

    exit_code = 6


class LiveCallBlocked(ProfileError):
    """A call would have left this machine while live calls are blocked."""

    exit_code = 1


class BudgetExceeded(ProfileError):
    """The next call would go over the budget; it was not made."""

    exit_code = 1


class CassetteMiss(ProfileError):
    """A request is not on the cassette that is being replayed."""

    exit_code = 1


class StoreError(ProfileError):
    """A result store cannot be opened, read or written."""

    exit_code = 6


class ExperimentNotFound(StoreError):
    """No experiment, or no trial, of that name is in the store."""

    exit_code = 3


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names what `word` may have been meant to be, or None."""
    import difflib  # only where something is wrong

    others = sorted(set(known) - {word})  # of itself nobody has to be told
    near = difflib.get_close_matches(word, others, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else None
