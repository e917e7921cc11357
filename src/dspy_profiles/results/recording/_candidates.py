"""The programs that an optimizer tries: told apart by what it changes in them."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._json import Keep, plain

__all__ = ["Candidates", "Tried", "portrait"]


@dataclass(frozen=True)
class Tried:
    """A program as it was at one moment."""

    hash: str
    predictors: dict[str, Any]
    parent: str | None = None


@dataclass
class Candidates:
    """Those of one optimizer's run, in the order in which they came up."""

    _parts: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, program: Any, keep: Keep) -> Tried:
        """One more, and which of those before it is most like it; of equals the latest."""
        tried = portrait(program, keep)
        parts = _parts(tried.predictors)
        parent = None
        if tried.hash not in self._parts:
            common = {name: len(parts & others) for name, others in self._parts.items()}
            most = max(common.values(), default=0)
            if most:
                parent = [name for name, count in common.items() if count == most][-1]
            self._parts[tried.hash] = parts
        return Tried(tried.hash, tried.predictors, parent)


def portrait(program: Any, keep: Keep) -> Tried:
    """Instructions and demos of each predictor, and a hash of them."""
    predictors = {
        name: {"instructions": plain(instructions, keep), "demos": plain(demos, keep)}
        for name, instructions, demos in _dspy_objects.predictors(program)
    }
    return Tried(_hash(predictors), predictors)


def _parts(predictors: dict[str, Any]) -> frozenset[str]:
    """What candidates may have in common: the instructions of a predictor, each of its demos."""
    found = set()
    for name, of in predictors.items():
        found.add(_hash([name, of["instructions"]]))
        demos = of["demos"] if isinstance(of["demos"], list) else []
        found.update(_hash([name, "demo", demo]) for demo in demos)
    return frozenset(found)


def _hash(value: Any) -> str:
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
