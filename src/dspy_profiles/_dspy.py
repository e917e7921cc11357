"""Every private name of DSPy that we lean on, and what happens when one goes away.

Importing this imports DSPy. Each function has a test that names what breaks without it.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from itertools import islice
from types import ModuleType
from typing import Any, cast

import dspy  # noqa: F401 - the module below is there once DSPy is

from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import CLIENT_KEYS

__all__ = [
    "base_config",
    "block_overrides",
    "cached_again",
    "client_keys",
    "doors",
    "history",
    "is_dummy",
    "is_offline",
    "is_swallowing",
    "mark",
    "note_emitted",
    "own_defaults",
    "owner",
    "set_owner",
    "unfit",
    "usage_of",
]

RECENT = 500  # entries of a history: so many calls may end while one is looked up

# `dspy.dsp.utils.settings` as an attribute is the settings object; the module is only here.
_module = sys.modules.get("dspy.dsp.utils.settings")


def unfit(why: str) -> ProfileError:
    """What to raise where something here is gone that cannot be done without."""
    return ProfileError(f"this version of DSPy {why}", hint="install dspy>=3.4,<4")


def block_overrides() -> ContextVar[Any] | None:
    """The variable behind `dspy.context`, for overrides of a few keys.

    None: DSPy keeps it elsewhere now. Blocks then go through `dspy.context` itself, which copies
    every setting, so that a `dspy.configure` inside the block is not seen before it ends.
    """
    found = getattr(_module, "thread_local_overrides", None)
    return found if isinstance(found, ContextVar) else None


def base_config() -> dict[str, Any] | None:
    """What `dspy.configure` writes to. None: a session cannot be pinned, and says so."""
    found = getattr(_module, "main_thread_config", None)
    return found if isinstance(found, dict) else None


def own_defaults() -> Mapping[str, Any]:
    """DSPy's settings before anybody touched them.

    Without it every key counts as touched, and the default profile fills none.
    """
    found = getattr(_module, "DEFAULT_CONFIG", None)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def client_keys() -> frozenset[str]:
    """Arguments of `dspy.LM` that configure a connection, which a custom engine refuses.

    Without DSPy's own list, the one it had in 3.4.
    """
    try:
        from dspy.clients.backend_selection import CLIENT_KEYS as DSPY_KEYS
    except ImportError:
        return CLIENT_KEYS
    return frozenset(DSPY_KEYS)


def doors(module: str, *names: str) -> ModuleType | None:
    """A module of DSPy through which its calls to models go, if it still has these functions.

    None: they go another way now, and nothing can be put in it.
    """
    try:
        found = importlib.import_module(module)
    except ImportError:  # an extra of DSPy that is not installed, or a module that has gone
        return None
    return found if all(callable(getattr(found, name, None)) for name in names) else None


def cached_again(inner: Callable[..., Any]) -> Callable[..., Any]:
    """A function behind DSPy's cache, as DSPy itself puts one there. Without that: uncached."""
    try:
        from dspy.clients.cache import request_cache
    except ImportError:
        return inner
    return cast("Callable[..., Any]", request_cache()(inner))


def is_dummy(engine: object) -> bool:
    """Return whether this is the engine of `dspy.utils.DummyLM`. Without its name: no engine is."""
    # No import: an engine of a module that is not loaded cannot be there.
    module = sys.modules.get("dspy.clients.engines.dummy_engine")
    kinds = (getattr(module, "DummyEngine", ()), getattr(module, "AsyncDummyEngine", ()))
    return isinstance(engine, kinds)


def is_offline(lm: object, engine: object = None) -> bool:
    """Return whether an LM, or an engine alone, makes no live calls.

    `engine` is the one that serves a call of the LM; without it, the LM's own. Any of them may
    have `offline = True`, also the engine behind an asynchronous one. DSPy's dummies need not.
    """
    if engine is None:
        engine = getattr(lm, "_engine_spec", None)
    for part in (lm, engine, getattr(engine, "engine", None)):
        if getattr(part, "offline", False) is True or is_dummy(part):
            return True
    return False


# Modules that run programs and tools, and make a failed example, a None or a text of an Exception.
_SWALLOWERS = ("dspy.utils.parallelizer", "dspy.evaluate.", "dspy.predict.", "dspy.teleprompt.")


def is_swallowing() -> bool:
    """Whether such a module runs what runs here. Without these names: none does."""
    frame = sys._getframe(1)  # noqa: SLF001 - who has called us stands nowhere else
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__", "").startswith(_SWALLOWERS):
            return True
    return False


def usage_of(response: Any, provider: str | None) -> Mapping[str, Any]:
    """The tokens of a response as DSPy counts them. Without its own counting: as they came."""
    try:
        from dspy.clients.call_result import usage_dict
    except ImportError:
        return {"total_tokens": response.usage.total_tokens}
    return cast("Mapping[str, Any]", usage_dict(response, provider))


def history() -> list[Any]:
    """The entries that `dspy.inspect_history` shows. Without them, a list that is nobody's."""
    found = getattr(sys.modules.get("dspy.clients.base_lm"), "GLOBAL_HISTORY", None)
    return found if isinstance(found, list) else []


def mark(outputs: object, **said: object) -> None:
    """Say more in the entry of the call that gave these outputs: they are the same object there.

    Without it, or where DSPy is told to keep no history, nothing is said.
    """
    for entry in islice(reversed(history()), RECENT):  # nearly always it is the last one
        if isinstance(entry, dict) and entry.get("outputs") is outputs:
            entry.update(said)
            return


def note_emitted() -> None:
    """A chunk goes to who reads the stream. Without it DSPy may try again what has been seen."""
    try:
        from dspy.clients.call_context import stream_emitted
    except ImportError:
        return
    stream_emitted()


_OWNER = ("config_owner_thread_id", "config_owner_async_task")


def owner() -> tuple[Any, ...]:
    """The thread and the task that alone may call `dspy.configure`: those that did it first."""
    return tuple(getattr(_module, name, None) for name in _OWNER)


def set_owner(owner: tuple[Any, ...]) -> None:
    """Without the names behind it, a task that has configured stays the only one that may."""
    for name, value in zip(_OWNER, owner, strict=True):
        if hasattr(_module, name):
            setattr(_module, name, value)
