"""Compare two experiments: scores, answers and prompts."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from dspy_profiles.results.compare._align import Aligned, Tried, align, identity, tried
from dspy_profiles.results.compare._model import (
    Change,
    ExperimentDiff,
    Gate,
    ModuleDiff,
    Side,
    TrialDiff,
    Verdict,
    less,
)
from dspy_profiles.results.compare._modules import Step, fields_of, steps_of
from dspy_profiles.results.journal._usage import Spent, seconds_of
from dspy_profiles.results.store._protocol import Store

__all__ = ["check_gate", "diff_experiments"]

CLOSE = 1e-9  # scores that differ by less are the same: they are sums of fractions
BAD = ("failed", "interrupted")


def diff_experiments(a: str, b: str, store: Store) -> ExperimentDiff:
    """Compare two experiments of a store, by their ids."""
    one, other = store.get_experiment(a), store.get_experiment(b)
    sides = [tried(store.query_trials(e.id), store.events(e.id)) for e in (one, other)]
    pairs = align(*sides)
    trials = tuple(_compared(pair) for pair in pairs)
    return ExperimentDiff(one, other, trials, _summed(trials))


def check_gate(diff: ExperimentDiff, max_drop: float) -> Gate:
    """Return whether B's score is at most `max_drop` below A's. An unknown score fails."""
    for letter, side in (("A", diff.a), ("B", diff.b)):
        if side.status in ("running", "interrupted"):
            now = "still running" if side.status == "running" else "interrupted"
            return Gate(
                max_drop, False, f"{letter} is {now}: its score does not include all trials"
            )
        if side.score is None or not math.isfinite(side.score):
            return Gate(max_drop, False, f"the score of {letter} is unknown")
    change = diff.difference or 0.0
    word = "fell" if change < -CLOSE else "rose" if change > CLOSE else "stayed"
    by = f" by {abs(change):.4g}" if word != "stayed" else ""
    scores = f"from {diff.a.score:.4g} to {diff.b.score:.4g}"
    return Gate(
        max_drop,
        change >= -max_drop - CLOSE,
        f"the score {word}{by}, {scores}; it may fall by {max_drop:g}",
    )


def _compared(pair: Aligned) -> TrialDiff:
    a, b = _side(pair.a), _side(pair.b)
    one = pair.a or pair.b
    assert one is not None  # noqa: S101 - a pair has at least one side
    trial = one.trial
    ours = {} if pair.a is None else steps_of(pair.a.events)
    theirs = {} if pair.b is None else steps_of(pair.b.events)
    changes: tuple[Change, ...] = ()
    labels_changed = False
    if pair.a is not None and pair.b is not None:
        changes = (*_answers(pair.a, pair.b, ours, theirs), *_prompts(ours, theirs))
        both = pair.a.labels is not None and pair.b.labels is not None
        labels_changed = both and identity(pair.a.labels) != identity(pair.b.labels)
    return TrialDiff(
        trial.kind,
        trial.name,
        trial.inputs,
        _verdict(a, b),
        a,
        b,
        labels_changed,
        changes,
        _modules(ours, theirs),
    )


def _side(of: Tried | None) -> Side | None:
    if of is None:
        return None
    trial = of.trial
    spent = Spent.on(of.events, seconds_of(trial))
    return Side(trial.id, trial.status, trial.score, trial.error, spent)


def _verdict(a: Side | None, b: Side | None) -> Verdict:
    if a is None or b is None:
        return "only_b" if a is None else "only_a"
    change = less(b.score, a.score)
    if change is not None:
        return "same" if abs(change) <= CLOSE else "better" if change > 0 else "worse"
    was_bad, is_bad = a.status in BAD, b.status in BAD
    if was_bad != is_bad:  # an error, and so no score
        return "worse" if is_bad else "better"
    return "same" if a.score is b.score is None else "unknown"


def _answers(
    a: Tried, b: Tried, ours: Mapping[Any, Step], theirs: Mapping[Any, Step]
) -> Iterator[Change]:
    yield from _changed("answer", "", fields_of(a.trial.outputs), fields_of(b.trial.outputs))
    for key, step in ours.items():
        # The answer of the outermost module is that of its trial, except for tests.
        if key in theirs and (step.path or a.trial.kind == "test"):
            answers = fields_of(step.outputs), fields_of(theirs[key].outputs)
            yield from _changed("answer", step.path, *answers)


def _prompts(ours: Mapping[Any, Step], theirs: Mapping[Any, Step]) -> Iterator[Change]:
    for key, step in ours.items():
        if key in theirs:
            prompts = (_numbered(each.prompts) for each in (step, theirs[key]))
            yield from _changed("prompt", step.path, *prompts)


def _numbered(prompts: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Give each message a name of its own: the second one of a user is `user 2`."""
    seen: Counter[str] = Counter()
    for role, text in prompts:
        seen[role] += 1
        yield role if seen[role] == 1 else f"{role} {seen[role]}", text


def _changed(
    what: Literal["answer", "prompt"],
    path: str,
    before: Iterator[tuple[str, str]],
    after: Iterator[tuple[str, str]],
) -> Iterator[Change]:
    old, new = dict(before), dict(after)
    for field in dict.fromkeys((*old, *new)):
        was, now = old.get(field, ""), new.get(field, "")
        if was != now:
            yield Change(what, path, field, was, now)


def _modules(
    ours: Mapping[tuple[str, int], Step], theirs: Mapping[tuple[str, int], Step]
) -> tuple[ModuleDiff, ...]:
    a, b = _by_path(ours), _by_path(theirs)
    return tuple(ModuleDiff(path, a.get(path), b.get(path)) for path in dict.fromkeys((*a, *b)))


def _by_path(steps: Mapping[tuple[str, int], Step]) -> dict[str, Spent]:
    found: dict[str, Spent] = {}
    for step in steps.values():
        found[step.path] = found[step.path] + step.spent if step.path in found else step.spent
    return found


def _summed(trials: Sequence[TrialDiff]) -> tuple[ModuleDiff, ...]:
    """Add up usage by path, over the trials that are in both experiments."""
    found: dict[str, list[Spent | None]] = {}
    for module in (m for t in trials if t.a is not None and t.b is not None for m in t.modules):
        sums = found.setdefault(module.path, [None, None])
        for n, spent in enumerate((module.a, module.b)):
            known = sums[n]
            if spent is not None:
                sums[n] = spent if known is None else known + spent
    return tuple(ModuleDiff(path, a, b) for path, (a, b) in found.items())
