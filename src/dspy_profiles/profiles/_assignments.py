"""Parse values typed on a command line: a number, a boolean, JSON, or a string."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from dspy_profiles.config import KeyPath, join_key, split_key
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles._sections import SECTIONS

TEXTS = ("description", "env")  # sections whose values are always strings

__all__ = ["parse_assignment", "parse_assignments", "parse_value"]


def parse_value(text: str) -> Any:
    """Parse 0.7 as a number, true as a boolean, [1, 2] and {"a": 1} as JSON, others as a string.

    Put a string that looks like one of them in quotes: '"0.7"'.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if value is None:
        raise InvalidProfile("TOML has no null", hint="to remove a key, run dspy-profiles unset")
    if isinstance(value, float) and not math.isfinite(value):
        return text  # NaN and Infinity are strings here
    return value


def parse_assignment(text: str) -> tuple[KeyPath, Any]:
    """Parse `lm.model=openai/gpt-4o` into a key and a value."""
    key, equals, value = text.partition("=")
    if not equals:
        # Repeat the text only if it is a key: a misplaced word can be a secret.
        is_key = text.partition(".")[0] in SECTIONS
        raise InvalidProfile(
            f'"{text}" is not KEY=VALUE' if is_key else "an argument is not KEY=VALUE",
            hint="write section.key=value, as in lm.temperature=0.2",
        )
    path = split_key(key.strip())
    value = value.strip()
    return path, value if path[0] in TEXTS else parse_value(value)


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Parse `lm.temperature=0` and others into the tables that a file would hold."""
    tables: dict[str, Any] = {}
    for key, value in map(parse_assignment, assignments):
        _put(tables, key, value)
    return tables


def _put(tables: dict[str, Any], key: KeyPath, value: Any) -> None:
    inner = tables
    for part in key[:-1]:
        inner = inner.setdefault(part, {})
        if not isinstance(inner, Mapping):
            raise InvalidProfile(
                f"cannot set {join_key(key)}: another --set gives its parent a value"
            )
    inner[key[-1]] = value
