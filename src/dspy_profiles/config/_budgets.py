"""What may be spent, and how that is written: `usd=0.5,tokens=100000,staging.calls=20`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from dspy_profiles.display import counted, exact
from dspy_profiles.errors import InvalidProfile, did_you_mean

__all__ = ["KINDS", "Budgets", "Limits"]

KINDS = ("usd", "tokens", "calls")
_MOST = sys.float_info.max  # a larger one could not even be printed as dollars


@dataclass(frozen=True)
class Limits:
    """The most that may be spent of each kind; None where there is no limit."""

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None

    @classmethod
    def checked(cls, given: Mapping[str, object]) -> Self:
        """Raises InvalidProfile for a kind or an amount that there cannot be."""
        for kind, amount in given.items():
            if kind not in KINDS:
                raise InvalidProfile(
                    f'a budget knows no "{kind}"',
                    hint=did_you_mean(kind, KINDS) or f"limits are {', '.join(KINDS)}",
                )
            whole = kind != "usd"
            fits = isinstance(amount, int if whole else int | float)
            if not fits or isinstance(amount, bool) or not 0 <= amount <= _MOST:  # type: ignore[operator]
                raise InvalidProfile(
                    f"a budget of {kind}={amount!r} cannot be kept",
                    hint=f"{kind} is {'a whole number' if whole else 'an amount of dollars'}, "
                    "zero or more",
                )
        return cls(**given)  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return any(getattr(self, kind) is not None for kind in KINDS)

    def __str__(self) -> str:
        said = []
        if self.usd is not None:
            said.append(exact(self.usd))
        said += [
            counted(most, kind.removesuffix("s"))
            for kind in KINDS[1:]
            if (most := getattr(self, kind)) is not None
        ]
        return ", ".join(said)


@dataclass(frozen=True)
class Budgets:
    """A session's limits, and those of single profiles in it."""

    session: Limits = field(default_factory=Limits)
    profiles: Mapping[str, Limits] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From `[PROFILE.]KIND=AMOUNT,…`."""
        session: dict[str, object] = {}
        profiles: dict[str, dict[str, object]] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            key, equals, amount = part.partition("=")
            if not equals:
                raise InvalidProfile(
                    f'"{part}" is no budget', hint="write usd=0.5,tokens=100000,calls=200"
                )
            profile, _, kind = key.strip().rpartition(".")
            table = profiles.setdefault(profile, {}) if profile else session
            table[kind] = _number(amount.strip())
        found = {name: Limits.checked(table) for name, table in profiles.items()}
        return cls(Limits.checked(session), found)

    def __bool__(self) -> bool:
        return bool(self.session) or any(self.profiles.values())

    def __str__(self) -> str:
        parts = [str(self.session)] if self.session else []
        parts += [f"{name} {limits}" for name, limits in self.profiles.items()]
        return "; ".join(parts)


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text.replace("_", ""))
        except ValueError:
            continue
    return text
