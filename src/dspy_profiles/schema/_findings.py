"""Errors and warnings about a profile, each with its key and place."""

from dataclasses import dataclass
from typing import Literal

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import Place
from dspy_profiles.profiles import ResolvedProfile

__all__ = ["Finding", "Findings", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One error or warning; `near_miss`: the key is probably a typo."""

    severity: Severity
    key: KeyPath
    message: str
    hint: str | None = None
    where: Place | str | None = None
    near_miss: bool = False


class Findings(list[Finding]):
    """The errors and warnings of one profile."""

    def __init__(self, profile: ResolvedProfile) -> None:
        super().__init__()
        self._profile = profile

    def fail(self, path: KeyPath, message: str, hint: str | None = None) -> None:
        self.add("error", path, message, hint)

    def warn(self, path: KeyPath, message: str, hint: str | None = None) -> None:
        self.add("warning", path, message, hint)

    def add(
        self,
        severity: Severity,
        path: KeyPath,
        message: str,
        hint: str | None = None,
        *,
        near: bool = False,
    ) -> None:
        message = f"{join_key(path)}: {message}" if path else message
        where = self._profile.place(*path)
        self.append(Finding(severity, path, message, hint, where, near))
