import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = (str(Path(sys.executable).with_name("dspy-profiles")), "run")
PATIENCE = 120  # seconds until a process that hangs is killed, which fails its test

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def pythons_own_habits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a developer tells every Python: children here are asked how they behave alone."""
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        monkeypatch.delenv(name)


@pytest.fixture
def command() -> tuple[str, ...]:
    return COMMAND


@pytest.fixture
def run() -> Run:
    """`dspy-profiles run` with these words, to its end."""

    def done(*words: object, **how: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **how.pop("env", {})}
        how = {"capture_output": True, "text": True, "timeout": PATIENCE, **how}
        return subprocess.run([*COMMAND, *map(str, words)], check=False, env=environment, **how)

    return done


@pytest.fixture
def start() -> Iterator[Start]:
    """`dspy-profiles run` with these words, at the other end of pipes."""
    begun: list[tuple[subprocess.Popen[str], threading.Timer]] = []

    def started(*words: object, **how: Any) -> subprocess.Popen[str]:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([*COMMAND, *map(str, words)], text=True, **{**pipes, **how})
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        begun.append((process, watchdog))
        return process

    yield started
    for process, watchdog in begun:
        watchdog.cancel()
        process.kill()
        process.communicate()
