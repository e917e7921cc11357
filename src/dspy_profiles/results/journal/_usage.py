"""Usage of calls: their number, tokens, cost and time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dspy_profiles.results._model import Event, Experiment, Trial

__all__ = ["MOST", "Spent", "seconds_of"]

MOST = 2**63 - 1  # JSON and databases have no larger numbers


@dataclass(frozen=True)
class Spent:
    """Usage of some calls. `cost` is None if a price is not known, `seconds` if there is no end.

    A call that a cassette answered counts in `calls` and `replayed`, and costs nothing.
    """

    calls: int = 0
    cached: int = 0
    replayed: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    seconds: float | None = 0.0

    @classmethod
    def on(cls, events: Iterable[Event], seconds: float | None) -> "Spent":
        """Return the usage of all model calls among these events that are over."""
        over = (each for each in events if each.kind == "lm" and each.status != "running")
        calls = (cls.of_call(each.attributes, each.status) for each in over)
        return sum(calls, cls(seconds=seconds))

    @classmethod
    def of_call(cls, attributes: Mapping[str, Any], status: str | None) -> "Spent":
        """Return the usage of one model call, without time. Answers of DSPy's cache are free."""
        if attributes.get("cached") is True:
            return cls(cached=1)
        usage, price = attributes.get("usage"), attributes.get("cost")
        cost: float | None = 0.0  # a failed call without a price
        if isinstance(price, int | float):
            cost = float(price)
        elif status != "failed":
            cost = None
        used = _tokens(usage) if isinstance(usage, Mapping) else 0
        return cls(1, 0, int(attributes.get("replayed") is True), used, cost)

    @classmethod
    def of(cls, experiment: Experiment) -> "Spent":
        """Return the totals of an experiment."""
        details = experiment.details
        return cls(
            _whole(details.get("calls")),
            _whole(details.get("cached")),
            _whole(details.get("replayed")),
            experiment.tokens,
            experiment.cost,
            seconds_of(experiment),
        )

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.calls + other.calls,
            self.cached + other.cached,
            self.replayed + other.replayed,
            min(self.tokens + other.tokens, MOST),
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
    """Return the duration; None while it runs."""
    if record.ended is None:
        return None
    return max((record.ended - record.started).total_seconds(), 0.0)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _tokens(usage: Mapping[str, Any]) -> int:
    """Return all tokens, input and output, as far as they were reported."""
    total = usage.get("total_tokens")
    parts: Iterable[Any] = (total,)
    if total is None:
        parts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    return sum(int(part) for part in parts if isinstance(part, int | float) and 0 <= part <= MOST)
