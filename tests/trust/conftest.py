"""A stranger's project, full of traps, and programs that do not belong to it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Done = subprocess.CompletedProcess[str]
Outside = Callable[..., Done]

TRAP = """
import dspy, pathlib
pathlib.Path({mark!r}).write_text("sprung")

class Engine:
    def complete(self, request):
        raise RuntimeError("the trap answers nobody")

class Adapter(dspy.ChatAdapter):
    pass

class Retriever:
    pass

class Callback(dspy.utils.callback.BaseCallback):
    pass

def interpreter():
    pass
"""


@pytest.fixture
def mark(project: Path) -> Path:
    """The file that appears once a trap has sprung."""
    return project / "SPRUNG"


@pytest.fixture
def trap(stranger: None, project: Path, mark: Path) -> Path:
    """A module of the project that leaves a mark as soon as somebody imports it."""
    module = project / "trap.py"
    module.write_text(dedent(TRAP.format(mark=str(mark))))
    return module


@pytest.fixture
def command(project: Path) -> Callable[..., Done]:
    """Runs dspy-profiles in the project, without a terminal."""

    def run(*words: str, **environ: str) -> Done:
        return subprocess.run(
            [str(Path(sys.executable).with_name("dspy-profiles")), *words],
            cwd=project,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A program that is installed elsewhere; it runs the code in its first argument."""
    file = tmp_path / "installed" / "tool.py"
    file.parent.mkdir()
    file.write_text("import sys\nexec(compile(sys.argv[1], __file__, 'exec'))\n")
    return file


@pytest.fixture
def outside(project: Path, tool: Path) -> Outside:
    """Runs code in the project's folder, as a program from outside does."""

    def run(code: str, *before: str, **environ: str) -> Done:
        return subprocess.run(
            [*before, sys.executable, str(tool), dedent(code)],
            cwd=project,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
