"""DSPy's callback that records: it hears when each call begins and ends."""

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, cast

from dspy_profiles import _dspy
from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._evaluations import CURRENT, Evaluation
from dspy_profiles.results.recording._lines import LineWriter
from dspy_profiles.results.recording._open_calls import OpenCalls, Paths, Span
from dspy_profiles.results.recording._optimizing import Evaluations
from dspy_profiles.results.recording._trials import Trials

__all__ = ["Recorder", "active_recorders"]

F = TypeVar("F", bound=Callable[..., None])


def safely(hook: F) -> F:
    """Count an exception of a hook as a fault, so that it never reaches the program."""

    # DSPy passes its three arguments by name, and the names differ between starts and ends.
    @wraps(hook)
    def begin(self: "Recorder", call_id: str, instance: Any, inputs: Any) -> None:
        if self.is_closed:
            return
        try:
            hook(self, call_id, instance, inputs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the program goes on
            self.faults.add(error)

    @wraps(hook)
    def end(
        self: "Recorder", call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        if self.is_closed:
            return
        if outputs is None and exception is None:
            exception = _passing()
        try:
            hook(self, call_id, outputs, exception)
        except Exception as error:  # noqa: BLE001
            self.faults.add(error)

    is_end = "outputs" in signature(hook).parameters
    return cast("F", end if is_end else begin)


def _passing() -> BaseException | None:
    """Return what ends a call but is no Exception: DSPy before 3.4 does not pass it on."""
    found = sys.exception()
    return None if isinstance(found, Exception) else found


class Recorder(_dspy_objects.BaseCallback):  # type: ignore[misc]
    """Records into one experiment, from any thread, task or fork.

    Composed of the line writer with its sinks, the trials, the open calls and the evaluations.
    """

    def __init__(self, lines: LineWriter) -> None:
        self.faults = lines.faults
        self.trials = Trials()
        self.is_closed = False
        self._lines = lines
        self._calls = OpenCalls(lines, self.trials)
        self._paths = Paths()
        self._evaluations = Evaluations(lines, self._calls)

    def decision(self, attributes: Mapping[str, Any], trial: str | None = None) -> None:
        """Record a decision under the name of its strategy or action."""
        name = attributes["strategy"] or attributes["action"] or "decision"
        self.point("decision", name, attributes, trial)

    def point(
        self, kind: str, name: object, attributes: Mapping[str, Any], trial: str | None = None
    ) -> None:
        """Record an event that takes no time: of a trial, otherwise of the call that is running."""
        if self.is_closed:
            return
        try:
            parent = None
            if trial is None and (around := self._calls.around()[0]) is not None:
                parent, trial = around.id or None, around.trial
            self._lines.point(kind, str(name), parent, trial, attributes)
        except Exception as error:  # noqa: BLE001 - whatever it is, the program goes on
            self.faults.add(error)

    @safely
    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        if _dspy_objects.is_lm(instance):  # for DSPy before 3.4, only its own class is one
            self.on_lm_start(call_id, instance, inputs)
            return
        arguments = _dspy_objects.call_inputs(inputs)
        around, _ = enclosing = self._calls.around()
        span = self._calls.new("module", enclosing)
        attributes: dict[str, Any] = {"inputs": arguments}
        opens = _trial_of(span, around, instance, arguments)
        if opens is not None or around is None or around.kind == "trial":
            span.paths = self._paths.of(instance)
        else:
            span.paths = around.paths
            if around.kind == "evaluate":
                attributes["trial_inferred"] = True  # DSPy does not report the metric's example
        path = Paths.path(span.paths, instance)
        if path is not None:
            attributes["path"] = path
        self._calls.begin(call_id, span, type(instance).__name__, attributes, opens)

    @safely
    def on_module_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        span = self._calls.take(call_id)
        if span is None:
            return
        if span.lm is not None:
            self._end_lm(span, outputs, exception)
            return
        if span.evaluation is not None and span.trial is not None:
            span.evaluation.end(span.trial, outputs, has_failed=exception is not None)
            span.evaluation = None
        self._calls.end(span, _result(outputs, exception), exception)

    @safely
    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        around, is_orphan = enclosing = self._calls.around()
        span = self._calls.new("lm", enclosing)
        span.lm = instance
        opens = span.open_trial("call") if around is None and not is_orphan else None
        request = {key: inputs.get(key) for key in ("prompt", "messages")}
        if not request.keys() & inputs.keys():  # a client with parameters of its own
            request = {"inputs": inputs}
        request = {key: value for key, value in request.items() if value is not None}
        request["arguments"] = _dspy_objects.lm_arguments(instance, inputs.get("kwargs"))
        name = str(getattr(instance, "model", type(instance).__name__))
        if opens is not None:  # the inputs of a trial have one name for all kinds of calls
            request = {"inputs": request, "arguments": request.pop("arguments")}
        self._calls.begin(call_id, span, name, request, opens)

    @safely
    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        span = self._calls.take(call_id)
        if span is not None:
            self._end_lm(span, outputs, exception)

    def _end_lm(self, span: Span, outputs: Any, exception: BaseException | None) -> None:
        lm, span.lm = span.lm, None
        if exception is not None:
            self._calls.end(span, {}, exception)
            return
        account = _account(_dspy_objects.history_entry(lm, outputs), lm)
        self._calls.end(span, {"outputs": outputs, **account}, None)

    @safely
    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        demos = inputs.get("demos")
        attributes = {
            "step": "format",
            "signature": _dspy_objects.written_signature(inputs.get("signature")),
            "demos": len(demos) if isinstance(demos, list) else 0,
        }
        self._calls.hold(call_id, "adapter", type(instance).__name__, attributes)

    @safely
    def on_adapter_format_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        # The messages themselves are recorded with the call of the model, which comes next.
        counts = {"messages": len(outputs)} if isinstance(outputs, list) else {}
        self._calls.end_held(call_id, counts, exception)

    @safely
    def on_adapter_parse_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        attributes = {
            "step": "parse",
            "signature": _dspy_objects.written_signature(inputs.get("signature")),
        }
        self._calls.hold(call_id, "adapter", type(instance).__name__, attributes)

    @safely
    def on_adapter_parse_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self._calls.end_held(call_id, _result(outputs, exception), exception)

    @safely
    def on_tool_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        arguments = _dspy_objects.call_inputs(inputs)
        self._begin_tool(call_id, str(getattr(instance, "name", "?")), arguments)

    @safely
    def on_tool_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        span = self._calls.take(call_id)
        if span is not None:
            self._calls.end(span, _result(outputs, exception), exception)

    on_interpreter_execute_end = on_tool_end
    on_interpreter_tool_call_end = on_tool_end

    @safely
    def on_interpreter_execute_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        self._begin_tool(call_id, f"{type(instance).__name__}.execute", inputs)

    @safely
    def on_interpreter_tool_call_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        self._begin_tool(call_id, f"{type(instance).__name__}.tool_call", inputs)

    @safely
    def on_evaluate_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._evaluations.begin(call_id, instance, inputs)

    @safely
    def on_evaluate_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self._evaluations.end(call_id, outputs, exception)

    @safely
    def on_compile_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._evaluations.begin_compile(call_id, instance, inputs)

    @safely
    def on_compile_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self._evaluations.end_compile(call_id, outputs, exception)

    def _begin_tool(self, call: str, name: str, arguments: Any) -> None:
        self._calls.begin(call, self._calls.new("tool"), name, {"inputs": arguments})


def active_recorders() -> list[Recorder]:
    """Return the recorders that hear of the calls of this thread or task."""
    callbacks = _dspy_objects.active_callbacks()
    return [callback for callback in callbacks if isinstance(callback, Recorder)]


def _result(outputs: Any, exception: BaseException | None) -> dict[str, Any]:
    return {} if exception is not None else {"outputs": outputs}


def _trial_of(
    span: Span, around: Span | None, instance: Any, arguments: Any
) -> dict[str, Any] | None:
    """Put a call into its trial; return the fields of the trial if it opens a new one."""
    if around is None or around.evaluation is None or around.kind != "evaluate":
        return span.open_trial("call") if span.trial is None else None
    evaluation = around.evaluation
    if instance is evaluation.program:
        return _example(span, around, evaluation, arguments)
    current = CURRENT.get()
    if current is not None and current[0] is evaluation:
        span.trial = current[1]
        return None
    return span.open_trial("call", around.trial)


def _example(span: Span, around: Span, evaluation: Evaluation, arguments: Any) -> dict[str, Any]:
    """Begin an example of an evaluation; return the fields of its trial."""
    opens = span.open_trial("example", around.trial)
    index = evaluation.begin(arguments, str(span.trial))
    span.evaluation = evaluation
    name = "example" if index is None else f"example {index}"
    return {**opens, "name": name, "details": {"index": index}}


def _account(entry: Mapping[str, Any], lm: Any) -> dict[str, Any]:
    """Return DSPy's data about a call: tokens, price, and whether its cache answered.

    For answers of its cache, DSPy reports no usage and the price of the original call; for answers
    of a cassette, also that price. Keys that are not known are absent.
    """
    usage, cost = entry.get("usage"), entry.get("cost")
    replayed = entry.get("replayed") is True or None
    if usage or replayed:
        cached: bool | None = False
    elif not entry:
        cached = None
    elif getattr(lm, "cache", None) is False or _dspy.shape().is_dummy(lm):
        cached = False
    else:
        cached = True if cost is not None else None
    if cached or replayed or _dspy.shape().is_offline(lm):
        cost = 0.0
    known = {key: value for key, value in (usage or {}).items() if value is not None}
    account = {"usage": known or None, "cost": cost, "cached": cached, "replayed": replayed}
    for key in ("response_model", "cost_details", "adaptations"):
        if entry.get(key):
            account[key] = entry[key]
    return {key: value for key, value in account.items() if value is not None}
