"""What was used: calls, tokens, money, as far as they are known. Pure data."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Usage", "total"]


@dataclass(frozen=True)
class Usage:
    """Sums over calls. Replayed and cached ones are counted apart, and cost nothing.

    `cost` is None where the price of a call is not known: that is not zero.
    """

    calls: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    cached: int = 0
    replayed: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        known = self.cost is not None and other.cost is not None
        return Usage(
            self.calls + other.calls,
            self.tokens + other.tokens,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
            self.cached + other.cached,
            self.replayed + other.replayed,
        )

    def __bool__(self) -> bool:
        """Whether anything was asked of an LM at all."""
        return bool(self.calls or self.cached or self.replayed)


def total(usages: Iterable[Usage]) -> Usage:
    return sum(usages, Usage())
