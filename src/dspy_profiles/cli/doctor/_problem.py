"""A problem that `validate` and `doctor` report: severity, message, hint, place."""

from dataclasses import dataclass
from typing import Literal

from dspy_profiles.config import KeyPath
from dspy_profiles.errors import Place, ProfileError

__all__ = ["Problem", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """An error or a warning; `profile` and `key` are empty if it is about a whole file."""

    severity: Severity
    message: str
    hint: str | None = None
    where: Place | str | None = None
    profile: str | None = None
    key: KeyPath = ()
    code: int = 4  # the exit code of the error it comes from

    @classmethod
    def from_error(
        cls, error: ProfileError, profile: str | None = None, key: KeyPath = ()
    ) -> "Problem":
        """Return an error as a problem."""
        return cls("error", error.message, error.hint, error.where, profile, key, error.exit_code)
