"""The session of `run`, passed to Python processes below it in one environment variable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dspy_profiles.config import SESSION_VARIABLE
from dspy_profiles.errors import InvalidProfile

__all__ = ["Session"]

VERSION = 3


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
            return cls(
                Path(found["cwd"]),
                found["path"],
                found["named"],
                found["profile"],
                found["reason"],
                dict(found["set"]),
                found["cassette"],
                found["cassettes"],
                found["experiment"],
                found["folder"],
                found["report"],
                bool(found["held"]),
            )
        except (ValueError, TypeError, KeyError):
            raise InvalidProfile(
                f"{SESSION_VARIABLE} is not what `dspy-profiles run` writes",
                hint=f"unset {SESSION_VARIABLE}, or run the program by `dspy-profiles run`",
            ) from None
