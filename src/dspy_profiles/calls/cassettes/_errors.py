"""Errors of models as data, and back: replayed with their class and message."""

import importlib
from collections.abc import Mapping
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles._dspy import REPLAYED
from dspy_profiles.secrets import Names

__all__ = ["error_dict", "error_from"]

# Packages whose errors are replayed. A file names the classes, so this list is short.
KNOWN = frozenset({"builtins", "dspy", "httpx", "litellm", "lm15", "openai", "requests"})
OF_LM15 = "dspy.lm15"  # also of a DSPy that has no module of this name
# Attributes that differ each time, or are not part of the message.
LEFT_OUT = frozenset({"body", "headers", "partial", "rate_limit_headers", "request_id"})
SIMPLE = (str, int, float, bool, type(None))
NAMES = Names()


def error_dict(error: Exception) -> dict[str, Any] | None:
    """Return the error as data, or None if it cannot be created again from data."""
    name = _name(type(error))
    if name is None:
        return None
    attributes = {key: value for key, value in vars(error).items() if _is_kept(key, value)}
    arguments = [each if isinstance(each, SIMPLE) else str(each) for each in error.args]
    return {"class": name, "args": arguments, "attributes": attributes}


def error_from(data: Mapping[str, Any], *, replayed: bool) -> Exception:
    """Return the recorded error. Raises if the file describes one that cannot exist."""
    error_class = _class(data["class"])
    arguments, attributes = data["args"], data["attributes"]
    error = error_class.__new__(error_class, *arguments)
    error.args = tuple(arguments)
    vars(error).update(_dspy.shape().error_defaults(error_class))
    as_tuple = _dspy.shape().is_of_lm15(error_class)  # those of DSPy have lists
    for key, value in attributes.items():
        if _is_kept(key, value):
            vars(error)[key] = tuple(value) if as_tuple and isinstance(value, list) else value
    if replayed:
        setattr(error, REPLAYED, True)
    return error


def _name(error_class: type[Exception]) -> str | None:
    name = error_class.__qualname__
    if error_class.__module__.partition(".")[0] not in KNOWN or "." in name:
        return None
    if getattr(_dspy.shape().lm15, name, None) is error_class:
        return f"{OF_LM15}:{name}"
    for public in _dspy.shape().errors if error_class.__module__ != "builtins" else ():
        if getattr(importlib.import_module(public), name, None) is error_class:
            return f"{public}:{name}"
    return f"{error_class.__module__}:{name}"


def _class(name: str) -> type[Exception]:
    module, _, attribute = name.partition(":")
    if module.partition(".")[0] not in KNOWN:
        raise ValueError(f"{name} is not an error that can be replayed")
    holder = _dspy.shape().lm15 if module == OF_LM15 else importlib.import_module(module)
    error_class = getattr(holder, attribute, None)
    if not (isinstance(error_class, type) and issubclass(error_class, Exception)):
        raise TypeError(f"{name} is not an error")
    return error_class


def _is_kept(key: str, value: object) -> bool:
    if key.startswith("_") or key in LEFT_OUT or key == REPLAYED or NAMES.is_secret(key):
        return False
    if isinstance(value, list | tuple):
        return all(isinstance(each, SIMPLE) for each in value)
    return isinstance(value, SIMPLE)
