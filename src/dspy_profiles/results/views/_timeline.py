"""The timeline: events as steps, from top to bottom in the order in which they began."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dspy_profiles.display import duration, on_one_line, visible
from dspy_profiles.results._model import Event
from dspy_profiles.results.journal._usage import seconds_of
from dspy_profiles.results.views._describe import Part, described
from dspy_profiles.results.views._rows import WRONG

__all__ = ["Step", "Timeline"]

DEEPEST = 24  # levels that are still set in further
POINTS = frozenset({"decision", "score"})  # what takes no time


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline, and what is folded under it."""

    id: str
    depth: int
    at: float  # seconds since the timeline began
    seconds: float | None  # None: it takes no time, or has not ended
    kind: str
    status: str
    title: str
    asked: str
    answered: str
    notes: Sequence[str]
    marks: Sequence[str]  # what is not certain about it
    error: str | None
    has_raised: bool  # False for an error that came from a step within it
    where: str  # the steps around it, by their titles
    parts: Sequence[Part]

    @property
    def margin(self) -> str:
        return duration(self.at)

    @property
    def is_wrong(self) -> bool:
        return self.status in WRONG

    @property
    def length(self) -> str:
        if self.seconds is not None:
            return duration(self.seconds)
        return self.status if self.status in ("running", "interrupted") else ""


class Timeline:
    """Makes steps of events, also of some at a time while they happen.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> timeline = Timeline(at)
    >>> said = {"value": 0.5}
    >>> event = Event("1", None, None, "score", "accuracy", at, at, "done", said)
    >>> [step.answered for step in timeline.take([event])], timeline.take([event])
    (['0.5'], [])
    """

    def __init__(self, started: datetime, *, is_trial: bool = True) -> None:
        self._started = started
        self._is_trial = is_trial
        self._events: dict[str, Event] = {}
        self._steps: dict[str, Step] = {}
        self._passed_on: set[str] = set()  # those whose error came from a step within them

    def take(self, events: Iterable[Event]) -> list[Step]:
        """The steps that are new, or not what they were, in their order."""
        changed = [each for each in events if self._events.get(each.id) != each]
        self._events.update((each.id, each) for each in changed)
        for each in changed:
            parent, error = self._parent(each), each.attributes.get("error")
            if error and parent is not None and parent.attributes.get("error") == error:
                self._passed_on.add(parent.id)
        made = [self._step(each) for each in sorted(changed, key=lambda event: event.id)]
        self._steps.update((step.id, step) for step in made)
        return made

    @property
    def steps(self) -> list[Step]:
        """All of them so far."""
        return [self._steps[name] for name in sorted(self._steps)]

    def _parent(self, event: Event) -> Event | None:
        return None if event.parent_id is None else self._events.get(event.parent_id)

    def _around(self, event: Event) -> list[Event]:
        """The events that this one is in, the outermost first. A circle ends where it begins."""
        found: dict[str, Event] = {}
        parent = self._parent(event)
        while parent is not None and parent.id not in found and parent.id != event.id:
            found[parent.id] = parent
            parent = self._parent(parent)
        return list(found.values())[::-1]

    def _step(self, event: Event) -> Step:
        said = described(event)
        around = self._around(event)
        error = event.attributes.get("error")
        if error is not None and not isinstance(error, str):
            error = str(error)
        return Step(
            event.id,
            min(len(around), DEEPEST),
            max(0.0, (event.started - self._started).total_seconds()),
            None if event.kind in POINTS else seconds_of(event),
            on_one_line(event.kind, 20),
            on_one_line(event.status, 20),
            said.title,
            said.asked,
            said.answered,
            said.notes,
            list(self._marks(event, around)),
            None if error is None else visible(error),
            event.id not in self._passed_on,
            " › ".join(on_one_line(each.name, 40) for each in around),
            said.parts,
        )

    def _marks(self, event: Event, around: Sequence[Event]) -> Iterable[str]:
        if event.attributes.get("orphan"):
            yield "orphan: what it belongs to began before the recording"
        elif event.kind not in POINTS and event.parent_id and not around and self._is_within(event):
            yield "orphan: what it belongs to was not recorded"
        if event.attributes.get("trial_inferred"):
            yield "trial inferred: a metric called it"

    def _is_within(self, event: Event) -> bool:
        """Whether it is a part of the trial, and not the call that the trial consists of."""
        if not self._is_trial or event.attributes.get("trial_inferred"):
            return False
        return event.id != next(iter(self._events))
