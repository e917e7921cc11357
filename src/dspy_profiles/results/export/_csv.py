"""Trials of an experiment as CSV, for spreadsheets."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dspy_profiles.display import show_value, visible
from dspy_profiles.results._model import Trial, written
from dspy_profiles.results.journal._usage import seconds_of
from dspy_profiles.results.store._protocol import Store

__all__ = ["as_csv"]

Cell = str | float | None

OWN = ("trial", "name", "kind", "status", "score", "started", "ended", "seconds")
LAST = ("error", "parent", "experiment")
MOST_FIELDS = 200  # columns for inputs, and as many for outputs
MOST_LETTERS = 32_000  # in a cell: spreadsheets take 32,767
WHOLE = ""  # the column for values without fields
# Characters that begin a formula in spreadsheets, also in full width.
FORMULAS = tuple("=+-@\t\r\n|＝＋－＠")


def as_csv(experiment_id: str, store: Store) -> str:
    """Return a line of titles, and a line for each trial."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(_rows(experiment_id, store))
    return text.getvalue()


def _rows(experiment_id: str, store: Store) -> Iterator[list[Cell]]:
    """Yield rows of cells, with a column for each field of inputs and outputs."""
    trials = store.query_trials(experiment_id)
    inputs = _columns(trial.inputs for trial in trials)
    outputs = _columns(trial.outputs for trial in trials)
    titles = [*OWN, *_titles("inputs", inputs), *_titles("outputs", outputs), *LAST]
    yield [_cell(title) for title in titles]
    for trial in trials:
        yield [
            *_own(trial),
            *_values(trial.inputs, inputs),
            *_values(trial.outputs, outputs),
            *map(_cell, (trial.error, trial.parent_id, trial.experiment_id)),
        ]


def _own(trial: Trial) -> list[Cell]:
    ended = None if trial.ended is None else written(trial.ended)
    return [
        *map(_cell, (trial.id, trial.name, trial.kind, trial.status)),
        trial.score,
        written(trial.started),
        ended,
        seconds_of(trial),
    ]


def _columns(values: Iterator[Any]) -> list[str]:
    """Return the fields in order. Too many fields share one column."""
    fields: dict[str, None] = {}
    for value in values:
        if isinstance(value, Mapping):
            fields |= dict.fromkeys(map(str, value))
        elif value is not None:
            fields[WHOLE] = None
    return list(fields) if len(fields) <= MOST_FIELDS else [WHOLE]


def _titles(of: str, fields: Sequence[str]) -> Iterator[str]:
    yield from (f"{of}.{name}" if name else of for name in fields)


def _values(value: Any, fields: Sequence[str]) -> Iterator[Cell]:
    known = {WHOLE: value}
    if isinstance(value, Mapping) and list(fields) != [WHOLE]:
        known = {str(key): item for key, item in value.items()}
    yield from (_cell(known.get(name)) for name in fields)


def _cell(value: Any) -> Cell:
    """Return a number or a string. A string that could be a formula begins with an apostrophe."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    text = visible(show_value(value).replace("\0", ""))
    if len(text) > MOST_LETTERS:
        text = f"{text[:MOST_LETTERS]}… ({len(text):,} characters)"
    return f"'{text}" if text.lstrip(" ").startswith(FORMULAS) else text
