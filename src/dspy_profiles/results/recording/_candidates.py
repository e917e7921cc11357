"""Programs that an optimizer tries, identified by what it changes in them."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._json import Keep, plain

__all__ = ["Candidates", "Tried", "summary"]


@dataclass(frozen=True)
class Tried:
    """A program at one moment."""

    hash: str
    predictors: dict[str, Any]
    parent: str | None = None


@dataclass
class Candidates:
    """Candidates of one run of an optimizer, in order."""

    _parts: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, program: Any, keep: Keep) -> Tried:
        """Add a program, and find the earlier one that is most similar; of several, the latest."""
        tried = summary(program, keep)
        parts = _parts(tried.predictors)
        parent = None
        if tried.hash not in self._parts:
            common = {name: len(parts & others) for name, others in self._parts.items()}
            most = max(common.values(), default=0)
            if most:
                parent = [name for name, count in common.items() if count == most][-1]
            self._parts[tried.hash] = parts
        return Tried(tried.hash, tried.predictors, parent)


def summary(program: Any, keep: Keep) -> Tried:
    """Return instructions and demos of each predictor, and their hash."""
    predictors = {
        name: {"instructions": plain(instructions, keep), "demos": plain(demos, keep)}
        for name, instructions, demos in _dspy_objects.predictors(program)
    }
    return Tried(_hash(predictors), predictors)


def _parts(predictors: dict[str, Any]) -> frozenset[str]:
    """Return what candidates may have in common: instructions of predictors, and demos."""
    parts = set()
    for name, of in predictors.items():
        parts.add(_hash([name, of["instructions"]]))
        demos = of["demos"] if isinstance(of["demos"], list) else []
        parts.update(_hash([name, "demo", demo]) for demo in demos)
    return frozenset(parts)


def _hash(value: Any) -> str:
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
