"""What calls took: how many there were, their tokens, their price, their time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dspy_profiles.results.assembling import tokens
from dspy_profiles.results.model import Event, Experiment, Trial

__all__ = ["Spent", "seconds_of"]


@dataclass(frozen=True)
class Spent:
    """`cost` is None where the price of a call is not known, `seconds` where the end is not.

    What a cassette has answered is a call, and one of `replayed`; it costs nothing.
    """

    calls: int = 0
    cached: int = 0
    replayed: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    seconds: float | None = 0.0

    @classmethod
    def on(cls, events: Iterable[Event], seconds: float | None) -> "Spent":
        """By the calls of models among these. What DSPy's cache has answered costs nothing."""
        calls = cached = replayed = used = 0
        cost: float | None = 0.0
        for event in events:
            if event.kind != "lm" or event.status == "running":
                continue
            said = event.attributes
            if said.get("cached") is True:
                cached += 1
                continue
            calls += 1
            replayed += said.get("replayed") is True
            usage, price = said.get("usage"), said.get("cost")
            used += tokens(usage) if isinstance(usage, Mapping) else 0
            if isinstance(price, int | float):
                cost = None if cost is None else cost + price
            elif event.status != "failed":
                cost = None
        return cls(calls, cached, replayed, used, cost, seconds)

    @classmethod
    def of(cls, experiment: Experiment) -> "Spent":
        """The sums that the experiment says of itself."""
        said = experiment.details
        return cls(
            _whole(said.get("calls")),
            _whole(said.get("cached")),
            _whole(said.get("replayed")),
            experiment.tokens,
            experiment.cost,
            seconds_of(experiment),
        )

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.calls + other.calls,
            self.cached + other.cached,
            self.replayed + other.replayed,
            self.tokens + other.tokens,
            _sum(self.cost, other.cost),
            _sum(self.seconds, other.seconds),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "cached": self.cached,
            "replayed": self.replayed,
            "tokens": self.tokens,
            "cost": self.cost,
            "seconds": self.seconds,
        }


def seconds_of(record: Experiment | Trial | Event) -> float | None:
    """How long it took; None while it runs."""
    if record.ended is None:
        return None
    return max((record.ended - record.started).total_seconds(), 0.0)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
