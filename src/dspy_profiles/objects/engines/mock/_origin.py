"""Where a request comes from: the adapter and the signature that it was written for.

An engine sees finished messages, not the signature behind them. DSPy hands neither down, so the
call stack is read: the adapter that waits for this very answer stands on it, awaiting coroutines
included. This needs, of DSPy:

- the parameters of `Adapter.__call__` and `acall` (`self`, `signature`, `inputs`), which every
  adapter of a user's has too. Without them every call is taken for one without an adapter;
- the local name `processed_signature` in `dspy.Adapter`, the signature without the fields that
  the LM's own features fill in. Without it, fields of type ToolCalls are left out where the
  request brings tools;
- `call` and `results` in `execute` and `aexecute` of `dspy.clients.execution`: whether a prompt
  was given as it is, its `rollout_id`, and how many of `n` answers there are already. Without
  them all answers to one prompt are the same;
- `kwargs` in `Predict.forward`: the inputs, where an adapter reuses its name for them.

`tests/objects/test_request_origin.py` says which of these a new DSPy has changed. A request
that is handed to another thread or task on its way is taken for one without an adapter.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import dspy

__all__ = ["RequestOrigin", "origin_of"]

EXECUTIONS = ("dspy.clients.execution", "dspy_profiles._dspy._legacy_lm")


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """Who asks, for which fields, and with which inputs; nobody in particular for `lm("hi")`."""

    adapter: Any = None  # a dspy.Adapter
    signature: Any = None  # the fields that the text of the answer must hold
    declared: Any = None  # the signature as its author wrote it
    inputs: dict[str, Any] = field(default_factory=dict)
    sample: str = ""  # tells the answers to one request apart; empty for the first
    extracting: bool = False  # the second step of a TwoStepAdapter: inputs hold an earlier answer


def origin_of(request: Any) -> RequestOrigin:
    """Read the stack below the caller, which must be the engine that got `request`."""
    sample = ""
    # The nearest adapter is the one that waits for us, and one around it has handed over to it.
    frames = _frames_of_interest(sys._getframe(1))  # noqa: SLF001
    for frame in frames:
        if _is_execution(frame):
            call = frame.f_locals.get("call")
            sample = _sample(frame)
            if getattr(call, "prompt", None) is not None:  # lm("text"), wherever it is called
                return RequestOrigin(sample=sample)
        elif _asks(frame):
            return _asked_by(frame, list(frames), request, sample)
    return RequestOrigin(sample=sample)


def _frames_of_interest(frame: FrameType | None) -> Iterator[FrameType]:
    # The names in the code are looked at first: the locals of other people's frames are not ours.
    while frame is not None:
        if frame.f_code.co_varnames[:1] == ("self",) or _is_execution(frame):
            yield frame
        frame = frame.f_back


def _asks(frame: FrameType) -> bool:
    names = frame.f_code.co_varnames
    return (
        "signature" in names
        and "inputs" in names
        and isinstance(frame.f_locals.get("self"), dspy.Adapter)
    )


def _is_execution(frame: FrameType) -> bool:
    return (
        frame.f_code.co_name in ("execute", "aexecute")
        and frame.f_globals.get("__name__") in EXECUTIONS
    )


def _sample(execution: FrameType) -> str:
    call = execution.f_locals.get("call")
    rollout = getattr(call, "legacy", {}).get("rollout_id")
    done = len(execution.f_locals.get("results") or ())
    return "" if rollout is None and not done else f"rollout {rollout}, answer {done}"


def _asked_by(
    frame: FrameType, around: list[FrameType], request: Any, sample: str
) -> RequestOrigin:
    signature: Any = frame.f_locals.get("signature")
    if not _is_signature(signature):
        return RequestOrigin(sample=sample)
    processed = frame.f_locals.get("processed_signature")
    if not _is_signature(processed):
        processed = _without_native_fields(signature, request)
    is_second_step = any(
        isinstance(outer.f_locals.get("self"), dspy.TwoStepAdapter) for outer in around
    )
    return RequestOrigin(
        adapter=frame.f_locals["self"],
        signature=processed,
        declared=signature,
        inputs=_inputs(frame, around, signature),
        sample=sample,
        extracting=is_second_step and list(signature.input_fields) == ["text"],
    )


def _is_signature(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, dspy.Signature)


def _without_native_fields(signature: Any, request: Any) -> Any:
    if not request.tools:
        return signature
    for name, info in signature.output_fields.items():
        if info.annotation is dspy.ToolCalls:
            signature = signature.delete(name)
    return signature


def _inputs(frame: FrameType, around: list[FrameType], signature: Any) -> dict[str, Any]:
    given = frame.f_locals.get("inputs")
    if not isinstance(given, Mapping):
        given = next((outer.f_locals["kwargs"] for outer in around if _is_predict(outer)), {})
    return {name: given[name] for name in signature.input_fields if name in given}


def _is_predict(frame: FrameType) -> bool:
    names = frame.f_code.co_varnames
    return "kwargs" in names and isinstance(frame.f_locals.get("self"), dspy.Predict)
