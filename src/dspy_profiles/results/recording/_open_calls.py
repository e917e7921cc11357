"""The calls that are under way: which event each is, in which trial, and what stands around it."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, ref

from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._candidates import Candidates
from dspy_profiles.results.recording._evaluations import Evaluation

__all__ = ["Paths", "Span", "Spans"]

REMEMBERED = 4096  # calls that have ended: a task may outlive the call that began it
LEAVES = frozenset({"adapter", "lm"})  # what they call has ended before them

Ended = tuple[str, str, str | None, str | None]
Found = Mapping[int, tuple[Any, str]]


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
    held: tuple[str, dict[str, Any]] | None = None  # what is not written before it ends
    paths: Found | None = None  # of the modules in the trial's program
    evaluation: Evaluation | None = None
    candidates: Candidates | None = None  # of the optimizer around it
    is_candidate: bool = False

    def until_now(self) -> float:
        """When it ends, if that is now; a clock that is set meanwhile does not matter."""
        return self.started + time.perf_counter() - self.clock


class Spans:
    """By DSPy's own names of calls."""

    def __init__(self) -> None:
        self._open: dict[str, Span] = {}
        # Of these only what names them: thousands of objects would cost the collector its time.
        self._over: dict[str, Ended] = {}
        self._long_over: dict[str, Ended] = {}
        self.root: Span | None = None  # what is around a call that nothing else is around: a test

    def add(self, call: str, span: Span) -> None:
        self._open[call] = span

    def around(self) -> tuple[Span | None, bool]:
        """The span of the call that encloses this one; and whether there is one that is not ours.

        Then it began before the recording did.
        """
        call = _dspy_objects.active_call()
        if call is None:
            return self.root, False
        span = self._open.get(call)
        if span is None:
            ended = self._over.get(call) or self._long_over.get(call)
            span = None if ended is None else Span(*ended, 0.0, 0.0, 0)
        return span, span is None

    def end(self, call: str) -> Span | None:
        """The span, if it began in this process: a fork ends no call of its parent."""
        span = self._open.pop(call, None)
        if span is None:
            return None
        if span.kind not in LEAVES:
            self._over[call] = span.id, span.kind, span.parent, span.trial
            if len(self._over) > REMEMBERED:
                self._long_over, self._over = self._over, {}
        return span if span.process == os.getpid() else None


class Paths:
    """Where each module stands in its program, so that runs can be compared module by module."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, Found] = WeakKeyDictionary()

    def of(self, program: Any) -> Found:
        """Worked out once for each program."""
        try:
            found = self._known.get(program)
            if found is None:
                named = _dspy_objects.named_modules(program)
                found = {id(module): (ref(module), name) for name, module in named}
                self._known[program] = found
        except Exception:  # noqa: BLE001 - a program that cannot be looked through, or compared
            found = {}
        return found

    @staticmethod
    def path(found: Found | None, module: Any) -> str | None:
        known = (found or {}).get(id(module))
        return known[1] if known is not None and known[0]() is module else None
