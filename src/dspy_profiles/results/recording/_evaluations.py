"""Match trials with examples of an evaluation: DSPy reports them only at its end."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from dspy_profiles.results.recording import _dspy_objects

__all__ = ["CURRENT", "Evaluation", "Outcome", "number"]

# The example of this thread or task, and its evaluation: calls of a metric belong to it.
CURRENT: ContextVar[tuple["Evaluation", str] | None] = ContextVar(
    "dspy_profiles_example", default=None
)


NONE: deque[int] = deque(maxlen=0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one example, when its evaluation ends."""

    index: int
    trial: str | None  # None: its program was not observed
    example: Any
    prediction: Any
    score: Any
    is_failed_metric: bool


@dataclass(eq=False, slots=True)
class _Seen:
    trial: str
    prediction: Any = None
    has_ended: bool = False
    has_failed: bool = False


class Evaluation:
    """One call of dspy.Evaluate while it runs."""

    def __init__(self, program: Any, devset: Sequence[Any]) -> None:
        self.program: Any = program
        self._waiting: dict[Any, deque[int]] = defaultdict(deque)
        for index, example in enumerate(devset):
            self._waiting[_identity(_inputs(example))].append(index)
        self._seen: dict[int, _Seen] = {}
        self._by_trial: dict[str, _Seen] = {}

    def begin(self, inputs: Mapping[str, Any], trial: str) -> int | None:
        """Return the index of the example with which the program is called, by object identity."""
        seen = self._by_trial[trial] = _Seen(trial)
        try:
            index = self._waiting.get(_identity(inputs), NONE).popleft()
            self._seen[index] = seen
        except IndexError:  # a repeated call, or one with other inputs
            index = None
        CURRENT.set((self, trial))
        return index

    def end(self, trial: str, prediction: Any, *, has_failed: bool) -> None:
        seen = self._by_trial.get(trial)
        if seen is not None:
            # Keep the object, so that no other one gets the same id before the evaluation ends.
            seen.prediction, seen.has_ended, seen.has_failed = prediction, True, has_failed

    def release(self) -> None:
        """Release all objects, when the evaluation is over."""
        self.program = None
        self._seen.clear()
        self._by_trial.clear()
        self._waiting.clear()

    def outcomes(self, results: Sequence[Any]) -> Iterator[Outcome]:
        """Yield each example with its trial: of several attempts, the one whose result counts."""
        by_prediction = {
            id(seen.prediction): seen for seen in self._by_trial.values() if seen.has_ended
        }
        for index, (example, prediction, score) in enumerate(results):
            seen = self._seen.get(index)
            is_used = seen is not None and seen.prediction is prediction
            if not is_used and id(prediction) in by_prediction:
                seen, is_used = by_prediction[id(prediction)], True
            failed_metric = seen is not None and not is_used and not seen.has_failed
            trial = None if seen is None else seen.trial
            yield Outcome(index, trial, example, prediction, score, failed_metric)


def number(score: Any) -> float | None:
    """Return a metric's number: True is 1, a Prediction is its score. None if it is not one."""
    try:
        value = float(score)
    except Exception:  # noqa: BLE001 - a metric may return anything
        return None
    return value if math.isfinite(value) else None


def _inputs(example: Any) -> Mapping[str, Any]:
    try:
        return _dspy_objects.example_inputs(example)
    except Exception:  # noqa: BLE001 - DSPy will report the error
        return {}


def _identity(inputs: Mapping[str, Any]) -> Any:
    return frozenset((name, id(value)) for name, value in inputs.items())
