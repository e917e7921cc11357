"""Which variable a secret in clear goes to: one that nobody has, or that holds it already."""

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

__all__ = ["Find", "Taken", "Way"]

STEERING = "DSPY_PROFILE"  # what starts so is not taken from a .env file


@dataclass(frozen=True)
class Find:
    """A secret in clear: the key, and where in the lists under it."""

    definition: Definition
    key: KeyPath
    at: tuple[int | str, ...]
    value: Any = field(repr=False)


@dataclass(frozen=True)
class Way:
    """Where a secret goes: the variable, its text, and what the profile says in its place."""

    find: Find
    variable: str
    text: str = field(repr=False)
    reference: str


class Taken:
    """Which variables are there, and which are on their way."""

    def __init__(self, scene: Scene, env: Path) -> None:
        read = [env] if env.exists() else []
        self.old = {n: v for f in (*reversed(scene.env_files), *read) for n, v in _values(f)}
        self.old |= os.environ
        self.new: dict[str, str] = {}

    def way(self, find: Find) -> Way | None:
        """How to move a secret; None where it cannot be told from what stands around it."""
        text = str(find.value)
        if not has_reference(text, BUILT_IN_SCHEMES):
            scheme = AUTH_SCHEME.match(text)
            start = scheme[0] if scheme else ""
            variable = self._free(find, text[len(start) :])
            return Way(find, variable, text[len(start) :], f"{start}${{{variable}}}")
        fallback = TEMPLATE.fullmatch(text)
        if fallback is None or not fallback[2] or self.holds(fallback[1], None):
            return None
        return Way(find, fallback[1], fallback[3], f"${{{fallback[1]}}}")

    def keep(self, way: Way) -> None:
        if not self.holds(way.variable, way.text):
            self.new[way.variable] = way.text

    def _free(self, find: Find, text: str) -> str:
        """A name that nobody has, or that has this very secret."""
        same = next((name for name, value in self.new.items() if value == text), None)
        if same is not None:
            return same
        for name in _candidates(find):
            if not self.holds(name, None) or self.holds(name, text):
                return name
        raise AssertionError  # the candidates do not end

    def holds(self, name: str, text: str | None) -> bool:
        """Whether there is such a variable, and where a text is given, whether that is in it."""
        found = self.new.get(name, self.old.get(name))
        return found is not None and text in (None, found)


def _values(file: Path) -> list[tuple[str, str]]:
    names = names_in_files([file])
    return [(name, value_in_files(name, [file]) or "") for name in names]


def _candidates(find: Find) -> Iterator[str]:
    key = _spelled(find.key[-1])
    beside: Any = find.definition.table
    for part in find.at[:-1]:
        beside = beside[part]
    model = beside.get("model") if isinstance(beside, Mapping) else None
    if find.key[-1] == "api_key" and isinstance(model, str) and "/" in model:
        yield f"{_spelled(model.partition('/')[0])}_{key}"
    elif "_" in key:
        yield key
    name = _spelled(find.definition.name)
    start = f"MY_{name}" if name.startswith(STEERING) or not name[:1].isalpha() else name
    yield f"{start}_{key}"
    yield f"{start}_{'_'.join(map(_spelled, find.key))}"
    number = 2
    while True:
        yield f"{start}_{key}_{number}"
        number += 1


def _spelled(text: str) -> str:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in parts).strip("_").upper()
