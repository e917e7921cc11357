"""What loading brings into a shell, and what unloading takes out again."""

import os
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets import Bool, Unicode
from traitlets.config import Configurable

from dspy_profiles_ipython.cell import CellBlocks
from dspy_profiles_ipython.completion import Completion
from dspy_profiles_ipython.magics import Magics
from dspy_profiles_ipython.state import State

__all__ = ["DspyProfiles", "load", "unload"]

NAME = "dspy_profile"


class DspyProfiles(Configurable):
    """How the extension starts: `c.DspyProfiles.default = "dev"` in ipython_config.py."""

    default = Unicode("", help="The profile to start with, in place of the setting default.").tag(
        config=True
    )
    auto = Bool(default_value=False, help="Apply the default profile at load.").tag(config=True)


class Loaded:
    """One loaded extension, and the way back."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.state = State()
        self.magics = Magics(shell, self.state)
        self.blocks = CellBlocks(shell)
        self.completion = Completion(shell)

    def enter(self) -> None:
        self.shell.register_magics(self.magics)
        self.blocks.enter()
        self.completion.enter()

    def leave(self) -> None:
        self.completion.leave()
        self.blocks.leave()
        for kind in ("line", "cell"):
            table = self.shell.magics_manager.magics[kind]
            if getattr(table.get(NAME), "__self__", None) is self.magics:
                del table[NAME]
        self.shell.magics_manager.registry.pop(type(self.magics).__name__, None)
        configurables: Any = self.shell.configurables
        if self.magics in configurables:
            configurables.remove(self.magics)
        self.state.leave()


_loaded: dict[int, Loaded] = {}


def load(shell: InteractiveShell) -> None:
    """Bring everything in; where it is in already, only what is configured is looked at again."""
    if id(shell) in _loaded:
        unload(shell)
    made = _loaded[id(shell)] = Loaded(shell)
    made.enter()
    config = DspyProfiles(parent=shell)
    made.magics.start(
        named=os.environ.get("DSPY_PROFILE"), default=config.default, auto=config.auto
    )


def unload(shell: InteractiveShell) -> None:
    made = _loaded.pop(id(shell), None)
    if made is not None:
        made.leave()
