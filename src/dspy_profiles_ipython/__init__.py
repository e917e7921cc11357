"""The IPython extension of dspy-profiles: `%load_ext dspy_profiles_ipython`.

Standard library only, until something is asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(ipython: "InteractiveShell") -> None:
    """Bring the magics, and apply the profile that `DSPY_PROFILE` names, if it names one."""
    from dspy_profiles_ipython._extension import load

    load(ipython)


def unload_ipython_extension(ipython: "InteractiveShell") -> None:
    """Leave nothing behind: no magic, no hook, no setting. A second time does nothing."""
    from dspy_profiles_ipython._extension import unload

    unload(ipython)
