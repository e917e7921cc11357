"""Good trials as rows of examples, one JSON object per line."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from dspy_profiles.errors import ProfileError, did_you_mean
from dspy_profiles.results._model import Experiment, Trial, written
from dspy_profiles.results.compare._align import Tried, identity, tried
from dspy_profiles.results.export._where import Condition, is_good
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.secrets import redact

__all__ = ["ROW_VERSION", "Extract", "extract"]

ROW_VERSION = 1
Fields = dict[str, Any]

# Special forms of values that were not recorded completely.
PARTIAL = frozenset({"$cut", "$lost", "$missing", "$repr"})
NO_FIELDS = "have no fields to learn from"
NOT_WHOLE = "contain values that were not recorded completely"
TWICE = "are equal to another one"


@dataclass(frozen=True)
class Extract:
    """The rows, and the number of good trials without a row, by reason."""

    rows: list[Fields]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> bytes:
        """The rows, one per line."""
        return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in self.rows)


def extract(
    experiment: Experiment,
    store: Store,
    where: Sequence[Condition] = (),
    drop: Collection[str] = (),
) -> Extract:
    """Return the trials of an experiment that meet `where`, as rows.

    The labels are those of the example, otherwise the outputs of the program. Of equal rows, the
    one with the best score is kept, and of these the first. Fields in `drop` are omitted at any
    depth.
    """
    trials = store.query_trials(experiment.id)
    chosen = [t for t in trials if t.kind != "candidate" and is_good(t, tuple(where))]
    left_out: Counter[str] = Counter()
    seen: dict[str, Fields] = {}
    dropping = _Dropping(drop)
    for each, call in _calls(tried(chosen, store.events(experiment.id))):
        row = _row(experiment, each, call, dropping)
        if row is None:
            left_out[NO_FIELDS if _is_whole([call.inputs, call.outputs]) else NOT_WHOLE] += 1
        elif not _is_whole([row["inputs"], row["labels"]]):
            left_out[NOT_WHOLE] += 1
        else:
            key = identity([row["inputs"], row["labels"]])
            left_out[TWICE] += key in seen
            if key not in seen or _rank(row) > _rank(seen[key]):
                seen[key] = row
    if chosen:
        dropping.check()
    return Extract(list(seen.values()), +left_out)


@dataclass(frozen=True)
class _Call:
    """Inputs and outputs of a program. `event` is None if they are those of the trial."""

    inputs: Any
    outputs: Any
    event: str | None = None


def _calls(good: Iterable[Tried]) -> Iterator[tuple[Tried, _Call]]:
    """Yield the call of each trial. A test may have called several programs."""
    for each in good:
        calls = [_Call(each.trial.inputs, each.trial.outputs)]
        if each.trial.kind == "test":
            programs = [e for e in each.events if e.kind == "module" and e.parent_id is None]
            done = [(e.id, e.attributes) for e in programs if e.status == "done"]
            calls = [_Call(of.get("inputs"), of.get("outputs"), id_) for id_, of in done] or calls
        yield from ((each, call) for call in calls)


def _row(experiment: Experiment, of: Tried, call: _Call, dropping: "_Dropping") -> Fields | None:
    """Return one row; None if inputs or labels are missing."""
    trial = of.trial
    inputs, outputs, labels = (
        dropping.without(_fields(each)) for each in (call.inputs, call.outputs, of.labels)
    )
    chosen = labels or {key: value for key, value in outputs.items() if key not in inputs}
    if not inputs or not chosen:
        return None
    row = {
        "v": ROW_VERSION,
        "inputs": inputs,
        "labels": chosen,
        "labels_from": "example" if labels else "outputs",
        "outputs": outputs,
        "score": trial.score,
        "source": _source(experiment, trial, call),
    }
    cleaned: Fields = _redacted(row)
    return cleaned


def _source(experiment: Experiment, trial: Trial, call: _Call) -> Fields:
    """Return the origin of a row. Only the profile of the whole run has a fingerprint."""
    known, active = experiment.details.get("profile"), trial.details.get("profile")
    profile = active if isinstance(active, str) else experiment.profile
    is_its_own = isinstance(known, Mapping) and known.get("name") == profile
    return {
        "experiment": experiment.id,
        "experiment_name": experiment.name,
        "trial": trial.id,
        "trial_name": trial.name,
        "event": call.event,
        "kind": trial.kind,
        "profile": profile,
        "fingerprint": known.get("fingerprint") if known and is_its_own else None,
        "started": written(trial.started),
    }


def _fields(value: Any) -> Fields:
    """Return the fields of a recorded table; none for other values."""
    match value:
        case {"$table": dict(table)} if len(value) == 1:
            return table
        case dict():
            is_form = len(value) == 1 and str(next(iter(value))).startswith("$")
            return {} if is_form else value
    return {}


class _Dropping:
    """Removes fields, and remembers the names of all fields."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._known: set[str] = set()

    def without(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            self._known.update(map(str, value))
            kept = ((key, item) for key, item in value.items() if key not in self._names)
            return {key: self.without(item) for key, item in kept}
        if isinstance(value, list):
            return [self.without(item) for item in value]
        return value

    def check(self) -> None:
        """Raise ProfileError for an unknown field: a misspelled one would not be removed."""
        for name in sorted(self._names - self._known):
            raise ProfileError(
                f'unknown field "{name}"',
                did_you_mean(name, self._known)
                or f"known fields: {', '.join(sorted(self._known)) or 'none'}",
            )


def _rank(row: Fields) -> float:
    """Return the score by which the best of equal rows is kept."""
    return -math.inf if row["score"] is None else float(row["score"])


def _redacted(value: Any) -> Any:
    """Redact again: more secrets may be known than when it was recorded."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return value


def _is_whole(value: Any) -> bool:
    match value:
        case {"$table": dict(table)} if len(value) == 1:  # a table that looks like a special form
            return all(map(_is_whole, table.values()))
        case dict():
            is_form = len(value) == 1 and not PARTIAL.isdisjoint(value)
            return not is_form and all(map(_is_whole, value.values()))
        case list():
            return all(map(_is_whole, value))
    return True
