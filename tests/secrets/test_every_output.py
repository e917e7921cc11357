"""No spelling of a secret is in anything that pytest, commands, journals, pages and errors show."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from . import spellings

KEY = "sk-Canary-7f3A9c/0d4B+x"
PEM = """-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj
MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu
NMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa0VzMaQ8s+CLOyS56YyCFGeJZ
-----END PRIVATE KEY-----
"""
SECRETS = {"MY_API_KEY": KEY, "MY_PRIVATE_KEY": PEM}
TRACES = [trace for value in SECRETS.values() for trace in spellings.traces(value)]

PROFILES = """
[p]
extends = "mock"
env.PROXY = "http://me:${MY_API_KEY}@h"
[p.lm]
api_key = "${MY_API_KEY}"
extra_headers.X-Key = "${MY_PRIVATE_KEY}"

[broken]
extends = "p"
provider.class = "engines:Broken"
"""
ENGINES = """
import os, warnings
from spellings import spellings

def told():
    texts = []
    for name in ("MY_API_KEY", "MY_PRIVATE_KEY"):
        texts += [*spellings(os.environ[name]).values(), *os.environ[name].splitlines()]
    return "\\n".join(texts)

class Broken:
    def __init__(self, **_):
        raise ValueError(told())

    def complete(self, request):
        return None
"""
SUITE = """
import logging, warnings
import dspy
from engines import told

def test_tells(record_property):
    text = told()
    print(text)
    logging.getLogger("app").warning("logged %s", text)
    warnings.warn(text)
    record_property("told", text)
    dspy.Predict("question -> answer")(question=text)

def test_fails():
    text, parts = told(), told().split()
    assert not text, text
def test_raises():
    raise ValueError(told())
"""
ERRORS = """
import pickle, sys, traceback, warnings
from dspy_profiles import ProfileError, ProfileWarning, profile

try:
    with profile("broken"):
        pass
except ProfileError as error:
    print(error, repr(error), traceback.format_exc())
    sys.stdout.flush()
    sys.stdout.buffer.write(pickle.dumps(error))
"""
PYTEST = [
    *("pytest", "-p", "no:cacheprovider", "--dspy-profile=p", "--dspy-store=file:results"),
    *("--showlocals", "-rA", "-vv", "--junit-xml=junit.xml", "-o", "junit_logging=all"),
    *("-o", "log_cli=true", "--log-file=log.txt", "--dspy-report=report.json"),
]


@pytest.fixture
def run(write: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a module in a project of which only the environment holds the secrets."""
    for name in [name for name in os.environ if name.startswith(("PYTHON", "PYTEST"))]:
        monkeypatch.delenv(name)
    write("profiles.toml", PROFILES)
    write("pyproject.toml", '[tool.dspy-profiles]\nstore = "file:results"\n')
    write("engines.py", ENGINES)
    write("spellings.py", Path(spellings.__file__).read_text("utf-8"))
    write("test_it.py", SUITE)
    write("errors.py", ERRORS)

    def ended(*words: str, code: int) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            env={**os.environ, **SECRETS},
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return ended


def assert_no_secret(output: bytes, folder: Path) -> None:
    """Look for the raw bytes in what was printed, and in every file of a folder."""
    outputs = {"output": output}
    outputs |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = [(where, trace) for where, text in outputs.items() for trace in TRACES if trace in text]
    assert not found


def test_pytest_and_the_commands_on_its_results_show_none(run: Any, project: Path) -> None:
    output = run(*PYTEST, code=1)
    for shown in (
        b"live log call",
        b"Captured log call",
        b"Captured stdout call",
        b"parts      = ",
    ):
        assert shown in output, output.decode()
    assert b"logged" in (project / "log.txt").read_bytes()
    assert b"logged" in (project / "junit.xml").read_bytes()
    cli = "dspy_profiles"
    output += run(cli, "trace", "latest", "--full", code=0)
    output += run(cli, "trace", "latest", "--html", "page.html", code=0)
    output += run(cli, "results", "export", "latest", "--out", "run.zip", code=0)
    output += run(cli, "results", "export", "latest", "--csv", code=0)
    with zipfile.ZipFile(project / "run.zip") as bundle:
        bundle.extractall(project / "bundle")
    assert list(project.glob("results/**/*.jsonl"))
    assert_no_secret(output, project)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "p", "--json"), 0),
        (("list", "--json"), 0),
        (("export", "p", "--format", "python"), 0),
        (("doctor", "p"), 0),
        (("doctor", "--json", "broken"), 1),
        (("validate", "--json"), 0),
        (("secrets", "check"), 0),
        (("run", "-p", "broken", "errors.py"), 4),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_commands_show_none(run: Any, project: Path, words: tuple[str, ...], code: int) -> None:
    assert_no_secret(run("dspy_profiles", *words, code=code), project)


def test_errors_and_their_pickles_show_none(run: Any, project: Path) -> None:
    output = run("errors", code=0)
    assert b"ValueError" in output
    assert_no_secret(output, project)


def test_the_program_tells_them_without_us(project: Path, write: Any, run: Any) -> None:
    write("plain.py", "from engines import told\nprint(told())")
    output = run("plain", code=0)
    assert not [trace for trace in TRACES if trace.splitlines()[0] not in output]
