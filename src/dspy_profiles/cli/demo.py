"""`demo`: the whole loop in a temporary folder, with no key, file or network."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table

__all__ = ["add_to"]

PROFILES = """\
[base]
description = "what all share"
settings.num_threads = 4

[demo]
extends = "base"
description = "offline: answers are made up, and the same each time"

[demo.provider]
class = "mock"
answers = [{ when = "capital of France", answer = "Paris" }]
"""

PROGRAM = """\
ask = dspy.Predict("question -> answer")

with profile("demo"):
    print(ask(question="What is the capital of France?").answer)
    print(ask(question="What is the meaning of life?").answer)
"""


def add_to(app: typer.Typer) -> None:
    """Put this command into an app."""
    app.command(epilog="Example: dspy-profiles demo")(demo)


def demo() -> None:
    """Show the whole loop offline: a profile, a program, what it says."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder, _world_of_its_own(Path(folder)):
        Path(folder, "profiles.toml").write_text(PROFILES, encoding="utf-8")
        _step(console, 1, "Profiles stand in a file, profiles.toml:")
        console.print(Padding(Syntax(PROFILES.rstrip(), "toml", theme="ansi_dark"), (0, 4)))
        _step(console, 2, "A name becomes values, and each knows where it was written:")
        console.print(Padding(_values("demo"), (0, 4)))
        _step(console, 3, "A program runs under it:")
        console.print(Padding(Syntax(PROGRAM.rstrip(), "python", theme="ansi_dark"), (0, 4)))
        console.print()
        for line in _run():
            console.print(f"    [green]{line}[/green]")
    _step(console, 4, "Now with your own model. Put this into profiles.toml of your project:")
    console.print(Padding(Syntax(OWN.rstrip(), "toml", theme="ansi_dark"), (0, 4)))
    console.print('\n    and in your code:  [bold]with profile("prod"): …[/bold]\n')


OWN = """\
[prod.lm]
model = "openai/gpt-4o-mini"
api_key = "${OPENAI_API_KEY}"     # a reference: the key itself stays in .env
"""


def _step(console: Console, number: int, text: str) -> None:
    console.print(f"\n[bold cyan]{number}[/bold cyan]  {text}\n")


def _values(name: str) -> Table:
    from dspy_profiles import resolve
    from dspy_profiles.resolved import join_key, leaves

    resolved = resolve(name)
    table = Table.grid(padding=(0, 3))
    for key, value in leaves(resolved.values):
        origin = resolved.origin(key)
        source = "" if origin.profile == name else f"from {origin.profile}"
        shown = value if isinstance(value, str) else str(value)
        file = origin.file.name if origin.file else origin.layer
        table.add_row(join_key(key), shown, f"[dim]{file}:{origin.line}[/dim]", source)
    return table


def _run() -> Iterator[str]:
    import dspy

    from dspy_profiles import profile

    ask = dspy.Predict("question -> answer")
    for question in ("What is the capital of France?", "What is the meaning of life?"):
        with profile("demo"):
            yield ask(question=question).answer


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
