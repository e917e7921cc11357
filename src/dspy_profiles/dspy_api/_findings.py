"""Faults found in a profile, each with its key and its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dspy_profiles.errors import Place
from dspy_profiles.profile import KeyPath, ResolvedProfile, join_key, leaves

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
        self.append(Finding(severity, path, message, hint, self._place(path), near))

    def _place(self, path: KeyPath) -> Place | str | None:
        """The line of the key; of one that is missing, that of the first key beside it."""
        node: object = self._profile.values
        held = 0
        for part in path:
            if not isinstance(node, Mapping) or part not in node:
                break
            node = node[part]
            held += 1
        path = path[:held]
        if path and isinstance(node, Mapping):
            path = next((inner for inner, _ in leaves(node, path)), path)
        return self._profile.place(*path)
