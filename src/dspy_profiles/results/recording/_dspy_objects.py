"""What the recorder reads from DSPy's objects. It uses private names of DSPy only here."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import dspy

from dspy_profiles import _dspy
from dspy_profiles._dspy import BaseCallback, active_call
from dspy_profiles.secrets import Names

__all__ = [
    "BaseCallback",
    "active_call",
    "active_callbacks",
    "call_inputs",
    "example_inputs",
    "example_labels",
    "history_entry",
    "is_lm",
    "lm_arguments",
    "named_modules",
    "predictors",
    "written_signature",
]

RECENT = 256  # calls that may end between the entry of a call in the history and its callback


def active_callbacks() -> Sequence[Any]:
    """Return the callbacks that DSPy calls in this thread or task."""
    overrides, config = _dspy.block_overrides(), _dspy.base_config() or {}
    active = {} if overrides is None else overrides.get()
    return active.get("callbacks", config.get("callbacks")) or ()


def call_inputs(inputs: Mapping[str, Any]) -> Any:
    """Return the arguments of a module or tool by name; positional ones as a list, "args"."""
    named = inputs.get("kwargs")
    if not isinstance(named, dict):
        return inputs
    rest = {key: value for key, value in inputs.items() if key != "kwargs" and value != ()}
    return {**rest, **named} if rest else named


def history_entry(lm: Any, outputs: Any) -> Mapping[str, Any]:
    """Return DSPy's history entry of a call. Its outputs are the same object."""
    history = getattr(lm, "history", None)
    if not isinstance(history, list):
        return {}
    for count in (1, RECENT):  # nearly always it is the last one
        for entry in reversed(history[-count:]):
            if isinstance(entry, dict) and (
                entry.get("outputs") is outputs or entry.get("response") is outputs
            ):
                return entry
    return {}


def is_lm(instance: Any) -> bool:
    return isinstance(instance, dspy.BaseLM)


def lm_arguments(lm: Any, given: Any) -> dict[str, Any]:
    """Return the arguments of a request, without those of the connection."""
    own = getattr(lm, "kwargs", None)
    asked = {**(own if isinstance(own, dict) else {}), **(given if isinstance(given, dict) else {})}
    return {
        key: value
        for key, value in asked.items()
        if value is not None and not _is_of_connection(key)
    }


@cache
def _is_of_connection(key: str) -> bool:
    return key in CONNECTION or key.startswith("api_") or Names().is_secret(key)


def written_signature(signature: Any) -> str | None:
    """Return a signature as people write it: `question -> answer`."""
    try:
        written = _signatures.get(signature)
        if written is None:
            written = _signatures[signature] = str(signature.signature)
    except (AttributeError, TypeError):  # not a signature of DSPy
        return None
    return written


_signatures: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def named_modules(program: Any) -> Iterator[tuple[str, Any]]:
    """Yield the modules of a program with their paths, such as `generate.predict`."""
    for name, module in program.named_sub_modules():
        yield name.removeprefix("self").removeprefix("."), module


def predictors(program: Any) -> Iterator[tuple[str, str, list[Any]]]:
    """Yield name, instructions and demos of each predictor: an optimizer changes these."""
    for name, predictor in program.named_predictors():
        signature = getattr(predictor, "signature", None)
        yield name, str(getattr(signature, "instructions", "")), list(predictor.demos)


def example_inputs(example: Any) -> Mapping[str, Any]:
    """Return the arguments with which an evaluation calls its program for this example."""
    return dict(**example.inputs())


def example_labels(example: Any) -> Mapping[str, Any]:
    """Return the fields of an example that are not inputs."""
    return dict(**example.labels())


CONNECTION = _dspy.shape().client_keys() | {"headers", "extra_headers"}
