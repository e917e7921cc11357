"""Follow a run of another process: print its steps as its journals grow."""

import time
from collections.abc import Iterator

import typer
from rich.text import Text

from dspy_profiles.cli._output import MUTED, console_for, note, out
from dspy_profiles.cli.results._options import width
from dspy_profiles.display import counted, money, number, on_one_line
from dspy_profiles.results import Event, Experiment, Trial
from dspy_profiles.results.journal import JournalReader
from dspy_profiles.results.store import Store
from dspy_profiles.results.views import HINT, Step, Timeline, step_lines

__all__ = ["follow"]

PAUSE = 0.25  # seconds between two reads
CLOSING = 8  # reads until a process that has ended must have archived its experiment
INTERRUPTED = 130
CONTAINERS = ("module", "evaluate", "compile", "tool")  # also shown when they begin


def follow(store: Store, experiment: Experiment, trial: Trial | None, *, full: bool) -> None:
    """Print each step of an experiment until it ends."""
    try:
        for line in _lines(store, experiment, trial, full=full):
            out(line)
            console_for(to_stderr=False).file.flush()
        done = store.get_experiment(experiment.id)
    except KeyboardInterrupt:
        note(Text("stopped following; the run continues", style=MUTED))
        raise typer.Exit(INTERRUPTED) from None
    score = "" if done.score is None else f" · score {number(done.score)}"
    sums = f"{counted(done.tokens, 'token')} · {money(done.cost)}"
    note(Text(f"{done.status}: {counted(done.trials, 'trial')}{score} · {sums}", style=MUTED))


def _lines(
    store: Store, experiment: Experiment, trial: Trial | None, *, full: bool
) -> Iterator[Text]:
    reader = JournalReader(store, experiment.id)
    shown = Shown(experiment if trial is None else trial, full=full)
    wanted = None if trial is None else trial.id
    while True:
        yield from shown.take(_of(reader.read(), wanted), reader.trials)
        if reader.is_over:
            break
        time.sleep(PAUSE)
    if experiment.status == "running":
        _await_seal(reader)
    names = {each.id: each.name for each in store.query_trials(experiment.id)}
    yield from shown.take(store.events(experiment.id, wanted), names)


def _of(events: list[Event], trial: str | None) -> list[Event]:
    return [each for each in events if trial in (None, each.trial_id)]


def _await_seal(reader: JournalReader) -> None:
    """Wait until the process has recorded how it ended. It closes its journal a moment before."""
    for _ in range(CLOSING):
        if reader.is_sealed:
            return
        time.sleep(PAUSE)
        reader.read()


class Shown:
    """The steps that have been printed."""

    def __init__(self, of: Experiment | Trial, *, full: bool) -> None:
        self._timeline = Timeline(of.started, is_trial=isinstance(of, Trial))
        self._has_heads = isinstance(of, Experiment)
        self._full = full
        self._events: dict[str, Event] = {}
        self._begun: set[str] = set()  # printed while they ran
        self._last: str | None = None  # the trial of the previous line

    def take(self, events: list[Event], names: dict[str, str]) -> Iterator[Text]:
        """Yield the lines for new events; `names` are those of trials."""
        self._events.update((each.id, each) for each in events)
        for step in sorted(self._timeline.take(events), key=self._place):
            if not self._is_new(step):
                continue
            if step.status == "running":
                self._begun.add(step.id)
            yield from self._head(step, names)
            yield from self._step(step)

    def _place(self, step: Step) -> tuple[float, int, str]:
        """Sort by start; a step printed then comes again at its end, inner steps first."""
        if step.id in self._begun:
            return step.at + (step.seconds or 0.0), -step.depth, step.id
        return step.at, 0, step.id

    def _is_new(self, step: Step) -> bool:
        """Return whether a step has something that was not printed yet."""
        if step.status == "running":
            return step.kind in CONTAINERS
        if step.id not in self._begun or step.kind != "module" or step.error is not None:
            return True
        event = self._events[step.id]  # an inner module's answer is shown with the outer one
        around = self._events.get(event.parent_id or "")
        return around is None or around.trial_id != event.trial_id

    def _head(self, step: Step, names: dict[str, str]) -> Iterator[Text]:
        trial = self._events[step.id].trial_id
        if self._has_heads and trial != self._last:
            name = None if trial is None else on_one_line(names.get(trial, trial), 60)
            yield Text(name or "outside of trials", style="bold")
        self._last = trial

    def _step(self, step: Step) -> Iterator[Text]:
        lines = list(step_lines([step], width(), full=self._full))
        if lines and lines[-1].plain == HINT:
            del lines[-2:]
        yield from lines
