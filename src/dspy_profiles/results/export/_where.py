"""Conditions of `--where`: `score>=0.8 and kind=example`."""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from dspy_profiles.errors import ProfileError, did_you_mean
from dspy_profiles.results._model import Status, Trial, TrialKind

__all__ = ["Condition", "is_good", "parse_where"]

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
EXAMPLE = "write a condition such as score>=0.8 and kind=example"
CONDITION = re.compile(
    r"""\s*(?P<field>\w+)\s*(?P<operator>[<>=!~]++)\s*(?P<value>"[^"]*"|'[^']*'|\S+)\s*"""
)
AND = re.compile(r"and\b", re.IGNORECASE)


@dataclass(frozen=True)
class Condition:
    """One condition on a trial."""

    field: str
    operator: str
    value: float | str

    def holds(self, trial: Trial) -> bool:
        """Return whether a trial meets it. Without a score, it meets no condition on the score."""
        value = getattr(trial, self.field)
        return value is not None and OPERATORS[self.operator](value, self.value)


def parse_where(text: str) -> tuple[Condition, ...]:
    """Return the conditions in a string. Raises ProfileError.

    >>> parse_where("score>=0.8 and kind=example")[0]
    Condition(field='score', operator='>=', value=0.8)
    """
    conditions, at = [], 0
    while True:
        match = CONDITION.match(text, at)
        if match is None:
            rest = text[at:].strip()
            raise ProfileError(
                f'"{rest}" is not a condition' if rest else "a condition is missing", EXAMPLE
            )
        conditions.append(_condition(match["field"], match["operator"], match["value"]))
        at = match.end()
        if at == len(text):
            return tuple(conditions)
        joint = AND.match(text, at)
        if joint is None:
            raise ProfileError(
                f'"and" is missing before "{text[at:]}"',
                'join conditions with "and", and quote strings that contain spaces',
            )
        at = joint.end()


def is_good(trial: Trial, conditions: tuple[Condition, ...]) -> bool:
    """Return whether a trial meets all conditions; without any, whether it has no error."""
    if conditions:
        return all(condition.holds(trial) for condition in conditions)
    return trial.status == "done" and trial.error is None


def _condition(field: str, sign: str, value: str) -> Condition:
    if field not in FIELDS:
        raise ProfileError(
            f'unknown field "{field}"',
            did_you_mean(field, FIELDS) or f"write one of: {', '.join(FIELDS)}",
        )
    if sign not in OPERATORS:
        raise ProfileError(f'unknown operator "{sign}"', f"write one of: {' '.join(OPERATORS)}")
    if field == "score":
        return Condition(field, sign, _number(value))
    if sign not in EQUAL:
        raise ProfileError(f"{sign} does not compare strings such as {field}", "write = or !=")
    text = value[1:-1] if value[0] in "\"'" else value
    known = WORDS.get(field)
    if known is not None and text not in known:
        raise ProfileError(
            f'unknown {field} "{text}"',
            did_you_mean(text, known) or f"write one of: {', '.join(known)}",
        )
    return Condition(field, sign, text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ProfileError(f'score is compared with "{text}", which is not a number', EXAMPLE)
    return number
