"""`demo`: the whole loop in a temporary folder, with no key, file or network."""

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
class = "mock"                # offline: made-up answers, the same each time
answers = [{ when = "capital of France", answer = "Paris" }]
"""

PROGRAM = """\
ask = dspy.Predict("question -> answer")

with profile("demo"), record("first questions"):
    print(ask(question="What is the capital of France?").answer)
    print(ask(question="What is the meaning of life?").answer)
"""

QUESTIONS = ("What is the capital of France?", "What is the meaning of life?")

WIDTH = 100  # of the record; a pipe has none of its own

GO_ON = (
    ("dspy-profiles init", "make a profile of your own"),
    ("dspy-profiles list", "see what there is, and which one applies"),
    ("dspy-profiles run --record app.py", "run a program under it, unchanged, and record it"),
    ("dspy-profiles trace latest", "see step by step what it did"),
)


def add_to(app: typer.Typer) -> None:
    """Put this command into an app."""
    app.command(epilog="Example: dspy-profiles demo")(demo)


def demo() -> None:
    """Show the whole loop offline: a profile, a program, what it says."""
    with tempfile.TemporaryDirectory() as folder, _world_of_its_own(Path(folder)):
        Path("profiles.toml").write_text(PROFILES, encoding="utf-8")
        _step("1", "Profiles are names for configurations. They stand in profiles.toml:")
        _code(PROFILES, "toml")
        _step("2", "A name comes to values, and each knows where it was written:")
        _values("demo")
        _step("3", "A program runs under the name:")
        _code(PROGRAM, "python")
        out("")
        with redirect_stderr(StringIO()):  # the record says where it is; it will be gone
            answers, trial = _run()
        for line in answers:
            out(Text.assemble(("     ", ""), (line, "green")))
        _step("4", "The record says why. Of the first question:")
        out(Constrain(Padding(trial, (0, 0, 0, 5)), WIDTH))
    _step("→", "Go on with")
    out(columns([(f"     {command}", Text(why, style=MUTED)) for command, why in GO_ON]), "")


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
        giver = "" if origin.profile == name else f"from {origin.profile}"
        if key != ("provider", "answers"):
            rows.append(
                (f"     {join_key(key)}", show_value(value), Text(f"{at}   {giver}", style=MUTED))
            )
    out(columns(rows))


def _run() -> "tuple[list[str], TrialView]":
    """What the program above prints, and the record of its first call."""
    import dspy

    from dspy_profiles import profile
    from dspy_profiles.results import open_store, record, view_trial

    ask = dspy.Predict("question -> answer")
    with open_store() as store, profile("demo"), record("first questions", store=store) as exp:
        answers = [ask(question=question).answer for question in QUESTIONS]
    first, *_ = store.query_trials(exp.id)
    return answers, view_trial(exp.id, first.id, store)


@contextmanager
def _world_of_its_own(folder: Path) -> Iterator[None]:
    """Neither the user's files nor their environment have a say in the demo, nor it in them."""
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
