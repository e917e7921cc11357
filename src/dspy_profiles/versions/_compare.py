"""Put side by side what one command did under several versions of DSPy."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dspy_profiles.display import NOTHING, Piece, money, number, show_value, word_diff
from dspy_profiles.results import Event, Store, Trial
from dspy_profiles.results.compare import TrialDiff, diff_experiments
from dspy_profiles.results.journal import Spent
from dspy_profiles.versions._run import Command, Ran

__all__ = ["Cell", "Comparison", "Difference", "Row", "compare"]

MISS, BLOCKED = "miss", "blocked"
REFUSED = {"CassetteMiss": MISS, "LiveCallBlocked": BLOCKED}
PASSED = ("passed", "done")
ROOTS = ("test", "call")


@dataclass(frozen=True)
class Cell:
    """What one test, or one call of a program, did under one version."""

    outcome: str
    error: str | None
    score: float | None
    spent: Spent

    def to_json(self) -> dict[str, Any]:
        facts = {"outcome": self.outcome, "error": self.error, "score": self.score}
        return facts | self.spent.to_json()


@dataclass(frozen=True)
class Difference:
    """One thing that differs from the first version."""

    version: str  # the later one
    what: str  # prompt, response, parsed output, score, calls, cost, error
    path: str  # of the module in its program; "" is the program itself
    field: str  # of the output, or the role of the message
    before: str
    after: str

    @property
    def words(self) -> tuple[Piece, ...]:
        return word_diff(self.before, self.after)

    def to_json(self) -> dict[str, Any]:
        facts = {"version": self.version, "what": self.what, "path": self.path}
        return facts | {"field": self.field, "words": [list(piece) for piece in self.words]}


@dataclass
class Row:
    """One test under all versions; None where it was not run."""

    name: str
    cells: list[Cell | None]
    differences: list[Difference] = field(default_factory=list)

    @property
    def outcomes(self) -> list[str | None]:
        return [None if cell is None else cell.outcome for cell in self.cells]

    @property
    def has_other_outcomes(self) -> bool:
        return len(set(self.outcomes)) > 1

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "differs": self.has_other_outcomes,
            "cells": [None if cell is None else cell.to_json() for cell in self.cells],
            "differences": [each.to_json() for each in self.differences],
        }


@dataclass(frozen=True)
class Comparison:
    """All tests under all versions. The first version is what the others are compared with."""

    ran: Sequence[Ran]
    rows: Sequence[Row]

    @property
    def differs(self) -> bool:
        """Whether a test, or the whole command, ended otherwise under another version."""
        by_exit_code = len({each.exit_code for each in self.ran}) > 1
        return by_exit_code or any(row.has_other_outcomes for row in self.rows)

    @property
    def is_empty(self) -> bool:
        """Whether the command failed everywhere, before it did anything that could be compared."""
        return not self.rows and all(each.exit_code for each in self.ran)

    def outcomes(self, nr: int) -> Mapping[str, int]:
        """Return how many tests ended in which way under one version."""
        return Counter(cell.outcome for row in self.rows if (cell := row.cells[nr]) is not None)

    def to_json(self) -> dict[str, Any]:
        return {
            "differs": self.differs,
            "versions": [
                {
                    "requested": each.environment.requested,
                    "dspy": each.environment.dspy,
                    "imported": each.imported,
                    "python": each.environment.python,
                    "folder": str(each.environment.folder),
                    "new": each.environment.is_new,
                    "notes": list(each.environment.notes),
                    "exit_code": each.exit_code,
                    "seconds": round(each.seconds, 3),
                    "outcomes": dict(self.outcomes(nr)),
                }
                for nr, each in enumerate(self.ran)
            ],
            "tests": [row.to_json() for row in self.rows],
        }


def compare(ran: Sequence[Ran], command: Command, store: Store) -> Comparison:
    """Compare each version with the first one, test by test."""
    sides = [_Side(each, command, store) for each in ran]
    rows = {each.id: Row(each.name, [sides[0].cell(each.id)]) for each in sides[0].roots}
    for nr, side in enumerate(sides[1:], 1):
        _add(rows, sides[0], side, nr, store)
        for row in rows.values():
            row.cells += [None] * (nr + 1 - len(row.cells))
    return Comparison(ran, [*rows.values()])


def _add(rows: dict[str, Row], base: "_Side", side: "_Side", nr: int, store: Store) -> None:
    """Add the cells and the differences of one more version."""
    diffs: Sequence[TrialDiff] = ()
    if base.id is not None and side.id is not None:
        diffs = diff_experiments(base.id, side.id, store).trials
    seen = set()
    for diff in diffs:
        if diff.a is not None and diff.b is not None and (row := rows.get(base.root(diff.a.id))):
            if diff.a.id in base.named:
                cell = side.cell(diff.b.id)
                row.cells.append(cell)
                seen.add(diff.b.id)
                row.differences += _facts(row, cell, side.version)
                row.differences += _responses(base, side, diff.a.id, diff.b.id)
            row.differences += _texts(diff, side.version)
    for trial in side.roots:
        if trial.id not in seen:
            key = next((k for k, row in rows.items() if _is_same(row, trial, nr)), trial.id)
            row = rows.setdefault(key, Row(trial.name, [None] * nr))
            row.cells.append(side.cell(trial.id))


def _is_same(row: Row, trial: Trial, nr: int) -> bool:
    """Return whether a row is of that test, which the first version lacks."""
    return row.name == trial.name and row.cells[0] is None and len(row.cells) == nr


class _Side:
    """The record of one version."""

    def __init__(self, ran: Ran, command: Command, store: Store) -> None:
        self.version = ran.environment.dspy
        self.id = None if ran.experiment is None else ran.experiment.id
        self._ran, self._command = ran, command
        trials = [] if self.id is None else store.query_trials(self.id)
        self._trials = {each.id: each for each in trials}
        events = [] if self.id is None else store.events(self.id)
        self._events: dict[str | None, list[Event]] = {}
        for event in events:
            self._events.setdefault(event.trial_id, []).append(event)

    @cached_property
    def roots(self) -> list[Trial]:
        """The tests; of a program, its outermost calls."""
        tests = [each for each in self._trials.values() if each.kind == "test"]
        return tests or [each for each in self._trials.values() if each.parent_id is None]

    @cached_property
    def named(self) -> frozenset[str]:
        return frozenset(each.id for each in self.roots)

    def root(self, trial_id: str) -> str:
        """Return the test around a trial, or the trial itself."""
        seen = set[str]()
        while trial_id not in self.named and trial_id not in seen:
            seen.add(trial_id)
            trial = self._trials.get(trial_id)
            trial_id = (trial and trial.parent_id) or trial_id
        return trial_id

    def responses(self, trial_id: str) -> list[str]:
        """Return what models have answered, in order."""
        calls = [each for each in self._events.get(trial_id, ()) if each.kind == "lm"]
        return [_response(each) for each in calls if each.status == "done"]

    def cell(self, trial_id: str) -> Cell:
        trial = self._trials[trial_id]
        ours = [t for t in self._trials.values() if self.root(t.id) == trial_id]
        scores = [t.score for t in ours if t.score is not None and t.kind != "candidate"]
        error = trial.error and self._command.original(self._ran.place, trial.error)
        return Cell(
            REFUSED.get((error or "").partition(":")[0])
            or str(trial.details.get("outcome") or trial.status),
            error,
            sum(scores) / len(scores) if scores else None,
            Spent.on((e for t in ours for e in self._events.get(t.id, ())), None),
        )


def _facts(row: Row, cell: Cell, version: str) -> Iterator[Difference]:
    """Yield the numbers that differ, and the errors."""
    first = row.cells[0]
    if first is None:
        return
    pairs = [("score", _shown(first.score), _shown(cell.score))]
    if first.outcome not in REFUSED.values() and cell.outcome not in REFUSED.values():
        pairs.append(("calls", f"{first.spent.calls:,}", f"{cell.spent.calls:,}"))
        pairs.append(("cost", money(first.spent.cost), money(cell.spent.cost)))
    pairs.append(("error", first.error or "", cell.error or ""))
    for what, before, after in pairs:
        if before != after:
            yield Difference(version, what, "", "", before, after)


def _texts(diff: TrialDiff, version: str) -> Iterator[Difference]:
    """Yield the prompts that differ, and the parsed outputs that both have."""
    assert diff.a is not None  # noqa: S101 - the caller has both
    assert diff.b is not None  # noqa: S101
    for change in diff.changes:
        is_prompt = change.what == "prompt"
        lacks_one = (diff.a.error and not change.before) or (diff.b.error and not change.after)
        if is_prompt or not lacks_one:
            what = "prompt" if is_prompt else "parsed output"
            yield Difference(version, what, change.path, change.field, change.before, change.after)


def _responses(base: _Side, side: _Side, one: str, other: str) -> Iterator[Difference]:
    pairs = zip(base.responses(one), side.responses(other), strict=False)
    for nr, (before, after) in enumerate(pairs, 1):
        if before != after:
            yield Difference(side.version, "response", "", f"of call {nr}", before, after)


def _response(call: Event) -> str:
    outputs = call.attributes.get("outputs")
    if isinstance(outputs, list) and all(isinstance(each, str) for each in outputs):
        return "\n".join(outputs)
    return show_value(outputs)


def _shown(score: float | None) -> str:
    return NOTHING if score is None else number(score)
