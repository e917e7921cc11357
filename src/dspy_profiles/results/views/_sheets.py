"""Sheets: the data of views, which terminal, notebook and page show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from dspy_profiles.display import NOTHING, count, duration, money, number, on_one_line, readable
from dspy_profiles.results._model import Event, Experiment, Trial
from dspy_profiles.results.journal._usage import Spent, seconds_of
from dspy_profiles.results.store._find import place_of
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.results.views._describe import Part
from dspy_profiles.results.views._facts import about, facts, warnings
from dspy_profiles.results.views._rows import (
    CandidateRow,
    DecisionRow,
    Fact,
    TrialRow,
    aside_of,
    candidate_rows,
    predictors,
)
from dspy_profiles.results.views._timeline import Step, Timeline

__all__ = [
    "HEADS",
    "NUMBERS",
    "ExperimentSheet",
    "ListSheet",
    "TrialSheet",
    "experiment_sheet",
    "list_sheet",
    "trial_sheet",
]

HEADS = (
    *("name", "status", "score", "trials", "tokens", "cost"),
    *("profile", "program", "started", "id"),
)
NUMBERS = frozenset({"score", "trials", "tokens", "cost"})  # columns of them


@dataclass(frozen=True)
class TrialSheet:
    """One trial, step by step."""

    experiment: Experiment
    row: TrialRow
    started: datetime
    figures: Sequence[Fact]
    steps: Sequence[Step]
    error: str
    where: str  # the steps in which the error was raised
    parts: Sequence[Part] = ()  # inputs and outputs, if no step shows them

    @property
    def experiment_name(self) -> str:
        return on_one_line(self.experiment.name, 80)

    @property
    def about(self) -> str:
        """Number, experiment and kind of the trial, in one line."""
        row = self.row
        found = [f"trial {row.number:,} of {self.experiment_name}", row.kind]
        if row.parent:
            found.append(f"tried with {row.parent}")
        if row.is_inferred:
            found.append("its program was not observed")
        return " · ".join(found)

    @property
    def seconds(self) -> float:
        """The length of the timeline, to the end of the last step."""
        ends = [step.at + (step.seconds or 0.0) for step in self.steps if step.kind != "score"]
        found = max([self.row.seconds or 0.0, *ends])
        return found or max((step.at for step in self.steps), default=0.0)


@dataclass(frozen=True)
class ExperimentSheet:
    """One experiment with all its data."""

    id: str
    name: str
    status: str
    hypothesis: str
    about: str  # program, profile and start
    figures: Sequence[Fact]
    facts: Sequence[Fact]
    warnings: Sequence[str]
    rows: Sequence[TrialRow]
    candidates: Sequence[CandidateRow]
    decisions: Sequence[DecisionRow]
    steps: Sequence[Step]  # outside of trials
    seconds: float
    experiment: Experiment = field(repr=False)
    trials: Sequence[Trial] = field(repr=False)
    events: Mapping[str | None, Sequence[Event]] = field(repr=False)

    def trial(self, index: int) -> TrialSheet:
        """Return the sheet of one of its trials."""
        trial = self.trials[index]
        return _trial_sheet(self.experiment, trial, self.rows[index], self.events.get(trial.id, ()))


@dataclass(frozen=True)
class ListSheet:
    """Experiments of a list, with the texts of each row by column."""

    rows: Sequence[Mapping[str, str]]
    experiments: Sequence[Experiment]


def experiment_sheet(store: Store, experiment_id: str) -> ExperimentSheet:
    experiment = store.get_experiment(experiment_id)
    trials = store.query_trials(experiment_id)
    events: dict[str | None, list[Event]] = {}
    for event in store.events(experiment_id):
        events.setdefault(event.trial_id, []).append(event)
    spent = _spent(trials, events)
    names = {trial.id: on_one_line(trial.name, 60) for trial in trials}
    rows = [
        TrialRow.of(
            trial,
            nr,
            experiment.started,
            spent[trial.id],
            names.get(trial.parent_id or "", ""),
        )
        for nr, trial in enumerate(trials, 1)
    ]
    outside = Timeline(experiment.started, is_trial=False)
    outside.take(event for event in events.get(None, ()) if event.kind != "decision")
    return ExperimentSheet(
        experiment.id,
        on_one_line(experiment.name),
        on_one_line(experiment.status, 20),
        readable(experiment.hypothesis) if experiment.hypothesis else "",
        about(experiment),
        _experiment_figures(experiment, Spent.on(chain(*events.values()), None)),
        facts(experiment),
        warnings(experiment),
        rows,
        candidate_rows(trials, rows),
        _decisions(experiment, rows, events),
        outside.steps,
        _length(experiment, rows),
        experiment,
        trials,
        events,
    )


def trial_sheet(store: Store, experiment_id: str, named: str | int) -> TrialSheet:
    """Return the sheet of the trial that `find_trial` finds."""
    experiment = store.get_experiment(experiment_id)
    trials = store.query_trials(experiment_id)
    place = place_of(trials, experiment_id, named)
    trial = trials[place]
    events = store.events(experiment_id, trial.id)
    within = [each for each in trials if each.parent_id == trial.id]  # the examples of a candidate
    spent = Spent.on(events, None)
    for each in within:
        spent += Spent.on(store.events(experiment_id, each.id), None)
    names = {each.id: on_one_line(each.name, 60) for each in trials}
    row = TrialRow.of(
        trial,
        place + 1,
        experiment.started,
        spent,
        names.get(trial.parent_id or "", ""),
    )
    return _trial_sheet(experiment, trial, row, events)


def list_sheet(experiments: Sequence[Experiment]) -> ListSheet:
    return ListSheet([_row(each) for each in experiments], tuple(experiments))


def _trial_sheet(
    experiment: Experiment, trial: Trial, row: TrialRow, events: Sequence[Event]
) -> TrialSheet:
    timeline = Timeline(trial.started)
    timeline.take(events)
    steps = timeline.steps
    raised = next((s for s in steps if s.error is not None and s.has_raised), None)
    own = trial.error
    where = ""
    if own is not None and raised is not None:
        where = " › ".join(filter(None, (raised.where, f"{raised.kind} {raised.title}")))
    return TrialSheet(
        experiment,
        row,
        trial.started,
        _trial_figures(row),
        steps,
        "" if own is None else readable(own),
        where,
        _ends(trial, steps),
    )


def _ends(trial: Trial, steps: Sequence[Step]) -> list[Part]:
    """Return inputs and outputs of a trial, unless a step shows them."""
    if trial.kind == "candidate":
        return predictors(trial)
    if any(step.kind in ("module", "lm") for step in steps):
        return []
    parts = [("inputs", trial.inputs), ("outputs", trial.outputs)]
    return [Part(label, readable(value)) for label, value in parts if value not in (None, {})]


def _spent(
    trials: Sequence[Trial], events: Mapping[str | None, Sequence[Event]]
) -> dict[str, Spent]:
    """Return usage by trial. A candidate includes its examples."""
    found = {trial.id: Spent.on(events.get(trial.id, ()), None) for trial in trials}
    for trial in reversed(trials):  # an inner trial begins after the one around it
        if trial.parent_id in found:
            found[trial.parent_id] += found[trial.id]
    return found


def _decisions(
    experiment: Experiment,
    rows: Sequence[TrialRow],
    events: Mapping[str | None, Sequence[Event]],
) -> list[DecisionRow]:
    by_id = {row.id: row for row in rows}
    found = [
        (event.id, DecisionRow.of(event, experiment.started, by_id.get(trial or "")))
        for trial, theirs in events.items()
        for event in theirs
        if event.kind == "decision"
    ]
    return [row for _, row in sorted(found, key=lambda each: each[0])]


def _length(experiment: Experiment, rows: Sequence[TrialRow]) -> float:
    ends = [row.at + (row.seconds or 0.0) for row in rows]
    return max([seconds_of(experiment) or 0.0, *ends])


def _experiment_figures(experiment: Experiment, spent: Spent) -> list[Fact]:
    aside = " · ".join(f"{count(n)} {word}" for n, word in aside_of(spent))
    return [
        Fact("score", number(experiment.score)),
        Fact("trials", count(experiment.trials)),
        Fact("calls", count(spent.calls), aside),
        Fact("tokens", count(experiment.tokens)),
        Fact("cost", money(experiment.cost)),
        Fact("time", duration(seconds_of(experiment)) if experiment.ended else "running"),
    ]


def _trial_figures(row: TrialRow) -> list[Fact]:
    shown = row.shown()
    labels = ("score", "time", "calls", "tokens", "cost")
    return [Fact(label, shown[label]) for label in labels]


def _row(one: Experiment) -> dict[str, str]:
    return {
        "name": on_one_line(one.name, 60),
        "status": on_one_line(one.status, 20),
        "score": number(one.score),
        "trials": count(one.trials),
        "tokens": count(one.tokens),
        "cost": money(one.cost),
        "profile": on_one_line(one.profile, 40) if one.profile else NOTHING,
        "program": on_one_line(one.program, 40) if one.program else NOTHING,
        "started": f"{one.started.astimezone(UTC):%Y-%m-%d %H:%M}",
        "id": one.id,
    }
