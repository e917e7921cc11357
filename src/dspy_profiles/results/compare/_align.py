"""Which trial of one experiment is which of another: by what was tried, never by ids of calls."""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from dspy_profiles.results._model import Event, Trial

__all__ = ["Aligned", "Tried", "align", "identity", "tried"]


@dataclass(frozen=True)
class Tried:
    """A trial with its events; `labels` are what an evaluated example says beside its inputs."""

    trial: Trial
    events: Sequence[Event]
    labels: Any = None
    within: str | None = None  # the candidate that it was tried with, or the test


@dataclass(frozen=True)
class Aligned:
    """Two trials of the same, or one that the other experiment does not have."""

    a: Tried | None
    b: Tried | None


def identity(value: Any) -> str:
    """A hash of JSON data by its content: the order of its keys does not count."""
    data = orjson.dumps(value, default=repr, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return sha256(data).hexdigest()


def tried(trials: Sequence[Trial], events: Iterable[Event]) -> list[Tried]:
    """Trials with all that is needed to align and compare them."""
    theirs: Mapping[str | None, list[Event]] = defaultdict(list)
    for event in events:
        theirs[event.trial_id].append(event)
    parents = {t.id: _own_name(t) for t in trials if t.kind in ("candidate", "test")}
    return [
        Tried(t, theirs[t.id], _labels(theirs[t.id]), parents.get(t.parent_id or ""))
        for t in trials
    ]


def align(ours: Sequence[Tried], theirs: Sequence[Tried]) -> list[Aligned]:
    """In the order of the first, then what only the second has.

    Examples are the same by their inputs and labels; those that are left, by their inputs alone.
    Of several that are the same, the first goes with the first.
    """
    found: dict[int, int] = {}
    for key in (_key, _looser_key):
        waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        taken = set(found.values())
        for place in _in_order(theirs):
            if place not in taken:
                waiting[key(theirs[place])].append(place)
        for place in _in_order(ours):
            if place not in found and (others := waiting.get(key(ours[place]))):
                found[place] = others.popleft()
    taken = set(found.values())
    return [
        *(Aligned(each, theirs[found[n]] if n in found else None) for n, each in enumerate(ours)),
        *(Aligned(None, each) for n, each in enumerate(theirs) if n not in taken),
    ]


def _in_order(of: Sequence[Tried]) -> Iterator[int]:
    """Examples as they stand in their set: which thread came first says nothing."""
    places = range(len(of))
    yield from sorted(places, key=lambda n: (_index(of[n].trial), n))


def _index(trial: Trial) -> int:
    index = trial.details.get("index")
    return index if isinstance(index, int) else 0


def _key(of: Tried) -> Hashable:
    if of.trial.kind == "example":
        return ("example", of.within, identity(of.trial.inputs), identity(of.labels))
    return _looser_key(of)


def _looser_key(of: Tried) -> Hashable:
    trial = of.trial
    if trial.kind in ("candidate", "test"):
        return (trial.kind, _own_name(trial))
    if trial.kind == "example":
        return ("example", of.within, identity(trial.inputs))
    return (trial.kind, trial.name, identity(trial.inputs))


def _own_name(trial: Trial) -> str:
    """What names a candidate, or a test."""
    if trial.kind == "test":
        return trial.name
    return str(trial.details.get("candidate") or identity(trial.inputs))


def _labels(events: Iterable[Event]) -> Any:
    for event in events:
        if event.kind == "score" and event.attributes.get("by") == "evaluate":
            return event.attributes.get("labels")
    return None
