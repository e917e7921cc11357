"""The session of `run`, passed to Python processes below it in one environment variable."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dspy_profiles.config import SESSION_VARIABLE
from dspy_profiles.errors import InvalidProfile

__all__ = ["Session"]

VERSION = 3
TEXTS = ("cwd", "reason", "cassettes")
OPTIONAL = ("path", "profile", "cassette", "experiment", "folder", "report")


@dataclass(frozen=True)
class Session:
    """One `run`: its profile, the reason, and the files that count. It holds no secret."""

    cwd: Path
    path: str | None  # the profiles file that was exported, if one was
    named: bool  # whether the user named that file; else it only happens to define the profile
    profile: str | None  # None: the run is only recorded
    reason: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    cassette: str | None = None  # the file that is played, or recorded on
    mode: str = "none"
    experiment: str | None = None  # what is recorded, and the folder of its journals
    folder: str | None = None
    report: str | None = None  # the file in which refused calls are reported
    held: bool = False  # variables wait for a program that may set them

    def to_text(self) -> str:
        return json.dumps(
            {
                "version": VERSION,
                "cwd": str(self.cwd),
                "path": self.path,
                "named": self.named,
                "profile": self.profile,
                "reason": self.reason,
                "set": self.overrides,
                "cassette": self.cassette,
                "cassettes": self.mode,
                "experiment": self.experiment,
                "folder": self.folder,
                "report": self.report,
                "held": self.held,
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        try:
            found = json.loads(text)
            if found["version"] != VERSION:
                raise InvalidProfile(
                    f"{SESSION_VARIABLE} was written by another version of dspy-profiles",
                    hint="install the same version in both environments",
                )
            texts = {name: _text(found[name]) for name in TEXTS}
            optional = {n: None if found[n] is None else _text(found[n]) for n in OPTIONAL}
            return cls(
                Path(texts["cwd"]),
                optional["path"],
                bool(found["named"]),
                optional["profile"],
                texts["reason"],
                dict(found["set"]),
                optional["cassette"],
                texts["cassettes"],
                optional["experiment"],
                optional["folder"],
                optional["report"],
                bool(found["held"]),
            )
        except (ValueError, TypeError, KeyError, RecursionError):
            raise InvalidProfile(
                f"{SESSION_VARIABLE} is not what `dspy-profiles run` writes",
                hint=f"unset {SESSION_VARIABLE}, or run the program by `dspy-profiles run`",
            ) from None


def _text(value: Any) -> str:
    """Return a string that may be a path. Raises TypeError or ValueError."""
    if not isinstance(value, str):
        raise TypeError("not a string")
    if b"\0" in os.fsencode(value):
        raise ValueError("contains a NUL")
    return value
