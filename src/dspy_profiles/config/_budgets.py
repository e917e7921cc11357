"""Limits of spending, written as `usd=0.5,tokens=100000,staging.calls=20`."""

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
    """The limit of each kind; None: no limit."""

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None

    @classmethod
    def checked(cls, amounts: Mapping[str, object]) -> Self:
        """Return limits. Raise InvalidProfile for an unknown kind or an invalid amount."""
        for kind, amount in amounts.items():
            if kind not in KINDS:
                raise InvalidProfile(
                    f'unknown kind of budget "{kind}"',
                    hint=did_you_mean(kind, KINDS) or f"kinds: {', '.join(KINDS)}",
                )
            whole = kind != "usd"
            fits = isinstance(amount, int if whole else int | float)
            if not fits or isinstance(amount, bool) or not 0 <= amount <= _MOST:  # type: ignore[operator]
                raise InvalidProfile(
                    f"invalid budget {kind}={amount!r}",
                    hint=f"{kind} must be {'a whole number' if whole else 'dollars'}, 0 or more",
                )
        return cls(**amounts)  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return any(getattr(self, kind) is not None for kind in KINDS)

    def __str__(self) -> str:
        parts = []
        if self.usd is not None:
            parts.append(exact(self.usd))
        parts += [
            counted(most, kind.removesuffix("s"))
            for kind in KINDS[1:]
            if (most := getattr(self, kind)) is not None
        ]
        return ", ".join(parts)


@dataclass(frozen=True)
class Budgets:
    """The limits of a session, and those of single profiles in it."""

    session: Limits = field(default_factory=Limits)
    profiles: Mapping[str, Limits] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse `[PROFILE.]KIND=AMOUNT,…`."""
        session: dict[str, object] = {}
        profiles: dict[str, dict[str, object]] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            key, equals, amount = part.partition("=")
            if not equals:
                raise InvalidProfile(
                    f'"{part}" is not a budget', hint="write usd=0.5,tokens=100000,calls=200"
                )
            profile, _, kind = key.strip().rpartition(".")
            table = profiles.setdefault(profile, {}) if profile else session
            table[kind] = _number(amount.strip())
        of_profiles = {name: Limits.checked(table) for name, table in profiles.items()}
        return cls(Limits.checked(session), of_profiles)

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
