"""Evaluations and optimizers: examples and candidates become trials, their scores events."""

from typing import Any

from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._candidates import Candidates, summary
from dspy_profiles.results.recording._evaluations import Evaluation, Outcome, number
from dspy_profiles.results.recording._lines import LineWriter
from dspy_profiles.results.recording._open_calls import OpenCalls, Span
from dspy_profiles.results.recording._status import error_of, status_of

__all__ = ["Evaluations"]

ARGUMENTS = ("program", "devset", "metric")


class Evaluations:
    """Records calls of dspy.Evaluate and of optimizers."""

    def __init__(self, lines: LineWriter, calls: OpenCalls) -> None:
        self._lines = lines
        self._calls = calls

    def begin(self, call: str, instance: Any, inputs: dict[str, Any]) -> None:
        span = self._calls.new("evaluate")
        program, devset, metric = (_argument(inputs, instance, key) for key in ARGUMENTS)
        examples = devset if isinstance(devset, list) else []
        span.evaluation = Evaluation(program, examples)
        attributes = {
            "program": type(program).__name__,
            "metric": getattr(metric, "__name__", type(metric).__name__),
            "examples": len(examples),
            "metadata": inputs.get("callback_metadata"),
        }
        if hasattr(program, "named_predictors"):
            attributes["candidate"] = self._candidate(span, program)
        self._calls.begin(call, span, type(instance).__name__, attributes)

    def end(self, call: str, outputs: Any, exception: BaseException | None) -> None:
        span = self._calls.take(call)
        if span is None:
            return
        evaluation, results = span.evaluation, getattr(outputs, "results", None)
        values: list[float] = []
        if evaluation is not None and isinstance(results, list):
            scores = [self._score(span, outcome) for outcome in evaluation.outcomes(results)]
            values = [score for score in scores if score is not None]
        if evaluation is not None:
            evaluation.release()
        mean = sum(values) / len(values) if values else None
        scores_of_all = {"score": number(getattr(outputs, "score", None)), "mean": mean}
        self._calls.end(span, dict(scores_of_all), exception)
        if span.is_candidate and span.trial is not None:
            status, error = status_of(exception), error_of(exception)
            self._lines.trial_end(
                span.trial, status, outputs=scores_of_all, error=error, score=mean
            )

    def begin_compile(self, call: str, instance: Any, inputs: dict[str, Any]) -> None:
        span = self._calls.new("compile")
        span.candidates = span.candidates or Candidates()
        arguments = {
            key: len(value) if isinstance(value, list) else value
            for key, value in inputs.items()
            if key not in ("student", "teacher") and value is not None
        }
        attributes: dict[str, Any] = {"arguments": arguments}
        student = inputs.get("student")
        if hasattr(student, "named_predictors"):
            attributes["program"] = type(student).__name__
            attributes["student"] = span.candidates.add(student, self._lines.keep).hash
        self._calls.begin(call, span, type(instance).__name__, attributes)

    def end_compile(self, call: str, outputs: Any, exception: BaseException | None) -> None:
        span = self._calls.take(call)
        if span is None:
            return
        attributes: dict[str, Any] = {}
        if hasattr(outputs, "named_predictors"):
            candidate = summary(outputs, self._lines.keep)
            attributes = {"candidate": candidate.hash, "predictors": candidate.predictors}
        self._calls.end(span, attributes, exception)

    def _candidate(self, span: Span, program: Any) -> str:
        """Return the hash of a program. In an optimizer's run, the program is also a trial."""
        if span.candidates is None:
            return summary(program, self._lines.keep).hash
        tried = span.candidates.add(program, self._lines.keep)
        details: dict[str, Any] = {"candidate": tried.hash}
        if tried.parent is not None:
            details |= {"parent": tried.parent, "parent_inferred": True}
        name = f"candidate {tried.hash[:8]}"
        span.trial = self._lines.trial("candidate", name, span.trial, tried.predictors, details)
        span.is_candidate = True
        return tried.hash

    def _score(self, span: Span, outcome: Outcome) -> float | None:
        """Write the metric's score of one example, and return it."""
        value = number(outcome.score)
        trial = outcome.trial
        if trial is None:  # its program is not a module of DSPy
            inputs = _dspy_objects.example_inputs(outcome.example)
            name, details = f"example {outcome.index}", {"index": outcome.index, "inferred": True}
            trial = self._lines.trial("example", name, span.trial, inputs, details)
            self._lines.trial_end(trial, "done", outputs=outcome.prediction)
        attributes: dict[str, Any] = {"value": value, "by": "evaluate"}
        if value is None or not isinstance(outcome.score, int | float):
            attributes["given"] = outcome.score
        if outcome.is_failed_metric:
            attributes["error"] = "its metric failed, or was not called"
        attributes["labels"] = _dspy_objects.example_labels(outcome.example)
        self._lines.point("score", "metric", span.id, trial, attributes)
        return value


def _argument(inputs: dict[str, Any], instance: Any, key: str) -> Any:
    """Return an argument of the call, otherwise of the evaluation itself."""
    value = inputs.get(key)
    return getattr(instance, key, None) if value is None else value
