"""The three doors, each in a process of its own: pytest, IPython, the command line."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest

COMMAND = [sys.executable, "-m", "dspy_profiles"]


def done(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )


OPTIONS = ("--dspy-profile=mock", "--dspy-live=block")
PROGRAM = """
import dspy
from dspy_profiles import current_profile
print(current_profile().name, dspy.Predict("question -> answer: int")(question="Why?").answer)
"""


def test_run(write: Callable[..., Path]) -> None:
    write("program.py", PROGRAM)
    ran = done(*COMMAND, "run", "--profile", "mock", "program.py")
    assert (ran.returncode, ran.stdout.strip()) == (0, "mock 4"), ran.stderr


def test_run_records(write: Callable[..., Path]) -> None:
    write("program.py", PROGRAM)
    ran = done(*COMMAND, "run", "--profile", "mock", "--record", "program.py")
    assert ran.returncode == 0, ran.stderr
    listed = done(*COMMAND, "results", "list")
    assert "1" in listed.stdout
    shown = done(*COMMAND, "trace", "latest")
    assert (shown.returncode, "Predict" in shown.stdout) == (0, True), shown.stderr


def test_pytest(write: Callable[..., Path]) -> None:
    write(
        "test_it.py",
        """
        import dspy, pytest
        def ask():
            return dspy.Predict("question -> answer: int")(question="Why?").answer
        def test_the_profile_is_active():
            assert ask() == 4
        @pytest.mark.dspy_profile("mock", provider={"answers": {"answer": 7}})
        def test_a_mark():
            assert ask() == 7
        def test_the_mock(dspy_mock):
            dspy_mock.answer(answer=3)
            assert ask() == 3
            assert [call.outputs for call in dspy_mock.calls] == [{"answer": 3}]
        def test_no_live_call():
            with dspy.context(lm=dspy.LM("openai/gpt-4o-mini", api_key="none")):
                ask()
        """,
    )
    ran = done(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *OPTIONS)
    assert ran.returncode == 1, ran.stdout
    assert "1 failed, 3 passed" in ran.stdout, ran.stdout
    assert "blocked a live call to openai/gpt-4o-mini" in ran.stdout


def test_ipython() -> None:
    code = (
        "%load_ext dspy_profiles_ipython\n%dspy_profile mock\nimport dspy\n"
        'print(dspy.Predict("question -> answer: int")(question="Why?").answer)'
    )
    ran = done(sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code)
    assert "4" in ran.stdout.split(), ran.stdout + ran.stderr


@pytest.mark.parametrize("words", ["list", "show mock", "doctor mock", "validate", "which"])
def test_commands(words: str) -> None:
    ran = done(*COMMAND, *words.split(), DSPY_PROFILE="mock")
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stdout + ran.stderr


def test_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = done(*COMMAND, "demo")
    assert (ran.returncode, "Paris" in ran.stdout) == (0, True), ran.stderr


def test_a_wrong_key_is_found_in_the_source_of_this_dspy(write: Callable[..., Path]) -> None:
    write("profiles.toml", '[p.lm]\nmodel = "m"\ntemperatur = 1\n')
    ran = done(*COMMAND, "validate")
    assert (ran.returncode, 'did you mean "temperature"' in ran.stdout + ran.stderr) == (4, True)


def test_the_record_names_the_dspy(write: Callable[..., Path]) -> None:
    write("program.py", PROGRAM)
    done(*COMMAND, "run", "--profile", "mock", "--record", "program.py")
    shown: Any = done(*COMMAND, "results", "show", "latest", "--json").stdout
    assert f'"dspy": "{dspy.__version__}"' in shown
