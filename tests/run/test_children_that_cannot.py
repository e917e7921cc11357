"""A child that cannot have the profile ends when it imports DSPy; others are not disturbed."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.config import SESSION_VARIABLE
from dspy_profiles.run._launch import SITE
from dspy_profiles.run.session import Session

FAKE_DSPY = 'print("the other DSPy runs")'


@pytest.fixture
def other_python(home: Path) -> str:
    """An interpreter of an environment that lacks this package, and all others."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "other"], check=True)
    return str(home / "other" / ("Scripts" if os.name == "nt" else "bin") / "python")


def test_an_interpreter_without_this_package(run: Any, write: Any, other_python: str) -> None:
    write("lib/dspy/__init__.py", FAKE_DSPY)
    code = "import sys; print(sys.path[:2]); import dspy; print('went on')"
    environment = {"PYTHONPATH": str(Path("lib").resolve())}
    done = run("-p", "mock", "--", other_python, "-c", code, env=environment)
    assert done.returncode == 4
    assert "the other DSPy runs" in done.stdout
    assert "went on" not in done.stdout
    assert str(SITE) not in done.stdout
    first, hint = done.stderr.splitlines()
    assert first.startswith("dspy-profiles: error: `dspy-profiles run` has this program on")
    assert "'mock'" in first
    assert other_python in first
    assert "No module named 'dspy_profiles'" in first
    assert "install dspy-profiles" in hint


def test_an_interpreter_without_this_package_that_imports_no_dspy(
    run: Any, other_python: str
) -> None:
    done = run("-p", "mock", "--", other_python, "-c", "print('fine')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


def test_a_python_that_lets_nobody_in_runs_without_the_profile_and_it_is_said(run: Any) -> None:
    code = "import dspy, dspy_profiles; dspy_profiles.configure(); print(dspy.settings.lm.model)"
    done = run("-p", "mock", "--", sys.executable, "-IB", "-c", code)
    assert (done.returncode, done.stdout) == (0, "mock\n"), done.stderr
    warning, hint = done.stderr.splitlines()
    assert warning.startswith("warning: Python option -I disables the profile")
    assert "dspy_profiles.configure()" in hint


def test_a_folder_called_dspy_is_not_dspy(run: Any, write: Any, other_python: str) -> None:
    write("dspy/notes.txt", "")
    code = "import sys; sys.path.insert(0, '.'); import dspy; print(dspy.__path__)"
    done = run("-p", "mock", "--", other_python, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_dspy_is_missing_as_ever(run: Any, other_python: str) -> None:
    done = run("-p", "mock", "--", other_python, "-c", "import dspy")
    assert done.returncode == 1
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'dspy'\n")


IN_F = "def f(): import dspy\n"
RAISES = """
    class Engine:
        def __init__(self):
            raise RuntimeError("no gateway today")
        def complete(self, request): ...
"""


@pytest.fixture
def broken(write: Any) -> None:
    write("theirs.py", RAISES)
    write("profiles.toml", '[p.provider]\nclass = "theirs.Engine"\n')


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    "code",
    [
        "import dspy",
        "try:\n import dspy\nexcept Exception: pass",
        f"async {IN_F}import asyncio\nasyncio.run(f())",
        f"{IN_F}import threading\nt = threading.Thread(target=f)\nt.start(); t.join()",
        f"{IN_F}from concurrent.futures import *\nThreadPoolExecutor().submit(f).exception()",
        "from dspy_profiles.activation import Isolation",
    ],
    ids=["import", "caught", "asyncio", "thread", "pool", "ours"],
)
def test_a_profile_that_cannot_be_built_ends_the_process(run: Any, code: Any) -> None:
    done = run("-p", "p", "-c", f"print('begins')\n{code}\nprint('went on')")
    assert (done.returncode, done.stdout) == (4, "begins\n")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("dspy-profiles: error: ")
    assert "no gateway today" in first
    assert "profiles.toml:" in rest[0]
    assert "Traceback" not in done.stderr


def test_a_secret_that_is_gone_in_a_grandchild_ends_it(run: Any, write: Any) -> None:
    write("profiles.toml", '[p.lm]\nmodel = "openai/x"\napi_key = "${SOME_KEY}"')
    words = ["env", "-u", "SOME_KEY", sys.executable, "-c", "import dspy; print('went on')"]
    done = run("-p", "p", "--", *words, env={"SOME_KEY": "canary"})
    assert (done.returncode, done.stdout) == (5, "")
    assert "SOME_KEY is not set" in done.stderr


def test_a_file_that_was_broken_meanwhile_ends_it(run: Any, write: Any) -> None:
    write("profiles.toml", '[p]\nextends = "mock"')
    write("broken.toml", '[p.lm]\ntemperature = "hot"')
    code = "import os; os.replace('broken.toml', 'profiles.toml')"
    done = run("-p", "p", "-c", f"{code}\nimport dspy; print('went on')")
    assert (done.returncode, done.stdout) == (4, "")
    assert "temperature" in done.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1}', "nul"])
def test_a_session_that_nobody_wrote_ends_it_too(text: str) -> None:
    environment = {**os.environ, SESSION_VARIABLE: text, "PYTHONPATH": str(SITE)}
    words = [sys.executable, "-c", "import dspy; print('went on')"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if not text:  # as good as unset
        assert done.stdout == "went on\n"
        return
    assert (done.returncode, done.stdout) == (4, "")
    assert SESSION_VARIABLE in done.stderr


def test_a_session_is_what_was_written() -> None:
    session = Session(Path("/a b"), None, named=False, profile="naïve\n\udcff", reason="r")
    assert Session.from_text(session.to_text()) == session
    assert session.to_text().isascii()


USERS_OWN = "import sys; sys.stderr.write('theirs runs\\n'); theirs = True"
TWICE = 2  # `run` itself is a Python, too
SHOW = "import sitecustomize, sys; print(sitecustomize.theirs, 'lib' in sys.path[1])"


def test_the_users_sitecustomize_and_search_path_stay(run: Any, write: Any) -> None:
    write("lib/sitecustomize.py", USERS_OWN)
    code = f"{SHOW}; import dspy; print(dspy.settings.lm.model)"
    done = run("-p", "mock", "-c", code, env={"PYTHONPATH": str(Path("lib").resolve())})
    assert (done.stdout, done.stderr) == ("True True\nmock\n", TWICE * "theirs runs\n")


@pytest.mark.parametrize(
    "theirs",
    ["raise ValueError('theirs')", "import not_there", "raise ImportError", "1 +", "import dspy"],
)
def test_a_users_sitecustomize_that_fails_does_so_as_ever(
    run: Any, write: Any, theirs: Any
) -> None:
    write("lib/sitecustomize.py", theirs)
    environment = {"PYTHONPATH": str(Path("lib").resolve())}
    alone = subprocess.run(
        [sys.executable, "-c", ""],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    code = "import dspy; print(dspy.settings.lm.model)"
    done = run("-p", "mock", "-c", code, env=environment)
    assert (done.stdout, done.stderr) == ("mock\n", TWICE * alone.stderr)


def test_an_inner_run_of_another_installation_is_the_only_one(run: Any) -> None:
    code = "import os, json; print(json.dumps(os.environ['PYTHONPATH'].split(os.pathsep)))"
    foreign = "/elsewhere/lib/dspy_profiles/run/site"
    environment = {"PYTHONPATH": os.pathsep.join([str(SITE), foreign, "/theirs", ""])}
    found = json.loads(run("-p", "mock", "-c", code, env=environment).stdout)
    assert found == [str(SITE), "/theirs", ""]
    assert json.loads(run("-p", "mock", "-c", code).stdout) == [str(SITE)]


def test_what_every_python_reads_is_read_by_old_ones_too() -> None:
    text = (SITE / "sitecustomize.py").read_text(encoding="utf-8")
    assert text.isascii()
    ast.parse(text, feature_version=(3, 7))
    arguments = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.arg)]
    annotations = [n.annotation for n in arguments if n.annotation]
    assert annotations
    names = {"str", "int", "Exception", "bool"}
    for one in annotations:
        assert isinstance(one, ast.Constant) or ast.unparse(one) in names
