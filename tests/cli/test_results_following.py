"""`trace --follow`: a run that goes on in another process, at a terminal and in a pipe."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pexpect
import pytest
from pexpect.popen_spawn import PopenSpawn

PROGRAM = """
import dspy
from dspy_profiles import profile
from dspy_profiles.results import record


class Ask(dspy.Module):
    def __init__(self):
        super().__init__()
        self.predict = dspy.Predict("question -> answer")

    def forward(self, question):
        print("waits", flush=True)
        input()
        return self.predict(question=question)


with profile("mock"), record("long") as experiment:
    for question in ("first?", "second?"):
        Ask()(question=question)
        experiment.score("length", len(question))
"""


# The same without DSPy, as a session of tests is recorded that needs none.
LIGHT = """
import time
from types import SimpleNamespace
from dspy_profiles.results.recording import ExperimentWriter as Book
from dspy_profiles.results.recording import new_id
from dspy_profiles.results import open_store

book = Book(open_store(), "long")
book.title(None)
trial = book.lines.trial("test", "test_it", None, None, {})
ask = SimpleNamespace(id=new_id(), parent=None, trial=trial, kind="module", started=time.time())
book.lines.begin(ask, "Ask", {"inputs": {"question": "first?"}}, None)
print("waits", flush=True)
input()
book.lines.end(ask, time.time(), "done", {"outputs": {"answer": "Paris"}}, is_trial=False)
book.lines.trial_end(trial, "done", score=1.0)
book.close("done")
"""


class Program:
    """A run that waits for a word before each of its calls."""

    def __init__(self, code: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.waits()

    def waits(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "waits\n"

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> int:
        self._process.communicate()
        return self._process.returncode


@pytest.fixture
def program(project: Any) -> Iterator[Any]:
    begun = Program(PROGRAM)
    yield begun
    begun.kill()


@pytest.fixture
def light(project: Any) -> Iterator[Any]:
    begun = Program(LIGHT)
    yield begun
    begun.kill()


@pytest.fixture
def in_database(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting, for both processes."""
    monkeypatch.setenv("DSPY_PROFILES_STORE", "sqlite:results.db")


@pytest.fixture
def followed(project: Any) -> Iterator[Any]:
    """A process that follows, by what it prints into a pipe."""
    command = [sys.executable, "-m", "dspy_profiles", "trace", "latest", "--follow"]
    child = PopenSpawn(command, timeout=60, encoding="utf-8")
    yield child
    child.proc.kill()
    child.proc.communicate()


def test_steps_come_as_they_happen_until_the_run_has_ended(program: Any, followed: Any) -> None:
    followed.expect("module +Ask  first[^\n]*running")
    program.go_on()
    program.waits()
    followed.expect("answer +[^\n]*mock answer")
    followed.expect("score +length  6")
    followed.expect("module +Ask  [^\n]*second[^\n]*running")
    program.go_on()
    followed.expect("score +length  7")
    followed.expect(pexpect.EOF)
    assert program.end() == 0
    assert followed.proc.wait() == 0


def test_a_run_into_a_database_is_followed_too(in_database: Any, light: Any, followed: Any) -> None:
    followed.expect("test_it[^~]*module +Ask  first[^\n]*running")
    light.go_on()
    followed.expect("module +Ask  [^\n]*Paris")
    followed.expect("done: 1 trial · score 1")
    followed.expect(pexpect.EOF)
    assert (light.end(), followed.proc.wait()) == (0, 0)


def test_a_run_that_is_killed_is_followed_to_its_end(light: Any, followed: Any) -> None:
    followed.expect("running")
    light.kill()
    followed.expect("module +Ask  [^\n]*interrupted")
    followed.expect(pexpect.EOF)
    assert followed.proc.wait() == 0


def test_an_interrupt_ends_the_following_and_not_the_run(light: Any, terminal: Any) -> None:
    screen = terminal("trace", "long", "1", "--follow")
    screen.until("running").interrupt()
    screen.until("the run continues")
    assert screen.end() == 130
    light.go_on()
    assert light.end() == 0


def test_what_has_ended_is_shown_at_once(quick: Any, recorded: Any) -> None:
    done = quick("trace", "base", "--follow")
    assert done.code == 0
    assert "done: 4 trials · score 0.5" in done.err
    heads = [line for line in done.out.splitlines() if not line.startswith(" ")]
    assert heads == 2 * [f"example {n}" for n in range(4)]  # the scores come at the end
    one = quick("trace", "base", "2", "--follow").out
    assert "Milan" in one
    assert "France" not in one


@pytest.mark.parametrize("words", [["--json"], ["--html", "x.html"]], ids=" ".join)
def test_following_is_for_people(quick: Any, words: Any) -> None:
    assert quick("trace", "latest", "--follow", *words).code == 2
