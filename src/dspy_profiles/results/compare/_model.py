"""The data of a comparison of two experiments."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dspy_profiles.display import Piece, word_diff
from dspy_profiles.results._model import Experiment
from dspy_profiles.results.journal._usage import Spent

__all__ = [
    "Change",
    "ExperimentDiff",
    "Gate",
    "ModuleDiff",
    "Side",
    "TrialDiff",
    "Verdict",
    "less",
]

Verdict = Literal["better", "worse", "same", "unknown", "only_a", "only_b"]

MOST_WORDS = 500  # changes for which `to_json` has word differences


@dataclass(frozen=True)
class Change:
    """A text that has changed: a field of an answer, or a message of a prompt."""

    what: Literal["answer", "prompt"]
    path: str  # of the module in its program; "" is the program itself
    field: str  # of the answer, or the role of the message
    before: str
    after: str

    @property
    def words(self) -> tuple[Piece, ...]:
        """The difference word by word, without long equal parts."""
        return word_diff(self.before, self.after)

    def to_json(self, *, with_words: bool = True) -> dict[str, Any]:
        words = [list(piece) for piece in self.words] if with_words else None
        return {"what": self.what, "path": self.path, "field": self.field, "words": words}


@dataclass(frozen=True)
class Side:
    """One of two matching trials."""

    id: str
    status: str
    score: float | None
    error: str | None
    spent: Spent

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "status": self.status,
            "score": self.score,
            "error": self.error,
            **self.spent.to_json(),
        }


@dataclass(frozen=True)
class ModuleDiff:
    """Usage of the module at one path, over all its calls; None if it was not called.

    Calls, tokens and cost do not include modules in it.
    """

    path: str
    a: Spent | None
    b: Spent | None

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "a": _json(self.a), "b": _json(self.b)}


@dataclass(frozen=True)
class TrialDiff:
    """One example, test, candidate or call in both experiments, or in one."""

    kind: str
    name: str
    inputs: Any
    verdict: Verdict
    a: Side | None
    b: Side | None
    labels_changed: bool = False
    changes: tuple[Change, ...] = ()
    modules: tuple[ModuleDiff, ...] = ()

    @property
    def difference(self) -> float | None:
        """B's score minus A's; None if one of them is not known."""
        if self.a is None or self.b is None:
            return None
        return less(self.b.score, self.a.score)

    def changed(self, what: str) -> bool:
        return any(change.what == what for change in self.changes)

    def to_json(self, *, with_words: bool = True) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "inputs": self.inputs,
            "verdict": self.verdict,
            "difference": self.difference,
            "labels_changed": self.labels_changed,
            "a": _json(self.a),
            "b": _json(self.b),
            "changes": [change.to_json(with_words=with_words) for change in self.changes],
            "modules": [module.to_json() for module in self.modules],
        }


@dataclass(frozen=True)
class ExperimentDiff:
    """Two experiments. Trials are in the order of A, then those of only B."""

    a: Experiment
    b: Experiment
    trials: tuple[TrialDiff, ...]
    modules: tuple[ModuleDiff, ...]

    @property
    def difference(self) -> float | None:
        """B's score minus A's; None if one of them is not known."""
        return less(self.b.score, self.a.score)

    @property
    def common(self) -> tuple[float, float] | None:
        """The mean scores of trials in both, without candidates, whose scores are means."""
        scores = [
            (each.a.score, each.b.score)
            for each in self.trials
            if each.a is not None and each.b is not None and each.kind != "candidate"
        ]
        known = [(a, b) for a, b in scores if a is not None and b is not None]
        if not known:
            return None
        return sum(a for a, _ in known) / len(known), sum(b for _, b in known) / len(known)

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of trials by verdict, and of those with changed answers or prompts."""
        verdicts = Counter(each.verdict for each in self.trials)
        return {
            **{word: verdicts[word] for word in ("better", "worse", "same", "unknown")},
            **{word: verdicts[word] for word in ("only_a", "only_b")},
            "answers_changed": sum(each.changed("answer") for each in self.trials),
            "prompts_changed": sum(each.changed("prompt") for each in self.trials),
        }

    def to_json(self) -> dict[str, Any]:
        """Return all data. After many changes, `words` of the others are null."""
        common = self.common
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "score": {"a": self.a.score, "b": self.b.score, "difference": self.difference},
            "common": None
            if common is None
            else {"a": common[0], "b": common[1], "difference": common[1] - common[0]},
            "spent": {"a": Spent.of(self.a).to_json(), "b": Spent.of(self.b).to_json()},
            "counts": dict(self.counts),
            "modules": [module.to_json() for module in self.modules],
            "trials": list(self._trials()),
        }

    def _trials(self) -> Iterator[dict[str, Any]]:
        left = MOST_WORDS
        for each in self.trials:
            yield each.to_json(with_words=left > 0)
            left -= len(each.changes)


@dataclass(frozen=True)
class Gate:
    """Whether B may replace A, and why."""

    max_drop: float
    is_passed: bool
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"max_drop": self.max_drop, "passed": self.is_passed, "reason": self.reason}


def less(one: float | None, other: float | None) -> float | None:
    """Return the difference; None if one number is not known."""
    return None if one is None or other is None else one - other


def _json(value: Spent | Side | None) -> dict[str, Any] | None:
    return None if value is None else value.to_json()
