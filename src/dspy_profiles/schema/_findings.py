"""Faults found in a profile, each with its key and its place."""

from dataclasses import dataclass
from typing import Literal

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import Place
from dspy_profiles.profiles import ResolvedProfile

__all__ = ["Finding", "Findings", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or likely to be; `near_miss`: a key looks like a slip."""

    severity: Severity
    key: KeyPath
    message: str
    hint: str | None = None
    where: Place | str | None = None
    near_miss: bool = False


class Findings(list[Finding]):
    """The faults of one profile."""

    def __init__(self, profile: ResolvedProfile) -> None:
        super().__init__()
        self._profile = profile

    def fail(self, path: KeyPath, said: str, hint: str | None = None) -> None:
        self.add("error", path, said, hint)

    def warn(self, path: KeyPath, said: str, hint: str | None = None) -> None:
        self.add("warning", path, said, hint)

    def add(
        self,
        severity: Severity,
        path: KeyPath,
        said: str,
        hint: str | None = None,
        *,
        near: bool = False,
    ) -> None:
        message = f"{join_key(path)}: {said}" if path else said
        where = self._profile.place(*path)
        self.append(Finding(severity, path, message, hint, where, near))
