"""Find an experiment or a trial by name, number, `latest`, or a part of its id."""

import re
from collections.abc import Sequence

from dspy_profiles.display import counted
from dspy_profiles.errors import ExperimentNotFound, did_you_mean
from dspy_profiles.results._ids import ALPHABET, is_id
from dspy_profiles.results._model import Experiment, Trial
from dspy_profiles.results.store._protocol import Store

__all__ = ["BEFORE", "find_experiment", "find_trial", "place_of"]

LATEST = "latest"
BEFORE = re.compile(LATEST + r"(?:~(\d{1,6}))?", re.ASCII)
NUMBER = re.compile(r"\d{1,9}")
SHORTEST = 4  # characters that an id begins with: fewer fit too many
SHORTEST_END = 6  # and ends with: that part is random, and may spell a short name
NAMED = 5  # of several that may be meant, so many are listed


def find_experiment(store: Store, named: str) -> Experiment:
    """Return the experiment with this id, beginning or end of an id, or unique name.

    `latest` is the latest one, and `latest~1` the one before it.
    """
    if is_id(named):
        return store.get_experiment(named)
    if (before := BEFORE.fullmatch(named)) is not None:
        return _latest(store, int(before[1] or 0))
    parts = _by_part(store.storage.ids(), named)
    if len(parts) == 1:
        return store.get_experiment(parts[0])
    known = store.query_experiments()
    found = [each for each in known if each.name == named]
    if len(found) == 1:
        return found[0]
    if found or parts:
        several = found or [each for each in known if each.id in parts]
        raise ExperimentNotFound(f'"{named}" may be {len(several)} experiments', _choices(several))
    raise ExperimentNotFound(
        f'experiment "{named}" not found in {store.url}',
        _too_short(store, named)
        or did_you_mean(named, {each.name for each in known} | {LATEST})
        or "dspy-profiles results list shows all experiments",
    )


def find_trial(store: Store, experiment: Experiment, named: str | int) -> Trial:
    """Return the trial with this number from 1, id, part of an id, or unique name."""
    trials = store.query_trials(experiment.id)
    return trials[place_of(trials, experiment.id, named)]


def place_of(trials: Sequence[Trial], experiment_id: str, named: str | int) -> int:
    """Return the index of the trial that `find_trial` returns."""
    named = str(named)
    if NUMBER.fullmatch(named) and 0 < int(named) <= len(trials):
        return int(named) - 1
    parts = set(_by_part([each.id for each in trials], named))
    found = [place for place, each in enumerate(trials) if each.id in parts]
    found = found or [place for place, each in enumerate(trials) if each.name == named]
    if len(found) == 1:
        return found[0]
    if found:
        choices = _choices([trials[place] for place in found])
        raise ExperimentNotFound(f'"{named}" may be {len(found)} trials', choices)
    count = counted(len(trials), "trial") if trials else "no trials"
    raise ExperimentNotFound(
        f'trial "{named}" not found in the experiment {experiment_id}',
        did_you_mean(named, {each.name for each in trials})
        or f"it has {count}; dspy-profiles trace {experiment_id} shows them",
    )


def _latest(store: Store, before: int) -> Experiment:
    found = store.query_experiments(limit=before + 1)
    if not found:
        raise ExperimentNotFound(
            f"no experiments in {store.url} yet",
            "record one: dspy-profiles run --record, or pytest --dspy-store",
        )
    if len(found) <= before:
        raise ExperimentNotFound(
            f"only {len(found)} experiments in {store.url}",
            f"the first is {LATEST}~{len(found) - 1}",
        )
    return found[before]


def _by_part(ids: Sequence[str], named: str) -> list[str]:
    """Return the ids that begin or end with a string."""
    if named in ids:
        return [named]
    if len(named) < SHORTEST or set(named) - set(ALPHABET):
        return []
    may_end = len(named) >= SHORTEST_END
    return [each for each in ids if each.startswith(named) or (may_end and each.endswith(named))]


def _too_short(store: Store, named: str) -> str | None:
    if (
        named
        and len(named) < SHORTEST
        and any(each.startswith(named) for each in store.storage.ids())
    ):
        return f"write {SHORTEST} characters of an id, or more"
    return None


def _choices(found: Sequence[Experiment | Trial]) -> str:
    lines = [f"{each.id} ({each.name}, {each.started:%Y-%m-%d %H:%M})" for each in found[:NAMED]]
    more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
    return "\n  ".join(["write one of these ids:", *lines, *more])
