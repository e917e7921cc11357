"""The IPython extension of dspy-profiles: `%load_ext dspy_profiles_ipython`.

Imports only the standard library.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(ipython: "InteractiveShell") -> None:
    """Register the magics, and apply the profile in `DSPY_PROFILE`, if it is set."""
    from dspy_profiles_ipython._extension import load

    load(ipython)


def unload_ipython_extension(ipython: "InteractiveShell") -> None:
    """Remove all magics, hooks and settings of the extension. Safe to call twice."""
    from dspy_profiles_ipython._extension import unload

    unload(ipython)
