"""`results diff`: compare two experiments, and fail if the score drops too far."""

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
    """Add this command to the group."""
    group.command(epilog="Example: dspy-profiles results diff base latest --max-drop 0.02")(diff)


def diff(
    one: Annotated[
        str,
        typer.Argument(metavar="A", help=f"Experiment: {WHICH}", autocompletion=experiments),
    ],
    other: Annotated[
        str,
        typer.Argument(metavar="B", help="Experiment to compare with.", autocompletion=experiments),
    ],
    *,
    max_drop: Annotated[
        str | None,
        typer.Option(
            "--max-drop",
            metavar="X",
            help="Exit with 1 if B's score is more than X below A's.",
        ),
    ] = None,
    full: Full = False,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """Compare two experiments, example by example."""
    most = real(max_drop, "--max-drop")
    if most is not None and most < 0:
        raise typer.BadParameter(f"{max_drop!r} is negative", param_hint="--max-drop")
    from dspy_profiles.results import open_store
    from dspy_profiles.results.compare import check_gate, diff_experiments
    from dspy_profiles.results.store import find_experiment

    with open_store(store) as opened:
        a, b = (find_experiment(opened, name) for name in (one, other))
        comparison = diff_experiments(a.id, b.id, opened)
        url = opened.url
    gate = None if most is None else check_gate(comparison, most)
    if json:
        emit(
            store=url,
            **as_json(comparison.to_json()),
            gate=None if gate is None else gate.to_json(),
        )
    else:
        from dspy_profiles.cli.results._diff_lines import diff_lines
        from dspy_profiles.cli.results._options import show_lines, width

        show_lines(diff_lines(comparison, width(), full=full))
        if gate is not None:
            _print_gate(gate)
    if gate is not None and not gate.is_passed:
        raise typer.Exit(1)


def _print_gate(gate: "Gate") -> None:
    mark = ("passed", "green") if gate.is_passed else ("failed", "bold red")
    out("", Text.assemble(mark, f"  {gate.reason}"))
