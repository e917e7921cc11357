"""The calls that are running: the event, the trial and the surroundings of each."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, ref

from dspy_profiles.activation import current_profile
from dspy_profiles.results._ids import new_id
from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._candidates import Candidates
from dspy_profiles.results.recording._evaluations import Evaluation
from dspy_profiles.results.recording._lines import LineWriter
from dspy_profiles.results.recording._status import error_of, status_of
from dspy_profiles.results.recording._trials import Trials

__all__ = ["OpenCalls", "Paths", "Span"]

REMEMBERED = 4096  # calls that have ended: a task may outlive the call that began it
LEAVES = frozenset({"adapter", "lm"})  # the calls in them have ended before them

Ended = tuple[str, str, str | None, str | None]
ModulePaths = Mapping[int, tuple[Any, str]]


@dataclass(eq=False, slots=True)
class Span:
    """One call that has begun."""

    id: str
    kind: str
    parent: str | None
    trial: str | None
    started: float
    clock: float
    process: int
    is_orphan: bool = False
    is_trial: bool = False
    lm: Any = None
    held: tuple[str, dict[str, Any]] | None = None  # written when it ends, not when it begins
    paths: ModulePaths | None = None  # of the modules in the trial's program
    evaluation: Evaluation | None = None
    candidates: Candidates | None = None  # of the optimizer around it
    is_candidate: bool = False

    def until_now(self) -> float:
        """Return its end, if that is now. The system's clock may be set meanwhile."""
        return self.started + time.perf_counter() - self.clock

    def open_trial(self, kind: str, parent: str | None = None) -> dict[str, Any]:
        """Make this call the one that a new trial consists of; return the trial's fields."""
        self.trial, self.is_trial = new_id(), True
        return {"kind": kind} if parent is None else {"kind": kind, "parent": parent}


class OpenCalls:
    """Open calls by DSPy's call ids. Writes their lines."""

    def __init__(self, lines: LineWriter, trials: Trials) -> None:
        self._lines = lines
        self._trials = trials
        self._open: dict[str, Span] = {}
        # Tuples, not spans: thousands of objects would slow down the garbage collector.
        self._ended: dict[str, Ended] = {}
        self._ended_earlier: dict[str, Ended] = {}

    def around(self) -> tuple[Span | None, bool]:
        """Return the span of the enclosing call, and whether that call is not recorded.

        A call that is not recorded began before the recording did.
        """
        call = _dspy_objects.active_call()
        if call is None:
            trial = self._trials.current()
            return None if trial is None else Span("", "trial", None, trial, 0.0, 0.0, 0), False
        span = self._open.get(call)
        if span is None:
            ended = self._ended.get(call) or self._ended_earlier.get(call)
            span = None if ended is None else Span(*ended, 0.0, 0.0, 0)
        return span, span is None

    def new(self, kind: str, enclosing: tuple[Span | None, bool] | None = None) -> Span:
        """Return a span that begins now, in the trial of the enclosing call."""
        around, is_orphan = enclosing or self.around()
        return Span(
            new_id(),
            kind,
            None if around is None else around.id or None,
            None if around is None else around.trial,
            time.time(),
            time.perf_counter(),
            os.getpid(),
            is_orphan,
            candidates=None if around is None else around.candidates,
        )

    def begin(
        self,
        call: str,
        span: Span,
        name: str,
        attributes: dict[str, Any],
        opens: Mapping[str, Any] | None = None,
    ) -> None:
        """Write that a call has begun. The calls in it find it from now on."""
        if span.is_orphan:
            attributes["orphan"] = True
        if opens is not None and (active := current_profile()) is not None:
            opens = {**opens, "details": {**opens.get("details", {}), "profile": active.name}}
        self._open[call] = span
        self._lines.begin(span, name, attributes, opens)

    def take(self, call: str) -> Span | None:
        """Remove and return a call that has ended; None if it began in the process forked from."""
        span = self._open.pop(call, None)
        if span is None:
            return None
        if span.kind not in LEAVES:
            self._ended[call] = span.id, span.kind, span.parent, span.trial
            if len(self._ended) > REMEMBERED:
                self._ended_earlier, self._ended = self._ended, {}
        return span if span.process == os.getpid() else None

    def end(self, span: Span, attributes: dict[str, Any], error: BaseException | None) -> None:
        """Write that a call has ended, and how."""
        if error is not None:
            attributes["error"] = error_of(error)
        status = status_of(error)
        self._lines.end(span, span.until_now(), status, attributes, is_trial=span.is_trial)

    def hold(self, call: str, kind: str, name: str, attributes: dict[str, Any]) -> None:
        """Begin a step that takes next to no time: it gets one line, when it ends."""
        span = self.new(kind)
        span.held = name, attributes
        self._open[call] = span

    def end_held(self, call: str, attributes: dict[str, Any], error: BaseException | None) -> None:
        """Write the one line of a step."""
        span = self.take(call)
        if span is None or span.held is None:
            return
        name, first = span.held
        span.held = None
        attributes = {**first, **attributes}
        if span.is_orphan:
            attributes["orphan"] = True
        if error is not None:
            attributes["error"] = error_of(error)
        self._lines.whole(span, name, span.until_now(), status_of(error), attributes)


class Paths:
    """Places of modules in their programs. Runs are compared module by module."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, ModulePaths] = WeakKeyDictionary()

    def of(self, program: Any) -> ModulePaths:
        """Return the paths of a program's modules; computed once for each program."""
        try:
            paths = self._known.get(program)
            if paths is None:
                named = _dspy_objects.named_modules(program)
                paths = {id(module): (ref(module), name) for name, module in named}
                self._known[program] = paths
        except Exception:  # noqa: BLE001 - a program that cannot be walked, or compared
            paths = {}
        return paths

    @staticmethod
    def path(paths: ModulePaths | None, module: Any) -> str | None:
        known = (paths or {}).get(id(module))
        return known[1] if known is not None and known[0]() is module else None
