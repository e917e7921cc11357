"""What calls took: how many there were, their tokens, their price, their time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dspy_profiles.results._model import Event, Experiment, Trial

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
        """By the calls of models among these that are over."""
        over = (each for each in events if each.kind == "lm" and each.status != "running")
        calls = (cls.of_call(each.attributes, each.status) for each in over)
        return sum(calls, cls(seconds=seconds))

    @classmethod
    def of_call(cls, said: Mapping[str, Any], status: str | None) -> "Spent":
        """One call of a model, its time left out. What DSPy's cache has answered costs nothing."""
        if said.get("cached") is True:
            return cls(cached=1)
        usage, price = said.get("usage"), said.get("cost")
        cost: float | None = 0.0  # one that failed and has no price
        if isinstance(price, int | float):
            cost = float(price)
        elif status != "failed":
            cost = None
        used = _tokens(usage) if isinstance(usage, Mapping) else 0
        return cls(1, 0, int(said.get("replayed") is True), used, cost)

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


def _tokens(usage: Mapping[str, Any]) -> int:
    """All tokens, in and out, as far as they were reported."""
    total = usage.get("total_tokens")
    parts: Iterable[Any] = (total,)
    if total is None:
        parts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    return sum(int(part) for part in parts if isinstance(part, int | float))
