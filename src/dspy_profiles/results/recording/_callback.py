"""Hears of every call from DSPy, and writes when it begins and when it ends."""

from collections.abc import Mapping
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles.results.recording import _dspy_objects
from dspy_profiles.results.recording._callback_base import opened, safely, span_in
from dspy_profiles.results.recording._evaluate_hooks import Optimizing
from dspy_profiles.results.recording._evaluations import CURRENT
from dspy_profiles.results.recording._open_calls import Paths, Span

__all__ = ["Recorder"]


class Recorder(Optimizing):
    """One experiment's. May be called from any thread or task, and goes on in a fork."""

    @safely
    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        asked = _dspy_objects.call_inputs(inputs)
        around, is_orphan = self.spans.around()
        span = span_in("module", around, is_orphan)
        attributes: dict[str, Any] = {"inputs": asked}
        opens = self._trial(span, around, instance, asked)
        if opens is not None or around is None or around.kind == "test":
            span.paths = self.paths.of(instance)
        else:
            span.paths = around.paths
            if around.kind == "evaluate":
                attributes["trial_inferred"] = True  # DSPy says what a metric calls, not for which
        path = Paths.path(span.paths, instance)
        if path is not None:
            attributes["path"] = path
        self.begin(call_id, span, type(instance).__name__, attributes, opens)

    @safely
    def on_module_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        span = self.spans.end(call_id)
        if span is None:
            return
        if span.evaluation is not None and span.trial is not None:
            span.evaluation.end(span.trial, outputs, has_failed=exception is not None)
            span.evaluation = None
        said = {} if exception is not None else {"outputs": outputs}
        self.end(span, said, exception)

    @safely
    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        around, is_orphan = self.spans.around()
        span = span_in("lm", around, is_orphan)
        span.lm = instance
        opens = opened(span, "call") if around is None and not is_orphan else None
        asked = {key: inputs.get(key) for key in ("prompt", "messages")}
        if not asked.keys() & inputs.keys():  # a client with questions of its own
            asked = {"inputs": inputs}
        asked = {key: value for key, value in asked.items() if value is not None}
        asked["arguments"] = _dspy_objects.lm_arguments(instance, inputs.get("kwargs"))
        name = str(getattr(instance, "model", type(instance).__name__))
        if opens is not None:  # what a trial takes and gives stands under one name everywhere
            asked = {"inputs": asked, "arguments": asked.pop("arguments")}
        self.begin(call_id, span, name, asked, opens)

    @safely
    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        span = self.spans.end(call_id)
        if span is None:
            return
        lm, span.lm = span.lm, None
        if exception is not None:
            self.end(span, {}, exception)
            return
        said = _account(_dspy_objects.history_entry(lm, outputs), lm)
        self.end(span, {"outputs": outputs, **said}, None)

    @safely
    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        demos = inputs.get("demos")
        attributes = {
            "step": "format",
            "signature": _dspy_objects.written_signature(inputs.get("signature")),
            "demos": len(demos) if isinstance(demos, list) else 0,
        }
        self.hold(call_id, "adapter", type(instance).__name__, attributes)

    @safely
    def on_adapter_format_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        # What it made is what the model is asked with: the messages of the next event.
        made = {"messages": len(outputs)} if isinstance(outputs, list) else {}
        self.end_held(call_id, made, exception)

    @safely
    def on_adapter_parse_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        attributes = {
            "step": "parse",
            "signature": _dspy_objects.written_signature(inputs.get("signature")),
        }
        self.hold(call_id, "adapter", type(instance).__name__, attributes)

    @safely
    def on_adapter_parse_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self.end_held(call_id, {} if exception is not None else {"outputs": outputs}, exception)

    @safely
    def on_tool_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        asked = {"inputs": _dspy_objects.call_inputs(inputs)}
        self.begin_plain(call_id, "tool", str(getattr(instance, "name", "?")), asked)

    @safely
    def on_tool_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        said = {} if exception is not None else {"outputs": outputs}
        self.end_plain(call_id, said, exception)

    on_interpreter_execute_end = on_tool_end
    on_interpreter_tool_call_end = on_tool_end

    @safely
    def on_interpreter_execute_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        name = f"{type(instance).__name__}.execute"
        self.begin_plain(call_id, "tool", name, {"inputs": inputs})

    @safely
    def on_interpreter_tool_call_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        name = f"{type(instance).__name__}.tool_call"
        self.begin_plain(call_id, "tool", name, {"inputs": inputs})

    def _trial(
        self, span: Span, around: Span | None, instance: Any, asked: Any
    ) -> dict[str, Any] | None:
        """Put the call into its trial; what is said of the trial if it is the one that opens it."""
        if around is None or around.evaluation is None or around.kind != "evaluate":
            return opened(span, "call") if span.trial is None else None
        evaluation = around.evaluation
        if instance is evaluation.program:
            opens = opened(span, "example", around.trial)
            index = evaluation.begin(asked, str(span.trial))
            opens["name"] = "example" if index is None else f"example {index}"
            opens["details"] = {"index": index}
            span.evaluation = evaluation
            return opens
        current = CURRENT.get()
        if current is not None and current[0] is evaluation:
            span.trial = current[1]
            return None
        return opened(span, "call", around.trial)


def _account(entry: Mapping[str, Any], lm: Any) -> dict[str, Any]:
    """What DSPy says of a call: its tokens, its price, and whether it was made at all.

    DSPy gives what its cache answers no usage, and the price that was paid long ago, as that of
    what a cassette answers. What is not known is left out.
    """
    usage, cost = entry.get("usage"), entry.get("cost")
    replayed = entry.get("replayed") is True or None
    if usage or replayed:
        cached: bool | None = False
    elif not entry:
        cached = None
    elif getattr(lm, "cache", None) is False:
        cached = False
    else:
        cached = True if cost is not None else None
    if cached or replayed or _dspy.is_offline(lm):
        cost = 0.0
    known = {key: value for key, value in (usage or {}).items() if value is not None}
    said = {"usage": known or None, "cost": cost, "cached": cached, "replayed": replayed}
    for key in ("response_model", "cost_details", "adaptations"):
        if entry.get(key):
            said[key] = entry[key]
    return {key: value for key, value in said.items() if value is not None}
