"""Evaluations and optimizers: their examples and candidates become trials, their scores events."""

from typing import Any

from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._callback_base import (
    RecorderBase,
    error_of,
    safely,
    span_in,
    status_of,
)
from dspy_profiles.results.recording._candidates import Candidates, portrait
from dspy_profiles.results.recording._evaluations import Evaluation, Outcome, number
from dspy_profiles.results.recording._open_calls import Span

__all__ = ["Optimizing"]


class Optimizing(RecorderBase):
    """The hooks of dspy.Evaluate and of the optimizers."""

    @safely
    def on_evaluate_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        span = span_in("evaluate", *self.spans.around())
        program, devset, metric = (_given(inputs, instance, k) for k in GIVEN)
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
        name = type(instance).__name__
        self.begin(call_id, span, name, attributes)

    @safely
    def on_evaluate_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        span = self.spans.end(call_id)
        if span is None:
            return
        evaluation, results = span.evaluation, getattr(outputs, "results", None)
        values: list[float] = []
        if evaluation is not None and isinstance(results, list):
            outcomes = list(evaluation.outcomes(results))
            values = [v for each in outcomes if (v := self._scored(span, each)) is not None]
        if evaluation is not None:
            evaluation.release()
        mean = sum(values) / len(values) if values else None
        said = {"score": number(getattr(outputs, "score", None)), "mean": mean}
        self.end(span, dict(said), exception)
        if span.is_candidate and span.trial is not None:
            error = error_of(exception)
            self.lines.trial_end(
                span.trial, status_of(exception), outputs=said, error=error, score=mean
            )

    @safely
    def on_compile_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        span = span_in("compile", *self.spans.around())
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
            attributes["student"] = span.candidates.add(student, self.lines.keep).hash
        self.begin(call_id, span, type(instance).__name__, attributes)

    @safely
    def on_compile_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        span = self.spans.end(call_id)
        if span is None:
            return
        said: dict[str, Any] = {}
        if hasattr(outputs, "named_predictors"):
            found = portrait(outputs, self.lines.keep)
            said = {"candidate": found.hash, "predictors": found.predictors}
        self.end(span, said, exception)

    def _candidate(self, span: Span, program: Any) -> str:
        """The hash of the program; within an optimizer's run it is a trial of its own."""
        if span.candidates is None:
            return portrait(program, self.lines.keep).hash
        tried = span.candidates.add(program, self.lines.keep)
        details: dict[str, Any] = {"candidate": tried.hash}
        if tried.parent is not None:
            details |= {"parent": tried.parent, "parent_inferred": True}
        name = f"candidate {tried.hash[:8]}"
        span.trial = self.lines.trial("candidate", name, span.trial, tried.predictors, details)
        span.is_candidate = True
        return tried.hash

    def _scored(self, span: Span, outcome: Outcome) -> float | None:
        """Write what the metric said of one example."""
        value = number(outcome.score)
        trial = outcome.trial
        if trial is None:  # its program is none of DSPy's modules
            inputs = _dspy_objects.example_inputs(outcome.example)
            name, details = f"example {outcome.index}", {"index": outcome.index, "inferred": True}
            trial = self.lines.trial("example", name, span.trial, inputs, details)
            self.lines.trial_end(trial, "done", outputs=outcome.prediction)
        attributes: dict[str, Any] = {"value": value, "by": "evaluate"}
        if value is None or not isinstance(outcome.score, int | float):
            attributes["given"] = outcome.score
        if outcome.is_failed_metric:
            attributes["error"] = "its metric failed, or was never asked"
        attributes["labels"] = _dspy_objects.example_labels(outcome.example)
        self.lines.point("score", "metric", span.id, trial, attributes)
        return value


GIVEN = ("program", "devset", "metric")


def _given(inputs: dict[str, Any], instance: Any, key: str) -> Any:
    """An argument of the call, or else of the evaluation itself."""
    value = inputs.get(key)
    return getattr(instance, key, None) if value is None else value
