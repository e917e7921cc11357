"""Match the trials of two experiments by their inputs."""

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
    """A trial with its events, and the labels of its example."""

    trial: Trial
    events: Sequence[Event]
    labels: Any = None
    within: str | None = None  # the candidate or test around it


@dataclass(frozen=True)
class Aligned:
    """Two matching trials, or one without a match."""

    a: Tried | None
    b: Tried | None


def identity(value: Any) -> str:
    """Return a hash of JSON data that does not depend on the order of keys."""
    data = orjson.dumps(value, default=repr, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return sha256(data).hexdigest()


def tried(trials: Sequence[Trial], events: Iterable[Event]) -> list[Tried]:
    """Return trials with the data that is needed to match and compare them."""
    theirs: Mapping[str | None, list[Event]] = defaultdict(list)
    for event in events:
        theirs[event.trial_id].append(event)
    parents = {t.id: _own_name(t) for t in trials if t.kind in ("candidate", "test")}
    return [
        Tried(t, theirs[t.id], _labels(theirs[t.id]), parents.get(t.parent_id or ""))
        for t in trials
    ]


def align(ours: Sequence[Tried], theirs: Sequence[Tried]) -> list[Aligned]:
    """Return pairs in the order of the first experiment, then those of only the second.

    Examples match by inputs and labels, the remaining ones by inputs alone. Equal trials match in
    order.
    """
    matches: dict[int, int] = {}
    for key in (_key, _looser_key):
        waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        taken = set(matches.values())
        for place in _in_order(theirs):
            if place not in taken:
                waiting[key(theirs[place])].append(place)
        for place in _in_order(ours):
            if place not in matches and (others := waiting.get(key(ours[place]))):
                matches[place] = others.popleft()
    taken = set(matches.values())
    return [
        *(
            Aligned(each, theirs[matches[n]] if n in matches else None)
            for n, each in enumerate(ours)
        ),
        *(Aligned(None, each) for n, each in enumerate(theirs) if n not in taken),
    ]


def _in_order(of: Sequence[Tried]) -> Iterator[int]:
    """Yield places in the order of the examples, not of the threads."""
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
    """Return the identity of a candidate or test."""
    if trial.kind == "test":
        return trial.name
    return str(trial.details.get("candidate") or identity(trial.inputs))


def _labels(events: Iterable[Event]) -> Any:
    for event in events:
        if event.kind == "score" and event.attributes.get("by") == "evaluate":
            return event.attributes.get("labels")
    return None
