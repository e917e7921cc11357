"""One fault, as `validate` and `doctor` tell it: how grave, what, where, what to do about it."""

from dataclasses import dataclass
from typing import Literal

from dspy_profiles.config import KeyPath
from dspy_profiles.errors import Place, ProfileError

__all__ = ["Fault", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Fault:
    """A fault and its place; `profile` and `key` are empty where it is about a whole file."""

    severity: Severity
    message: str
    hint: str | None = None
    where: Place | str | None = None
    profile: str | None = None
    key: KeyPath = ()

    @classmethod
    def told(cls, error: ProfileError, profile: str | None = None, key: KeyPath = ()) -> "Fault":
        return cls("error", error.message, error.hint, error.where, profile, key)
