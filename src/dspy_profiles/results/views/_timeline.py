"""The timeline: events as steps, in the order in which they began."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dspy_profiles.display import duration, on_one_line, visible
from dspy_profiles.results._model import Event
from dspy_profiles.results.journal._usage import seconds_of
from dspy_profiles.results.views._describe import Part, described
from dspy_profiles.results.views._rows import WRONG

__all__ = ["Step", "Timeline"]

DEEPEST = 24  # levels that are indented
POINTS = frozenset({"decision", "score"})  # kinds that take no time


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline, with the texts that are folded under it."""

    id: str
    depth: int
    at: float  # seconds since the timeline began
    seconds: float | None  # None: it takes no time, or has no end
    kind: str
    status: str
    title: str
    asked: str
    answered: str
    notes: Sequence[str]
    marks: Sequence[str]  # what is inferred or missing
    error: str | None
    has_raised: bool  # False: the error came from a step in it
    where: str  # the titles of the steps around it
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
    """Converts events to steps, also a few at a time while they happen.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> timeline = Timeline(at)
    >>> attributes = {"value": 0.5}
    >>> event = Event("1", None, None, "score", "accuracy", at, at, "done", attributes)
    >>> [step.answered for step in timeline.take([event])], timeline.take([event])
    (['0.5'], [])
    """

    def __init__(self, started: datetime, *, is_trial: bool = True) -> None:
        self._started = started
        self._is_trial = is_trial
        self._events: dict[str, Event] = {}
        self._steps: dict[str, Step] = {}
        self._passed_on: set[str] = set()  # steps whose error came from a step in them

    def take(self, events: Iterable[Event]) -> list[Step]:
        """Add events; return the steps that are new or have changed, in order."""
        changed = [each for each in events if self._events.get(each.id) != each]
        self._events.update((each.id, each) for each in changed)
        for each in changed:
            parent, error = self._parent(each), each.attributes.get("error")
            if error and parent is not None and parent.attributes.get("error") == error:
                self._passed_on.add(parent.id)
        steps = [self._step(each) for each in sorted(changed, key=lambda event: event.id)]
        self._steps.update((step.id, step) for step in steps)
        return steps

    @property
    def steps(self) -> list[Step]:
        """All steps so far."""
        return [self._steps[name] for name in sorted(self._steps)]

    def _parent(self, event: Event) -> Event | None:
        return None if event.parent_id is None else self._events.get(event.parent_id)

    def _around(self, event: Event) -> list[Event]:
        """Return the enclosing events, outermost first. Stops at a cycle."""
        found: dict[str, Event] = {}
        parent = self._parent(event)
        while parent is not None and parent.id not in found and parent.id != event.id:
            found[parent.id] = parent
            parent = self._parent(parent)
        return list(found.values())[::-1]

    def _step(self, event: Event) -> Step:
        description = described(event)
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
            description.title,
            description.asked,
            description.answered,
            description.notes,
            list(self._marks(event, around)),
            None if error is None else visible(error),
            event.id not in self._passed_on,
            " › ".join(on_one_line(each.name, 40) for each in around),
            description.parts,
        )

    def _marks(self, event: Event, around: Sequence[Event]) -> Iterable[str]:
        if event.attributes.get("orphan"):
            yield "orphan: the event around it began before the recording"
        elif event.kind not in POINTS and event.parent_id and not around and self._is_within(event):
            yield "orphan: the event around it was not recorded"
        if event.attributes.get("trial_inferred"):
            yield "trial inferred: a metric called it"

    def _is_within(self, event: Event) -> bool:
        """Return whether it is in a call of the trial, and not the call of the trial itself."""
        if not self._is_trial or event.attributes.get("trial_inferred"):
            return False
        return event.id != next(iter(self._events))
