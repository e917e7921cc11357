"""The little language of `--where`: `score>=0.8 and kind=example`."""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from dspy_profiles.errors import ProfileError, did_you_mean
from dspy_profiles.results._model import Status, Trial, TrialKind

__all__ = ["Bar", "is_good", "parse_where"]

FIELDS = ("score", "status", "kind", "name")
WORDS = {"status": get_args(Status), "kind": get_args(TrialKind)}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
EQUAL = ("=", "==", "!=")
EXAMPLE = "write it like this: score>=0.8 and kind=example"
CONDITION = re.compile(
    r"""\s*(?P<field>\w+)\s*(?P<operator>[<>=!~]++)\s*(?P<value>"[^"]*"|'[^']*'|\S+)\s*"""
)
AND = re.compile(r"and\b", re.IGNORECASE)


@dataclass(frozen=True)
class Bar:
    """One condition on a trial."""

    field: str
    operator: str
    value: float | str

    def holds(self, trial: Trial) -> bool:
        """A trial without a score is neither above nor below anything."""
        found = getattr(trial, self.field)
        return found is not None and OPERATORS[self.operator](found, self.value)


def parse_where(text: str) -> tuple[Bar, ...]:
    """The conditions in a text, all of which a trial has to meet.

    >>> parse_where("score>=0.8 and kind=example")[0]
    Bar(field='score', operator='>=', value=0.8)
    """
    bars, at = [], 0
    while True:
        match = CONDITION.match(text, at)
        if match is None:
            said = text[at:].strip()
            raise ProfileError(
                f'"{said}" is no condition' if said else "a condition is missing", EXAMPLE
            )
        bars.append(_bar(match["field"], match["operator"], match["value"]))
        at = match.end()
        if at == len(text):
            return tuple(bars)
        joint = AND.match(text, at)
        if joint is None:
            raise ProfileError(
                f'"and" is missing before "{text[at:]}"',
                'conditions are joined by "and"; a text with blanks is put into quotes',
            )
        at = joint.end()


def is_good(trial: Trial, bars: tuple[Bar, ...]) -> bool:
    """Whether it meets them all; without any, whether it ended without an error."""
    if bars:
        return all(bar.holds(trial) for bar in bars)
    return trial.status == "done" and trial.error is None


def _bar(field: str, sign: str, value: str) -> Bar:
    if field not in FIELDS:
        raise ProfileError(
            f'trials have no "{field}" to choose by',
            did_you_mean(field, FIELDS) or f"those that there are: {', '.join(FIELDS)}",
        )
    if sign not in OPERATORS:
        raise ProfileError(f'"{sign}" compares nothing', f"write one of {' '.join(OPERATORS)}")
    if field == "score":
        return Bar(field, sign, _number(value))
    if sign not in EQUAL:
        raise ProfileError(f"{field} is a text, which {sign} does not compare", "write = or !=")
    text = value[1:-1] if value[0] in "\"'" else value
    known = WORDS.get(field)
    if known is not None and text not in known:
        raise ProfileError(
            f'no trial has the {field} "{text}"',
            did_you_mean(text, known) or f"those that there are: {', '.join(known)}",
        )
    return Bar(field, sign, text)


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ProfileError(f'a score is compared with a number, and "{text}" is none', EXAMPLE)
    return found
