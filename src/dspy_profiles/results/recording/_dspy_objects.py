"""What the recorder has to know of DSPy's objects. Private names of DSPy stand only here."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import dspy
from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback

from dspy_profiles import _dspy
from dspy_profiles.secrets import Names

__all__ = [
    "BaseCallback",
    "active_call",
    "call_inputs",
    "example_inputs",
    "example_labels",
    "history_entry",
    "lm_arguments",
    "named_modules",
    "predictors",
    "version",
    "written_signature",
]

# The call that encloses this one, as DSPy's own callbacks know it.
active_call: Callable[[], str | None] = ACTIVE_CALL_ID.get
RECENT = 256  # calls that may end between this one's entry and the event that tells of its end


def version() -> str:
    return str(dspy.__version__)


def call_inputs(inputs: Mapping[str, Any]) -> Any:
    """What a module or a tool was called with: by name, and the rest as a list under "args"."""
    named = inputs.get("kwargs")
    if not isinstance(named, dict):
        return inputs
    rest = {key: value for key, value in inputs.items() if key != "kwargs" and value != ()}
    return {**rest, **named} if rest else named


def history_entry(lm: Any, outputs: Any) -> Mapping[str, Any]:
    """DSPy's own entry about one call, told by its outputs: they are the same object."""
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


def lm_arguments(lm: Any, given: Any) -> dict[str, Any]:
    """What the model is asked with, but for what only concerns the connection to it."""
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
    """As people write it: `question -> answer`."""
    try:
        written = _signatures.get(signature)
        if written is None:
            written = _signatures[signature] = str(signature.signature)
    except (AttributeError, TypeError):  # none of DSPy's
        return None
    return written


_signatures: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def named_modules(program: Any) -> Iterator[tuple[str, Any]]:
    """The modules in a program by their paths, as `generate.predict`; its own is empty."""
    for name, module in program.named_sub_modules():
        yield name.removeprefix("self").removeprefix("."), module


def predictors(program: Any) -> Iterator[tuple[str, str, list[Any]]]:
    """Name, instructions and demos of each predictor: what an optimizer changes."""
    for name, predictor in program.named_predictors():
        signature = getattr(predictor, "signature", None)
        yield name, str(getattr(signature, "instructions", "")), list(predictor.demos)


def example_inputs(example: Any) -> Mapping[str, Any]:
    """What an evaluation calls its program with for this example."""
    return dict(**example.inputs())


def example_labels(example: Any) -> Mapping[str, Any]:
    """What the example says beside its inputs."""
    return dict(**example.labels())


CONNECTION = _dspy.client_keys() | {"headers", "extra_headers"}
