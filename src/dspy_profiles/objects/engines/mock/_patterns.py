"""Generate strings that match a regular expression, for the simple ones in fields."""

import importlib
import re
import string
from collections.abc import Callable, Iterable
from typing import Any

from dspy_profiles.objects.engines.mock._text import Draw

__all__ = ["text_matching"]

_PRINTABLE = string.ascii_lowercase + string.digits + string.ascii_uppercase + " -_.,:;!?/@#%&+*=()"
_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_lowercase + string.digits + string.ascii_uppercase + "_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": string.ascii_lowercase,
    "CATEGORY_NOT_WORD": "-",
    "CATEGORY_NOT_SPACE": string.ascii_lowercase + string.digits,
}
_MOST_REPEATS = 8  # of an unlimited repetition


def text_matching(pattern: str, draw: Draw) -> str | None:
    """Return a string that `pattern` matches, or None if the pattern is not supported."""
    try:
        # Python's own parser is undocumented: if it changes, patterns are not supported.
        tree = importlib.import_module("re._parser").parse(pattern)
        made = _Reader(draw).text(tree)
        return made if re.search(pattern, made) else None
    except (ImportError, re.error, AttributeError, LookupError, TypeError, ValueError):
        return None


class _Reader:
    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._drawn = 0
        self._groups: dict[int, str] = {}
        # Lookahead and conditions are not supported.
        self._parts: dict[str, Callable[[Any], str]] = {
            "LITERAL": chr,
            "ANY": lambda _: self._one_of(string.ascii_lowercase),
            "NOT_LITERAL": lambda code: self._one_of(_PRINTABLE.replace(chr(code), "")),
            "IN": lambda members: self._one_of(_members(members)),
            "MAX_REPEAT": self._repeated,
            "MIN_REPEAT": self._repeated,
            "POSSESSIVE_REPEAT": self._repeated,
            "BRANCH": lambda branch: self.text(self._next().pick(branch[1])),
            "SUBPATTERN": self._group,
            "ATOMIC_GROUP": self.text,
            "GROUPREF": lambda number: self._groups[number],
            "AT": lambda _: "",
        }

    def text(self, tree: Iterable[tuple[Any, Any]]) -> str:
        return "".join(self._parts[str(op)](argument) for op, argument in tree)

    def _group(self, argument: Any) -> str:
        self._groups[argument[0]] = made = self.text(argument[-1])
        return made

    def _repeated(self, argument: Any) -> str:
        least, most, tree = argument
        # "No upper limit" is a very large constant: a few repetitions are enough.
        most = min(int(most), max(least, _MOST_REPEATS))
        fewest = max(least, min(1, most))
        times = fewest + self._next().below(most - fewest + 1)
        return "".join(self.text(tree) for _ in range(times))

    def _one_of(self, members: str) -> str:
        return self._next().pick(members)

    def _next(self) -> Draw:
        self._drawn += 1
        return self._draw.child(self._drawn)


def _members(argument: Iterable[tuple[Any, Any]]) -> str:
    members: list[str] = []
    negated = False
    for op, value in argument:
        match str(op):
            case "NEGATE":
                negated = True
            case "LITERAL":
                members.append(chr(value))
            case "RANGE":
                low, high = value
                members.extend(map(chr, range(low, min(high, low + 200) + 1)))
            case "CATEGORY":
                members.extend(_CATEGORIES[str(value)])
    if not negated:
        return "".join(members)
    return "".join(char for char in _PRINTABLE if char not in members)
