"""The private names of DSPy that we use, and what happens if one is missing.

Importing this imports DSPy. Each function has a test that says what breaks without the name.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from itertools import islice
from types import ModuleType
from typing import Any, cast

import dspy  # the module below is there once DSPy is
from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback

from dspy_profiles.errors import ProfileError

__all__ = [
    "BaseCallback",
    "active_call",
    "base_config",
    "block_overrides",
    "cached_again",
    "doors",
    "history",
    "is_swallowing",
    "litellm",
    "mark",
    "note_emitted",
    "own_defaults",
    "owner",
    "set_owner",
    "unfit",
    "version",
]

RECENT = 500  # entries of the history: as many calls may end while one is looked up

# Returns the id of the enclosing call, as DSPy's callbacks get it.
active_call: Callable[[], str | None] = ACTIVE_CALL_ID.get

# `dspy.dsp.utils.settings` as an attribute is the settings object; this is the module.
_module = sys.modules.get("dspy.dsp.utils.settings")


def version() -> str:
    return str(dspy.__version__)


def unfit(why: str) -> ProfileError:
    """Return the error for a missing name that we cannot work without."""
    message = f"DSPy {getattr(dspy, '__version__', '')} {why}"
    return ProfileError(message, hint="install dspy>=3.0,<4")


def block_overrides() -> ContextVar[Any] | None:
    """Return the variable behind `dspy.context`, for overrides of a few keys.

    Without it, blocks use `dspy.context` itself. That copies every setting, so that a
    `dspy.configure` inside the block takes effect only after it.
    """
    variable = getattr(_module, "thread_local_overrides", None)
    return variable if isinstance(variable, ContextVar) else None


def base_config() -> dict[str, Any] | None:
    """Return the table that `dspy.configure` writes to. Without it, no session can be pinned."""
    config = getattr(_module, "main_thread_config", None)
    return config if isinstance(config, dict) else None


def own_defaults() -> Mapping[str, Any]:
    """Return DSPy's own defaults of its settings.

    Without them, every key counts as configured, and the default profile sets none.
    """
    defaults = getattr(_module, "DEFAULT_CONFIG", None)
    return cast("Mapping[str, Any]", defaults) if isinstance(defaults, dict) else {}


def doors(module: str, *names: str) -> ModuleType | None:
    """Return a module of DSPy that calls models, or None if it does not have these functions.

    Without them, its calls cannot be intercepted.
    """
    try:
        loaded = importlib.import_module(module)
    except ImportError:  # the module is gone, or needs an extra that is not installed
        return None
    return loaded if all(callable(getattr(loaded, name, None)) for name in names) else None


def cached_again(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function behind DSPy's cache, as DSPy itself wraps it. Without that: uncached."""
    try:
        from dspy.clients.cache import request_cache
    except ImportError:
        return inner
    return cast("Callable[..., Any]", request_cache()(inner))


# Modules that run programs and tools, and turn an Exception into a failed example, None or a text.
_SWALLOWERS = ("dspy.utils.parallelizer", "dspy.evaluate.", "dspy.predict.", "dspy.teleprompt.")


def is_swallowing() -> bool:
    """Return whether such a module runs the current code. Without these names: False."""
    frame = sys._getframe(1)  # noqa: SLF001 - frames alone show the callers
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__", "").startswith(_SWALLOWERS):
            return True
    return False


def litellm(feature: str) -> Any:
    """Return LiteLLM with DSPy's settings. `feature` is what needs it, for the error."""
    try:
        from dspy.clients._litellm import get_litellm
    except ImportError:  # a DSPy that has imported it
        return importlib.import_module("litellm")
    return get_litellm(feature=feature)


def history() -> list[Any]:
    """Return the entries that `dspy.inspect_history` shows. Without them: an empty list."""
    entries = getattr(sys.modules.get("dspy.clients.base_lm"), "GLOBAL_HISTORY", None)
    return entries if isinstance(entries, list) else []


def mark(outputs: object, **fields: object) -> None:
    """Add fields to the history entry of the call with these outputs, which are the same object.

    Without a history, or if DSPy is configured to keep none, it does nothing.
    """
    for entry in islice(reversed(history()), RECENT):  # nearly always it is the last one
        if isinstance(entry, dict) and entry.get("outputs") is outputs:
            entry.update(fields)
            return


def note_emitted() -> None:
    """Note that a chunk is sent to the reader. Without it, DSPy may retry after sent chunks."""
    try:
        from dspy.clients.call_context import stream_emitted
    except ImportError:
        return
    stream_emitted()


_OWNER = ("config_owner_thread_id", "config_owner_async_task")


def owner() -> tuple[Any, ...]:
    """Return the thread and the task that alone may call `dspy.configure`: the first that did."""
    return tuple(getattr(_module, name, None) for name in _OWNER)


def set_owner(owner: tuple[Any, ...]) -> None:
    """Set the owner. Without these names, the first task that configured remains the only one."""
    for name, value in zip(_OWNER, owner, strict=True):
        if hasattr(_module, name):
            setattr(_module, name, value)
