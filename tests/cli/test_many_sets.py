"""Sixteen processes that set values of one file at the same time, on a machine that is busy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli

pytestmark = pytest.mark.slow

PROCESSES, SETS = 16, 50

# The function of the command, so that a process can call it many times.
SETTER = """
import sys
from pathlib import Path
from dspy_profiles.cli.profiles.set import set_
path, profile, number, sets = sys.argv[1:]
where = {"file": Path(path), "project": False, "user": False}
sys.stdin.readline()
for key in range(int(sets)):
    set_([profile, f"lm.k{number}_{key}={key}"], profile=None, force=True, **where)
"""
COMMANDS = """
import subprocess, sys
path, profile, number, sets = sys.argv[1:]
sys.stdin.readline()
for key in range(int(sets)):
    words = ["set", "--force", "--file", path, profile, f"lm.k{number}_{key}={key}"]
    subprocess.run([sys.executable, "-m", "dspy_profiles", *words], check=True)
"""


@pytest.fixture
def load() -> Iterator[None]:
    """Two processes that keep processors busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for process in busy:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("script", "sets", "one_profile"),
    [(SETTER, SETS, True), (COMMANDS, 2, False)],
    ids=["calls", "commands"],
)
@pytest.mark.usefixtures("load")
def test_many_processes_keep_every_set(
    tmp_path: Path, cache: dict[str, str], script: str, sets: int, *, one_profile: bool
) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text("[p0.lm]\nmodel = 'openai/x'\n")
    setters = [
        setter(script, cache, path, "p0" if one_profile else f"p{number}", number, sets)
        for number in range(PROCESSES)
    ]
    for each in setters:
        each.stdin.write("go\n")
        each.stdin.flush()

    for each in setters:
        _, error = each.communicate(timeout=600)
        assert each.returncode == 0, error

    found = {key for table in tomli.loads(path.read_text()).values() for key in table["lm"]}
    assert found - {"model"} == {f"k{n}_{key}" for n in range(PROCESSES) for key in range(sets)}
    assert list(tmp_path.iterdir()) == [path]


def setter(script: str, cache: dict[str, str], *words: object) -> Any:
    command = [sys.executable, "-c", script, *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        text=True,
        stdin=pipe,
        stdout=subprocess.DEVNULL,
        stderr=pipe,
        env={**os.environ, **cache},
    )
