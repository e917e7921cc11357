"""`demo`: a tour in a temporary folder. Needs no key, file or network."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.constrain import Constrain
from rich.padding import Padding
from rich.text import Text

from dspy_profiles.cli._output import ACCENT, MUTED, columns, out
from dspy_profiles.display import on_path, show_value

if TYPE_CHECKING:
    from dspy_profiles.results import TrialView

__all__ = ["add_to"]

PROFILES = """\
[base]
settings.num_threads = 4

[demo]
extends = "base"

[demo.provider]
class = "mock"                # offline: generated answers, the same each time
answers = [{ when = "capital of France", answer = "Paris" }]
"""

PROGRAM = """\
ask = dspy.Predict("question -> answer")

with profile("demo"), record("first questions"):
    print(ask(question="What is the capital of France?").answer)
    print(ask(question="What is the meaning of life?").answer)
"""

QUESTIONS = ("What is the capital of France?", "What is the meaning of life?")

WIDTH = 100  # of the trace; a pipe has no width

NEXT_STEPS = (
    ("dspy-profiles init", "create your own profile"),
    ("dspy-profiles list", "list all profiles, and which one is active"),
    ("dspy-profiles run --record app.py", "run a program under it, unchanged, and record it"),
    ("dspy-profiles trace latest", "show the steps of that run"),
)


def add_to(app: typer.Typer) -> None:
    """Add this command to an app."""
    app.command(epilog="Example: dspy-profiles demo")(demo)


def demo() -> None:
    """Run a short tour, offline, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder, _isolated(Path(folder)):
        Path("profiles.toml").write_text(PROFILES, encoding="utf-8")
        _step("1", "A profile is a named configuration in profiles.toml:")
        _code(PROFILES, "toml")
        _step("2", "Each value of a profile has an origin, the file and line that set it:")
        _values("demo")
        _step("3", "A program runs under a profile:")
        _code(PROGRAM, "python")
        out("")
        with redirect_stderr(StringIO()):  # the location of the record, which is temporary
            answers, trial = _run()
        for line in answers:
            out(Text.assemble(("     ", ""), (line, "green")))
        _step("4", "The record shows each step. The first question:")
        out(Constrain(Padding(trial, (0, 0, 0, 5)), WIDTH))
    _step("→", "Next:")
    out(columns([(f"     {command}", Text(why, style=MUTED)) for command, why in NEXT_STEPS]), "")


def _step(mark: str, text: str) -> None:
    out("", Text.assemble((f" {mark}", f"bold {ACCENT}"), f"   {text}"), "")


def _code(code: str, language: str) -> None:
    from rich.syntax import Syntax

    for line in Syntax("", language, theme="ansi_dark").highlight(code.rstrip()).split():
        out(Text.assemble("     ", line))


def _values(name: str) -> None:
    from dspy_profiles import resolve
    from dspy_profiles.config import join_key
    from dspy_profiles.profiles import leaves

    resolved = resolve(name)
    rows = []
    for key, value in leaves(resolved.values):
        origin = resolved.origin(key)
        at = origin.layer if origin.file is None else f"{on_path(origin.file)}:{origin.line}"
        inherited = "" if origin.profile == name else f"from {origin.profile}"
        if key != ("provider", "answers"):
            rows.append(
                (
                    f"     {join_key(key)}",
                    show_value(value),
                    Text(f"{at}   {inherited}", style=MUTED),
                )
            )
    out(columns(rows))


def _run() -> "tuple[list[str], TrialView]":
    """Run the program. Return the lines that it prints, and the view of its first trial."""
    import dspy

    from dspy_profiles import profile
    from dspy_profiles.results import open_store, record, view_trial

    ask = dspy.Predict("question -> answer")
    with open_store() as store, profile("demo"), record("first questions", store=store) as exp:
        answers = [ask(question=question).answer for question in QUESTIONS]
    first, *_ = store.query_trials(exp.id)
    return answers, view_trial(exp.id, first.id, store)


@contextmanager
def _isolated(folder: Path) -> Iterator[None]:
    """Run the block in a folder, without the user's files and DSPy variables."""
    before, cwd = dict(os.environ), Path.cwd()
    for name in [n for n in os.environ if n.startswith(("DSPY_", "XDG_"))]:
        del os.environ[name]
    os.environ["HOME"] = os.environ["USERPROFILE"] = str(folder / "home")
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(before)
