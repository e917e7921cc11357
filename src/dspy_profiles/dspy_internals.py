"""Every private name of DSPy that we lean on, and what happens when one goes away.

Importing this imports DSPy. Each function has a test that names what breaks without it.
"""

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, cast

import dspy  # noqa: F401 - the module below is there once DSPy is

from dspy_profiles import sections

__all__ = ["base_config", "block_overrides", "client_keys", "own_defaults"]

# `dspy.dsp.utils.settings` as an attribute is the settings object; the module is only here.
_module = sys.modules.get("dspy.dsp.utils.settings")


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
        from dspy.clients.backend_selection import CLIENT_KEYS
    except ImportError:
        return sections.CLIENT_KEYS
    return frozenset(CLIENT_KEYS)
