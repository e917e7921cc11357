"""What every hook of the recorder needs: lines to write, calls that are open, faults that count."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, cast

from dspy_profiles.activation import current_profile
from dspy_profiles.calls import refusal_in
from dspy_profiles.results._ids import new_id
from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._json import clean
from dspy_profiles.results.recording._lines import JournalWriter
from dspy_profiles.results.recording._open_calls import Paths, Span, Spans

__all__ = ["RecorderBase", "error_of", "opened", "safely", "span_in", "status_of"]

F = TypeVar("F", bound=Callable[..., None])
STOPPED = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)
LONGEST_ERROR = 4000


def safely(hook: F) -> F:
    """A fault of ours is counted, and never reaches the program."""

    # DSPy names its three arguments, which differ between beginnings and ends.
    @wraps(hook)
    def begin(self: "RecorderBase", call_id: str, instance: Any, inputs: Any) -> None:
        if self.is_closed:
            return
        try:
            hook(self, call_id, instance, inputs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the program goes on
            self.failed(error)

    @wraps(hook)
    def end(
        self: "RecorderBase", call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        if self.is_closed:
            return
        try:
            hook(self, call_id, outputs, exception)
        except Exception as error:  # noqa: BLE001
            self.failed(error)

    is_end = "outputs" in signature(hook).parameters
    return cast("F", end if is_end else begin)


class RecorderBase(_dspy_objects.BaseCallback):  # type: ignore[misc]
    """One experiment's. May be called from any thread or task, and goes on in a fork."""

    def __init__(self, lines: JournalWriter) -> None:
        self.lines = lines
        self.spans = Spans()
        self.paths = Paths()
        self._faults = 0
        self._first_fault: str | None = None
        self.is_closed = False

    @property
    def faults(self) -> dict[str, Any]:
        """How many calls could not be recorded as they should be, and why the first."""
        return {"count": self._faults, "first": self._first_fault}

    def failed(self, error: Exception) -> None:
        self._faults += 1
        if self._first_fault is None:
            self._first_fault = clean(f"{type(error).__name__}: {error}")

    def begin(
        self,
        call: str,
        span: Span,
        name: str,
        attributes: dict[str, Any],
        opens: Mapping[str, Any] | None = None,
    ) -> None:
        """Write that a call has begun. From now on what it calls in turn finds it."""
        if span.is_orphan:
            attributes["orphan"] = True  # what it belongs to began before the recording did
        if opens is not None and (active := current_profile()) is not None:
            opens = {**opens, "details": {**opens.get("details", {}), "profile": active.name}}
        self.spans.add(call, span)
        self.lines.begin(span, name, attributes, opens)

    def end(self, span: Span, attributes: dict[str, Any], error: BaseException | None) -> None:
        """Write that it has ended, and how."""
        if error is not None:
            attributes["error"] = error_of(error)
        status = status_of(error)
        self.lines.end(span, span.until_now(), status, attributes, is_trial=span.is_trial)

    def hold(self, call: str, kind: str, name: str, attributes: dict[str, Any]) -> None:
        """A step that takes no time to speak of: written when it ends, in one line."""
        span = span_in(kind, *self.spans.around())
        span.held = name, attributes
        self.spans.add(call, span)

    def end_held(self, call: str, attributes: dict[str, Any], error: BaseException | None) -> None:
        span = self.spans.end(call)
        if span is None or span.held is None:
            return
        name, begun = span.held
        span.held = None
        attributes = {**begun, **attributes}
        if span.is_orphan:
            attributes["orphan"] = True
        if error is not None:
            attributes["error"] = error_of(error)
        self.lines.whole(span, name, span.until_now(), status_of(error), attributes)

    def begin_plain(self, call: str, kind: str, name: str, attributes: dict[str, Any]) -> None:
        """The same for a call that neither opens a trial nor has anything to remember."""
        self.begin(call, span_in(kind, *self.spans.around()), name, attributes)

    def end_plain(self, call: str, attributes: dict[str, Any], error: BaseException | None) -> None:
        span = self.spans.end(call)
        if span is not None:
            self.end(span, attributes, error)


def span_in(kind: str, around: Span | None, is_orphan: bool) -> Span:
    """A call that begins now, in the trial of the one around it."""
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


def opened(span: Span, kind: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    """Make this call the one that its trial consists of."""
    span.trial, span.is_trial = new_id(), True
    return {"kind": kind, **more} if parent is None else {"kind": kind, "parent": parent, **more}


def status_of(error: BaseException | None) -> str:
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "done"
    return "interrupted" if isinstance(error, STOPPED) else "failed"


def error_of(error: BaseException | None) -> str | None:
    """An error in one text: its type, and what it says."""
    if error is None:
        return None
    held = refusal_in(error)
    error = error if held is None else held.error
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - other people's errors raise what they like
        said = "(cannot be shown)"
    name = type(error).__name__
    return clean(f"{name}: {said}" if said else name)[:LONGEST_ERROR]
