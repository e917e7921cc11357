"""`results diff`: what became better or worse from one experiment to another."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson
from dspy_profiles.cli._output import as_json, emit, out
from dspy_profiles.cli.results._options import WHICH, Full, StoreUrl, experiments, real

if TYPE_CHECKING:
    from dspy_profiles.results.compare import Gate

__all__ = ["add_to"]


def add_to(group: typer.Typer) -> None:
    """Put this command into the group."""
    group.command(epilog="Example: dspy-profiles results diff base latest --max-drop 0.02")(diff)


def diff(
    one: Annotated[
        str,
        typer.Argument(metavar="A", help=f"An experiment: {WHICH}", autocompletion=experiments),
    ],
    other: Annotated[
        str, typer.Argument(metavar="B", help="Another one.", autocompletion=experiments)
    ],
    *,
    max_drop: Annotated[
        str | None,
        typer.Option(
            "--max-drop",
            metavar="X",
            help="End with 1 if the score of the second is more than X below that of the first.",
        ),
    ] = None,
    full: Full = False,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """Show what became better or worse from one experiment to another, example by example."""
    most = real(max_drop, "--max-drop")
    if most is not None and most < 0:
        raise typer.BadParameter("a drop is 0 or more", param_hint="--max-drop")
    from dspy_profiles.results import open_store
    from dspy_profiles.results.compare import check_gate, diff_experiments
    from dspy_profiles.results.store import find_experiment

    with open_store(store) as opened:
        a, b = (find_experiment(opened, name) for name in (one, other))
        found = diff_experiments(a.id, b.id, opened)
        url = opened.url
    gate = None if most is None else check_gate(found, most)
    if json:
        emit(store=url, **as_json(found.to_json()), gate=None if gate is None else gate.to_json())
    else:
        from dspy_profiles.cli.results._diff_lines import diff_lines
        from dspy_profiles.cli.results._show import show_lines, width

        show_lines(diff_lines(found, width(), full=full))
        if gate is not None:
            _say(gate)
    if gate is not None and not gate.is_passed:
        raise typer.Exit(1)


def _say(gate: "Gate") -> None:
    mark = ("passed", "green") if gate.is_passed else ("failed", "bold red")
    out("", Text.assemble(mark, f"  {gate.reason}"))
