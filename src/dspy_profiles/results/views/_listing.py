"""The rows of a list of experiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from dspy_profiles.display import NOTHING, count, money, number, on_one_line
from dspy_profiles.results._model import Experiment

__all__ = ["HEADS", "NUMBERS", "ListSheet", "list_sheet"]

HEADS = (
    *("name", "status", "score", "trials", "tokens", "cost"),
    *("profile", "program", "started", "id"),
)
NUMBERS = frozenset({"score", "trials", "tokens", "cost"})  # columns of them


@dataclass(frozen=True)
class ListSheet:
    """Each row as texts, by the names of the columns."""

    rows: Sequence[Mapping[str, str]]
    experiments: Sequence[Experiment]


def list_sheet(experiments: Sequence[Experiment]) -> ListSheet:
    return ListSheet([_row(each) for each in experiments], tuple(experiments))


def _row(one: Experiment) -> dict[str, str]:
    return {
        "name": on_one_line(one.name, 60),
        "status": on_one_line(one.status, 20),
        "score": number(one.score),
        "trials": count(one.trials),
        "tokens": count(one.tokens),
        "cost": money(one.cost),
        "profile": on_one_line(one.profile, 40) if one.profile else NOTHING,
        "program": on_one_line(one.program, 40) if one.program else NOTHING,
        "started": f"{one.started.astimezone(UTC):%Y-%m-%d %H:%M}",
        "id": one.id,
    }
