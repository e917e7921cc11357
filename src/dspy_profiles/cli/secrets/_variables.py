"""Which variable a plaintext secret moves to: an unused one, or one that already holds it."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dspy_profiles.config import KeyPath
from dspy_profiles.profiles import Definition, Scene
from dspy_profiles.secrets import (
    AUTH_SCHEME,
    BUILT_IN_SCHEMES,
    TEMPLATE,
    has_reference,
    names_in_files,
    value_in_files,
)

__all__ = ["Move", "Plaintext", "TakenNames"]

NOT_FROM_ENV_FILES = "DSPY_PROFILE"  # variables with this prefix are not read from .env files


@dataclass(frozen=True)
class Plaintext:
    """A plaintext secret: its key, and its position in tables and lists of the profile."""

    definition: Definition
    key: KeyPath
    at: tuple[int | str, ...]
    value: Any = field(repr=False)


@dataclass(frozen=True)
class Move:
    """Where a secret moves to: a variable, its value, and the reference that replaces it."""

    plaintext: Plaintext
    variable: str
    text: str = field(repr=False)
    reference: str


class TakenNames:
    """Variables that exist, and those that this command adds."""

    def __init__(self, scene: Scene, env: Path) -> None:
        last = [env] if env.exists() else []
        self.old = {n: v for f in (*reversed(scene.env_files), *last) for n, v in _values(f)}
        self.old |= os.environ
        self.new: dict[str, str] = {}

    def move(self, plaintext: Plaintext) -> Move | None:
        """Plan the move of a secret; None if text around it cannot be separated from it."""
        text = str(plaintext.value)
        if not has_reference(text, BUILT_IN_SCHEMES):
            scheme = AUTH_SCHEME.match(text)
            start = scheme[0] if scheme else ""
            variable = self._free_name(plaintext, text[len(start) :])
            return Move(plaintext, variable, text[len(start) :], f"{start}${{{variable}}}")
        fallback = TEMPLATE.fullmatch(text)
        if fallback is None or not fallback[2] or self.holds(fallback[1], None):
            return None
        return Move(plaintext, fallback[1], fallback[3], f"${{{fallback[1]}}}")

    def add(self, move: Move) -> None:
        """Count the variable of a move as taken."""
        if not self.holds(move.variable, move.text):
            self.new[move.variable] = move.text

    def _free_name(self, plaintext: Plaintext, text: str) -> str:
        same = next((name for name, value in self.new.items() if value == text), None)
        if same is not None:
            return same
        for name in _candidates(plaintext):
            if not self.holds(name, None) or self.holds(name, text):
                return name
        raise AssertionError  # the candidates do not end

    def holds(self, name: str, text: str | None) -> bool:
        """Return whether a variable exists and, unless `text` is None, has this value."""
        value = self.new.get(name, self.old.get(name))
        return value is not None and text in (None, value)


def _values(file: Path) -> list[tuple[str, str]]:
    names = names_in_files([file])
    return [(name, value_in_files(name, [file]) or "") for name in names]


def _candidates(plaintext: Plaintext) -> Iterator[str]:
    key = _spelled(plaintext.key[-1])
    table: Any = plaintext.definition.table
    for part in plaintext.at[:-1]:
        table = table[part]
    model = table.get("model") if isinstance(table, Mapping) else None
    if plaintext.key[-1] == "api_key" and isinstance(model, str) and "/" in model:
        yield f"{_spelled(model.partition('/')[0])}_{key}"
    elif "_" in key:
        yield key
    name = _spelled(plaintext.definition.name)
    is_usable = name[:1].isalpha() and not name.startswith(NOT_FROM_ENV_FILES)
    start = name if is_usable else f"MY_{name}"
    yield f"{start}_{key}"
    yield f"{start}_{'_'.join(map(_spelled, plaintext.key))}"
    number = 2
    while True:
        yield f"{start}_{key}_{number}"
        number += 1


def _spelled(text: str) -> str:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in parts).strip("_").upper()
