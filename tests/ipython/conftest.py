"""One IPython session in this process, with a clean DSPy; and what it says."""

import atexit
import contextlib
import gc
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("IPython", reason="IPython is not installed")

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
EXTENSION = "dspy_profiles_ipython"
CANARY = "sk-canary-4711-never-shown"

PROFILES = """
[base.lm]
model = "openai/base"
temperature = 0.5

[base.provider]
class = "mock"

[dev]
extends = "base"
description = "for <b>work</b>"

[dev.lm]
model = "openai/dev"
api_key = "${DEV_KEY:-none}"

[prod]
extends = "base"
lm.model = "openai/prod"

[prod.settings]
num_threads = 7

[keyless.lm]
model = "openai/keyless"
api_key = "${NOT_THERE}"

["two words".provider]
class = "mock"
"""


@dataclass(frozen=True)
class Said:
    """What came of one cell."""

    out: str
    err: str
    value: Any
    error: BaseException | None
    shown: list[dict[str, str]] = field(default_factory=list)  # rich displays, by mimetype

    @property
    def text(self) -> str:
        return self.out + self.err + "".join(each["text/plain"] for each in self.shown)

    @property
    def kind(self) -> str | None:
        return None if self.error is None else type(self.error).__name__


class Shell:
    """An IPython shell, cell by cell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.ip = shell

    def __call__(self, cell: str, *, store_history: bool = True) -> Said:
        out, err = io.StringIO(), io.StringIO()
        publisher = self.ip.display_pub = CapturingDisplayPublisher()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            done = self.ip.run_cell(cell, store_history=store_history)
        error = done.error_before_exec or done.error_in_exec
        shown = [each["data"] for each in publisher.outputs]
        said, complained = (COLOUR.sub("", each.getvalue()) for each in (out, err))
        return Said(said, complained, done.result, error, shown)

    def lm(self) -> str | None:
        """The model that is configured, for everything."""
        import dspy

        return getattr(dspy.settings.lm, "model", None)

    def load(self) -> Said:
        return self(f"%load_ext {EXTENSION}")

    def unload(self) -> Said:
        return self(f"%unload_ext {EXTENSION}")


@pytest.fixture
def new_shell(clean_dspy: None) -> Iterator[Callable[..., Shell]]:
    """Makes the one shell of this process, with this configuration."""
    main, path = sys.modules["__main__"], list(sys.path)
    InteractiveShell.clear_instance()
    gc.freeze()  # each shell collects garbage at its end: what is here already is none

    def made(**config: Any) -> Shell:
        settings = Config({"HistoryManager": {"enabled": False}, **config})
        return Shell(InteractiveShell.instance(config=settings))

    yield made
    if InteractiveShell.initialized():
        shell = InteractiveShell.instance()
        extensions = shell.extension_manager
        assert extensions is not None
        with contextlib.redirect_stdout(io.StringIO()):
            if EXTENSION in extensions.loaded:
                extensions.unload_extension(EXTENSION)
        shell.restore_sys_module_state()
        shell.atexit_operations()
        atexit.unregister(shell.atexit_operations)  # which can be done only once
    InteractiveShell.clear_instance()
    sys.modules["__main__"], sys.path[:] = main, path


@pytest.fixture
def profiles(write: Callable[..., Path]) -> Path:
    return write("profiles.toml", PROFILES)


@pytest.fixture
def bare(new_shell: Callable[..., Shell], profiles: Path) -> Shell:
    """A shell without the extension."""
    return new_shell()


@pytest.fixture
def shell(bare: Shell) -> Shell:
    """A shell in which the extension is loaded."""
    said = bare.load()
    assert said.error is None
    return bare
