"""The installed command in real processes, with pipes or at a terminal. None may show a secret."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pexpect
import pytest
from typer.testing import CliRunner

from dspy_profiles.cli import app

COMMAND = (sys.executable, "-m", "dspy_profiles")
PATIENCE = 60  # seconds until a process that hangs is killed, which fails its test
CANARY = "sk-canary-4f1c9a7e2b"  # whatever a test hides bears this; no output ever may


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert (self.code, self.err) == (0, "")
        return self.payload

    @property
    def payload(self) -> Any:
        """The same, of a process that may have failed."""
        payload = json.loads(self.out)
        assert payload.pop("version") == 1
        return payload

    @property
    def lines(self) -> list[list[str]]:
        """The words of each line, without the blanks between columns."""
        return [[w.strip() for w in line.split("  ") if w.strip()] for line in self.out.split("\n")]


# What a person's own terminal may say, and xdist says too.
THEIRS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING", "VISUAL", "EDITOR")


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in THEIRS}


Cli = Callable[..., Done]
Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def canary() -> str:
    return CANARY


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What DSPy takes is read from its source once, not once for each test's home."""
    folder = str(tmp_path_factory.mktemp("cache"))
    return {"XDG_CACHE_HOME": folder, "LOCALAPPDATA": folder}


@pytest.fixture
def cli(project: Path, cache: dict[str, str]) -> Cli:
    """`dspy-profiles` with these words, to its end, in the project's folder."""

    def run(*words: object, env: dict[str, str] | None = None, **how: Any) -> Done:
        how = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": PATIENCE, **how}
        under = how.pop("under", COMMAND)
        if "input" in how:
            del how["stdin"]
        done = subprocess.run(
            [*map(str, under), *map(str, words)],
            check=False,
            encoding="utf-8",
            env={**_plain(), **cache, **(env or {})},
            **how,
        )
        assert "canary" not in done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def quick(project: Path) -> Cli:
    """The same in this process, for what needs no process of its own."""

    def run(*words: object, env: dict[str, str] | None = None) -> Done:
        plain = dict.fromkeys(THEIRS) | (env or {})
        done = CliRunner().invoke(app, [*map(str, words)], prog_name="dspy-profiles", env=plain)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert "canary" not in done.output
        return Done(done.exit_code, done.stdout, done.stderr)

    return run


class Screen:
    """What a person at a terminal types and sees."""

    def __init__(self, child: "pexpect.spawn[str]") -> None:
        self.child = child
        self.seen = ""

    def until(self, text: str) -> "Screen":
        self.child.expect_exact(text)
        self.seen += self.child.before + text
        return self

    def type(self, text: str) -> "Screen":
        self.child.sendline(text)
        return self

    def interrupt(self) -> "Screen":
        self.child.sendintr()
        return self

    def end(self) -> int:
        """The exit code, once it has ended."""
        self.child.expect(pexpect.EOF)
        self.seen += self.child.before
        self.child.close()
        code: int = self.child.exitstatus
        return code


@pytest.fixture
def terminal(project: Path, cache: dict[str, str]) -> Iterator[Callable[..., Screen]]:
    """`dspy-profiles` with these words at a terminal."""
    begun = []

    def start(*words: object, **env: str) -> Screen:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
            child = pexpect.spawn(
                COMMAND[0],
                [*COMMAND[1:], *map(str, words)],
                encoding="utf-8",
                timeout=PATIENCE,
                env={**_plain(), **cache, "TERM": "xterm", "COLUMNS": "100", **env},
            )
        begun.append(child)
        return Screen(child)

    yield start
    for child in begun:
        child.close(force=True)


RECORDER = """
import dspy
from dspy_profiles import profile; from dspy_profiles.secrets import _redaction as redaction
from dspy_profiles.results import record

QUESTIONS = {
    "What is the capital of France?": "Paris",
    "What is the capital of Italy?": "Rome",
    "=2+2": "4",
    "Who wrote Hamlet?": "Shakespeare",
}
redaction.remember("sk-canary-4f1c9a7e2b", "${MY_KEY}")


class Answer(dspy.Module):
    def __init__(self, instructions):
        super().__init__()
        signature = dspy.Signature("question, key -> answer", instructions)
        self.think = dspy.ChainOfThought(signature)

    def forward(self, question):
        instructions = self.think.predict.signature.instructions
        if question == "Who wrote Hamlet?" and "short" not in instructions:
            raise ValueError(f"no <b>such</b> book, \\x1b[31mred, key sk-canary-4f1c9a7e2b")
        return self.think(question=question, key="sk-canary-4f1c9a7e2b")


def exact(example, said, trace=None):
    return said.answer == example.answer


def tried(name, instructions, hypothesis, answers):
    examples = [
        dspy.Example(question=q, answer=a).with_inputs("question") for q, a in QUESTIONS.items()
    ]
    said = [{"when": q, "answer": a} for q, a in answers.items()]
    with profile("mock", provider={"answers": said}):
        with record(name, hypothesis) as experiment:
            experiment.decision(strategy="first", rationale="as it is", action="evaluate")
            evaluate = dspy.Evaluate(
                devset=examples, metric=exact, num_threads=1, provide_traceback=False
            )
            evaluate(Answer(instructions))
    print(experiment.id)


tried("base", "Answer.", None, {"France": "Paris", "Italy": "Milan", "2+2": "4"})
tried(
    "short",
    "Answer in one short word.",
    "shorter is better",
    {"France": "Paris", "Italy": "Rome", "2+2": "five", "Hamlet": "Shakespeare"},
)
"""


@dataclass(frozen=True)
class Recorded:
    """Two evaluations of one program, of which the second was told to be short."""

    base: str
    short: str
    folder: Path

    def journal(self, experiment_id: str) -> Path:
        return next((self.folder / "experiments" / experiment_id).glob("journal-*.jsonl"))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Made once, by a program like a user's."""
    folder = tmp_path_factory.mktemp("recording")
    (folder / ".git").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", RECORDER],
        cwd=folder,
        env={**_plain(), "HOME": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        check=True,
    )
    base, short = done.stdout.split()[-2:]
    return Recorded(base, short, folder / ".dspy" / "results")


@pytest.fixture
def recorded(recording: Recorded, project: Path) -> Recorded:
    """The same in the project's own store, where a test may change it."""
    folder = project / ".dspy" / "results"
    shutil.copytree(recording.folder, folder)
    return replace(recording, folder=folder)
