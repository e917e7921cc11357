"""Lines of a journal, from what happens. Does not import DSPy."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from dspy_profiles.results._ids import new_id
from dspy_profiles.results.journal._base import Journal
from dspy_profiles.results.recording._json import encoded
from dspy_profiles.results.recording._sinks import Faults, Sink, Sinks

__all__ = ["LineWriter", "now", "timestamp"]


class _Begun(Protocol):
    """An event that has begun."""

    id: str
    kind: str
    parent: str | None
    trial: str | None
    started: float


class LineWriter:
    """Writes one line with each method, at once: to the journal, then to other sinks."""

    def __init__(self, journal: Journal, sinks: Sequence[Sink] = ()) -> None:
        self.faults = Faults()
        self.keep = journal.keep
        self._sinks = Sinks([journal, *sinks], self.faults)

    def begin(
        self, of: _Begun, name: str, attributes: Mapping[str, Any], opens: Mapping[str, Any] | None
    ) -> None:
        line = _line("begin", of.id, of.parent, of.trial)
        line["kind"], line["name"], line["started"] = of.kind, name, timestamp(of.started)
        if opens is not None:
            line["opens"] = opens
        line["attributes"] = attributes
        self._sinks.write(encoded(line, self.keep, "name", "attributes"))

    def end(
        self,
        of: _Begun,
        ended: float,
        status: str,
        attributes: Mapping[str, Any],
        *,
        is_trial: bool,
    ) -> None:
        line = _line("end", of.id, None, of.trial)
        line["ended"], line["status"] = timestamp(ended), status
        line["attributes"] = attributes
        data = encoded(line, self.keep, "attributes")
        self._sinks.write(data, is_trials_end=is_trial)

    def whole(
        self, of: _Begun, name: str, ended: float, status: str, attributes: Mapping[str, Any]
    ) -> None:
        """Write an event that is over, in one line."""
        line = _line("event", of.id, of.parent, of.trial)
        line["kind"], line["name"] = of.kind, name
        line["started"], line["ended"] = timestamp(of.started), timestamp(ended)
        line["status"], line["attributes"] = status, attributes
        self._sinks.write(encoded(line, self.keep, "name", "attributes"))

    def point(
        self,
        kind: str,
        name: str,
        parent: str | None,
        trial: str | None,
        attributes: Mapping[str, Any],
    ) -> None:
        """Write an event that takes no time."""
        line = _line("event", new_id(), parent, trial)
        line["kind"], line["name"], line["started"] = kind, name, now()
        line["status"], line["attributes"] = "done", attributes
        self._sinks.write(encoded(line, self.keep, "name", "attributes"))

    def trial(
        self, kind: str, name: str, parent: str | None, inputs: Any, details: Mapping[str, Any]
    ) -> str:
        """Begin a trial that is not a single call; return its id."""
        trial = new_id()
        line = _line("trial", trial, parent, None)
        line["kind"], line["name"], line["started"] = kind, name, now()
        line["inputs"], line["details"] = inputs, details
        self._sinks.write(encoded(line, self.keep, "name", "inputs", "details"))
        return trial

    def trial_end(  # noqa: PLR0913 - each is a field of the line
        self,
        trial: str,
        status: str,
        *,
        outputs: Any = None,
        error: str | None = None,
        score: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        line = _line("trial.end", trial, None, None)
        line["ended"], line["status"] = now(), status
        line |= {"outputs": outputs, "error": error, "score": score}
        loose = ["outputs"]
        if details:
            line["details"] = details
            loose.append("details")
        self._sinks.write(encoded(line, self.keep, *loose), is_trials_end=True)

    def experiment(self, content: Mapping[str, Any]) -> None:
        line = {"type": "experiment", "started": now(), **content}
        self._sinks.write(encoded(line, self.keep, *content))

    def finish(self) -> None:
        """Expect no more lines. Safe to call twice."""
        self._sinks.finish()


def _line(kind: str, name: str, parent: str | None, trial: str | None) -> dict[str, Any]:
    """Return the beginning of a line, without the fields that are None."""
    line: dict[str, Any] = {"type": kind, "id": name}
    if parent is not None:
        line["parent"] = parent
    if trial is not None:
        line["trial"] = trial
    return line


def now() -> str:
    return timestamp(time.time())


def timestamp(seconds: float) -> str:
    """Return a time since the epoch in the form of all records."""
    global _second  # noqa: PLW0603 - many events fall into one second
    whole = int(seconds)
    known, text = _second
    if known != whole:
        text = datetime.fromtimestamp(whole, UTC).isoformat()[:-6]
        _second = whole, text
    return f"{text}.{int((seconds - whole) * 1_000_000):06d}Z"


_second = (0, "")
