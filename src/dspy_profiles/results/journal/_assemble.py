"""Build an experiment and its trials from its journals only."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dspy_profiles.results._ids import begun
from dspy_profiles.results._model import Event, Experiment, Fault, Trial, moment
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.journal._read import Line, Spans, lines_of
from dspy_profiles.results.journal._usage import MOST, Spent

__all__ = ["Assembled", "assemble", "stream"]

Stretch = list[int]  # the beginning and end of a trial's lines in one journal


@dataclass
class Assembled:
    """An experiment and its trials, earliest first, with the places of their lines."""

    experiment: Experiment
    trials: list[Trial]
    stretches: dict[str, dict[str, Stretch]]
    faults: list[Fault]


@dataclass
class _Draft:
    """A trial while its lines are read."""

    id: str
    kind: str = "call"
    name: str = "?"
    parent: str | None = None
    started: str | None = None
    ended: str | None = None
    status: str | None = None
    inputs: Any = None
    outputs: Any = None
    error: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    given: float | None = None  # the last score that the program recorded
    measured: float | None = None  # the score of the evaluation's metric

    def trial(self, experiment_id: str, unfinished: str, latest: str) -> Trial:
        return Trial(
            self.id,
            experiment_id,
            self.name,
            self.status or unfinished,
            self.given if self.measured is None else self.measured,
            moment(self.started or latest),
            moment(self.ended) if self.ended else None,
            self.inputs,
            self.outputs,
            self.error,
            self.kind,
            self.parent,
            self.details,
        )


def assemble(
    storage: JournalStorage, experiment_id: str, seal: Mapping[str, Any] | None
) -> Assembled:
    """Read every journal once. Without a seal, the experiment is open, or its process died."""
    builder = _ExperimentBuilder(experiment_id)
    for line in _lines(storage, experiment_id, seal, builder.faults.append):
        builder.take(line)
    if seal is None:
        status = "running" if storage.is_alive(experiment_id) else "interrupted"
    else:
        status = str(seal["status"])
    return builder.build(status, seal or {})


def stream(  # noqa: PLR0913, PLR0917 - which events, and which part to read
    storage: JournalStorage,
    experiment_id: str,
    seal: Mapping[str, Any] | None,
    unfinished: str,
    stretches: Mapping[str, Stretch] | None = None,
    trial_id: str | None = None,
) -> Iterator[Event]:
    """Yield events as they end, then those without an end. For one trial, read only its part."""
    only = b"" if trial_id is None else trial_id.encode()
    for name, (start, end) in (stretches or _extents(storage, experiment_id, seal)).items():
        spans = Spans(unfinished)
        for line in lines_of(storage, experiment_id, name, _ignore, start, end, only):
            event = spans.take(line)
            if event is not None and trial_id in (None, event.trial_id):
                yield event
        yield from (e for e in spans.rest() if trial_id in (None, e.trial_id))


def _extents(
    storage: JournalStorage, experiment_id: str, seal: Mapping[str, Any] | None
) -> dict[str, tuple[int, int | None]]:
    """Return which part of each journal counts: lines after the seal do not."""
    if seal is None:
        return dict.fromkeys(storage.names(experiment_id), (0, None))
    there = set(storage.names(experiment_id))
    return {name: (0, of["size"]) for name, of in seal["journals"].items() if name in there}


def _lines(
    storage: JournalStorage,
    experiment_id: str,
    seal: Mapping[str, Any] | None,
    tell: Callable[[Fault], None],
) -> Iterator[Line]:
    for name, (start, end) in _extents(storage, experiment_id, seal).items():
        yield from lines_of(storage, experiment_id, name, tell, start, end)


def _ignore(_: Fault) -> None:
    pass


class _ExperimentBuilder:
    """Adds up lines. Holds trials and totals, but only the events that are open."""

    def __init__(self, experiment_id: str) -> None:
        self.faults: list[Fault] = []
        self._id = experiment_id
        self._header: dict[str, Any] = {}
        self._trials: dict[str, _Draft] = {}
        self._stretches: dict[str, dict[str, Stretch]] = {}
        self._open: dict[str, tuple[str, bool]] = {}  # kind, and whether its trial consists of it
        self._spent = Spent()
        self._events = self._losses = 0
        self._score: float | None = None
        self._program: str | None = None
        self._profile: str | None = None
        self._latest = self._earliest = ""
        self._dspy = set[str]()  # the versions that its processes have imported

    def take(self, line: Line) -> None:
        self._see(line)
        getattr(self, f"_{line['type'].replace('.', '_')}")(line)

    def build(self, status: str, seal: Mapping[str, Any]) -> Assembled:
        unfinished = "running" if status == "running" else "interrupted"
        latest = (
            self._latest or begun(self._id).isoformat()
        )  # its process was killed before the first line
        drafts = sorted(self._trials.values(), key=lambda d: d.id)
        trials = [draft.trial(self._id, unfinished, latest) for draft in drafts]
        scores = [t.score for t in trials if t.score is not None and t.kind != "candidate"]
        header, details = self._header, dict(self._header.get("details") or {})
        if isinstance(lost := seal.get("lost"), int):  # the journal itself could not record this
            self._losses = max(self._losses, lost)
        program, profile = header.get("program"), header.get("profile")
        if program is None and self._program is not None:
            program, details["program_inferred"] = self._program, True
        if profile is None and self._profile is not None:
            profile, details["profile_inferred"] = self._profile, True
        if self._dspy and isinstance(versions := details.get("versions"), dict):
            details["versions"] = {**versions, "dspy": ", ".join(sorted(self._dspy))}
        ended = None if status == "running" else seal.get("ended") or latest
        experiment = Experiment(
            self._id,
            str(header.get("name") or self._id),
            header.get("hypothesis"),
            program,
            profile,
            status,
            moment(header.get("started") or self._earliest or latest),
            moment(ended) if ended else None,
            sum(scores) / len(scores) if scores else self._score,
            len(trials),
            self._spent.cost,
            self._spent.tokens,
            {
                **details,
                "calls": self._spent.calls,
                "cached": self._spent.cached,
                "replayed": self._spent.replayed,
                "events": self._events,
                "lost": self._losses,
                **{k: v for k, v in seal.items() if k in ("error", "faults")},
            },
        )
        return Assembled(experiment, trials, self._stretches, self.faults)

    def _see(self, line: Line) -> None:
        for when in (line.get("started"), line.get("ended")):
            if when:
                self._latest = max(self._latest, when)
                self._earliest = min(self._earliest or when, when)
        trial = line["id"] if line["type"] in ("trial", "trial.end") else line.get("trial")
        if trial is not None:
            ours = self._stretches.setdefault(trial, {})
            ours.setdefault(line.journal, [line.start, line.end])[1] = line.end

    def _journal(self, line: Line) -> None:
        if isinstance(imported := line.get("dspy"), str):
            self._dspy.add(imported)

    def _lost(self, line: Line) -> None:
        self._losses = min(self._losses + line["count"], MOST)

    def _experiment(self, line: Line) -> None:
        self._header = line.content

    def _trial(self, line: Line) -> None:
        draft = self._draft(line["id"])
        draft.kind, draft.name = line.get("kind") or "call", line.get("name") or "?"
        draft.parent, draft.started = line.get("parent"), line.get("started")
        draft.inputs, draft.details = line.get("inputs"), line.table("details")
        self._infer_profile(draft)

    def _trial_end(self, line: Line) -> None:
        draft = self._draft(line["id"])
        draft.status, draft.ended = line.get("status") or "done", line.get("ended")
        draft.outputs, draft.error = line.get("outputs"), line.get("error")
        draft.details = {**draft.details, **line.table("details")}
        self._infer_profile(draft)
        if line.get("score") is not None:
            draft.measured = float(line["score"])

    def _begin(self, line: Line) -> None:
        opens, trial = line.table("opens"), line.get("trial")
        self._open[line["id"]] = line.get("kind") or "module", bool(opens)
        self._events += 1
        is_outermost = bool(opens) or line.get("parent") is None
        if self._program is None and is_outermost and line.get("kind") == "module":
            self._program = line.get("name")
        if not opens or trial is None:
            return
        draft = self._draft(trial)
        draft.kind, draft.started = str(opens.get("kind", "call")), line.get("started")
        draft.name = str(opens.get("name") or line.get("name") or "?")
        parent, details = opens.get("parent"), opens.get("details")
        draft.parent = parent if isinstance(parent, str) else None
        draft.details = details if isinstance(details, dict) else {}
        draft.inputs = line.table("attributes").get("inputs")
        self._infer_profile(draft)

    def _infer_profile(self, draft: _Draft) -> None:
        if self._profile is None and isinstance(active := draft.details.get("profile"), str):
            is_one_of_several = "profiles" in (self._header.get("details") or {})
            self._profile = None if is_one_of_several else active

    def _end(self, line: Line) -> None:
        kind, opened = self._open.pop(line["id"], ("module", False))
        attributes = line.table("attributes")
        if kind == "lm":
            self._spent += Spent.of_call(attributes, line.get("status"))
        trial = line.get("trial")
        if opened and trial is not None:
            draft = self._draft(trial)
            draft.status, draft.ended = line.get("status") or "done", line.get("ended")
            draft.outputs, error = attributes.get("outputs"), attributes.get("error")
            draft.error = error if isinstance(error, str) else None

    def _event(self, line: Line) -> None:
        self._events += 1
        if line.get("kind") != "score":
            return
        attributes, trial = line.table("attributes"), line.get("trial")
        value = attributes.get("value")
        value = None if value is None else float(value)
        by_evaluate = attributes.get("by") == "evaluate"
        if value is None and not by_evaluate:  # not a number: keep the earlier score
            return
        if trial is None:
            self._score = value
        elif by_evaluate:
            draft = self._draft(trial)
            draft.measured = value
            if isinstance(error := attributes.get("error"), str) and draft.error is None:
                draft.status, draft.error = "failed", error
        else:
            self._draft(trial).given = value

    def _draft(self, trial_id: str) -> _Draft:
        return self._trials.setdefault(trial_id, _Draft(trial_id))
