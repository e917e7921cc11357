"""A project that upgrades, environments that are folders, and commands that are small scripts."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dspy_profiles.results import Store, open_store
from dspy_profiles.results.recording import ExperimentWriter, WorkerJournal
from dspy_profiles.versions import Environment, Ran
from dspy_profiles.versions._environments import FORM, MANIFEST, environments_folder

EXAMPLE = Path(__file__).parents[2] / "examples/upgrade"
COMMAND = (sys.executable, "-m", "dspy_profiles", "versions")
PATIENCE = 500  # seconds until a process that hangs is killed, which fails its test

Cli = Callable[..., subprocess.CompletedProcess[str]]
Told = Callable[..., Ran]
MakeKept = Callable[[str, str], Path]


@pytest.fixture
def cli() -> Cli:
    """`dspy-profiles versions` with these words, to its end."""

    def done(*words: object, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return done


@pytest.fixture
def upgrade(project: Path) -> Path:
    """The example, in the project's folder."""
    shutil.copytree(EXAMPLE, project, dirs_exist_ok=True)
    return project


@pytest.fixture
def make_kept() -> MakeKept:
    """Makes what looks like an environment that is there: its Python is this one."""

    def made(folder: str, dspy: str) -> Path:
        path = environments_folder() / folder
        (path / "bin").mkdir(parents=True)
        (path / "bin/python").symlink_to(sys.executable)
        manifest = {"form": FORM, "requested": dspy, "dspy": dspy, "python": "3.11.7", "notes": []}
        (path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        return path

    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"file:{tmp_path / 'results'}") as opened:
        yield opened


@pytest.fixture
def told(store: Store, tmp_path: Path) -> Told:
    """A run under one version, told by its tests: name, outcome, error."""

    def of(version: str, *tests: tuple[str, str, str | None], exit_code: int = 0) -> Ran:
        writer = ExperimentWriter(store, "pytest")
        writer.title(None)
        journal = WorkerJournal(store.storage, writer.id)
        for name, outcome, error in tests:
            status = "done" if outcome == "passed" else "failed"
            trial = journal.begin_test(name, {"profile": None})
            journal.end_test(trial, status, error, {"outcome": outcome})
        journal.close()
        done = writer.close("done")
        environment = Environment(tmp_path / version, version, version, "3.11.7")
        return Ran(environment, tmp_path / "place" / version, exit_code, 1.0, done)

    return of
