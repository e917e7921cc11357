"""Load the extension into a shell, and unload it."""

import sys
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets import Bool, Unicode
from traitlets.config import Configurable

from dspy_profiles_ipython._cell import CellBlocks
from dspy_profiles_ipython._completion import Completion
from dspy_profiles_ipython._magics import DspyProfileMagics
from dspy_profiles_ipython._record_magics import DspyRecordMagics
from dspy_profiles_ipython._state import State

__all__ = ["DspyProfiles", "load", "unload"]


class DspyProfiles(Configurable):
    """How the extension starts: `c.DspyProfiles.default = "dev"` in ipython_config.py."""

    default = Unicode("", help="Profile at load. Default: the setting default.").tag(config=True)
    auto = Bool(default_value=False, help="Apply the default profile at load.").tag(config=True)


class Loaded:
    """The extension in one shell, which can remove itself."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.state = State()
        self.magics = DspyProfileMagics(shell, self.state)
        self.records = DspyRecordMagics(shell)
        self.blocks = CellBlocks(shell)
        self.completion = Completion(shell)

    def enter(self) -> None:
        self.shell.register_magics(self.magics, self.records)
        self.blocks.enter()
        self.completion.enter()

    def leave(self) -> None:
        self.completion.leave()
        self.blocks.leave()
        manager = self.shell.magics_manager
        configurables: Any = self.shell.configurables
        for magics in (self.magics, self.records):
            for table in manager.magics.values():
                for name, magic in list(table.items()):
                    if getattr(magic, "__self__", None) is magics:
                        del table[name]
            manager.registry.pop(type(magics).__name__, None)
            if magics in configurables:
                configurables.remove(magics)
        applied = self.state.profile
        self.state.leave()
        if applied is not None:
            from dspy_profiles.display import visible

            sys.stdout.write(visible(f"dspy: profile {applied.name} is off\n"))


_loaded: dict[int, Loaded] = {}


def load(shell: InteractiveShell) -> None:
    """Load the extension. Safe to call twice."""
    if id(shell) in _loaded:
        return
    loaded = _loaded[id(shell)] = Loaded(shell)
    loaded.enter()
    config = DspyProfiles(parent=shell)
    loaded.magics.start(default=config.default, auto=config.auto)


def unload(shell: InteractiveShell) -> None:
    loaded = _loaded.pop(id(shell), None)
    if loaded is not None:
        loaded.leave()
