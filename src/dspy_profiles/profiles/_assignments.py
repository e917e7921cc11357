"""Values as they are typed: a number, a boolean, JSON, else text."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from dspy_profiles.config import KeyPath, join_key, split_key
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles._sections import SECTIONS

TEXTS = ("description", "env")  # sections whose values are texts, whatever they look like

__all__ = ["assignment", "nested", "typed"]


def typed(text: str) -> Any:
    """0.7 is a number, true a boolean, [1, 2] and {"a": 1} JSON; anything else is text.

    Text that looks like one of them is written in quotes: '"0.7"'.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if value is None:
        raise InvalidProfile("TOML has no null", hint="unset removes a key")
    if isinstance(value, float) and not math.isfinite(value):
        return text  # NaN and Infinity are words, here
    return value


def assignment(text: str) -> tuple[KeyPath, Any]:
    """`lm.model=openai/gpt-4o` as a key and a value."""
    key, equals, value = text.partition("=")
    if not equals:
        # Only what is a key is repeated: a word out of place may be a secret.
        is_key = text.partition(".")[0] in SECTIONS
        raise InvalidProfile(
            f'"{text}" sets nothing' if is_key else "one of the words sets nothing",
            hint="write KEY=VALUE, as in lm.temperature=0.2",
        )
    path = split_key(key.strip())
    value = value.strip()
    return path, value if path[0] in TEXTS else typed(value)


def nested(assignments: Iterable[str]) -> dict[str, Any]:
    """`lm.temperature=0` and others as the tables that they would be in a file."""
    tables: dict[str, Any] = {}
    for key, value in map(assignment, assignments):
        _put(tables, key, value)
    return tables


def _put(tables: dict[str, Any], key: KeyPath, value: Any) -> None:
    inner = tables
    for part in key[:-1]:
        inner = inner.setdefault(part, {})
        if not isinstance(inner, Mapping):
            raise InvalidProfile(f"--set gives {join_key(key)} a value and makes it a table, too")
    inner[key[-1]] = value
