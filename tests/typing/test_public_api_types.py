"""A typed program that uses the public names passes strict type checkers."""

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import dspy_profiles
from dspy_profiles import errors, results

PROGRAM = Path(__file__).with_name("public_api.py")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    here = Path(sys.executable).parent
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=os.environ | {"PATH": f"{here}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )


def test_mypy_accepts_a_program_of_typed_calls(tmp_path: Path) -> None:
    # As a user has it: strict, and with nothing of this project's configuration.
    done = run("mypy", "--strict", "--config-file=", "--cache-dir", tmp_path, PROGRAM)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    find_spec("basedpyright") is None,
    reason="basedpyright is not installed: uv sync --group typing",
)
def test_pyright_accepts_a_program_of_typed_calls(tmp_path: Path) -> None:
    config = tmp_path / "pyrightconfig.json"
    settings = {
        "include": [str(PROGRAM)],
        "typeCheckingMode": "strict",
        "enableTypeIgnoreComments": True,
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    done = run("basedpyright", "--outputjson", "--project", config, "--pythonpath", sys.executable)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 1
    assert report["generalDiagnostics"] == []


@pytest.mark.parametrize("package", [dspy_profiles, errors, results], ids=lambda p: p.__name__)
def test_the_program_uses_every_public_name(package: Any) -> None:
    tree = ast.parse(PROGRAM.read_text("utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(package.__all__) <= used
