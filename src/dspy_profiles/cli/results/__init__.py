"""`results`: list, query and show experiments. Further commands are in the other modules."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson, profile_names
from dspy_profiles.cli._output import MUTED, as_json, emit, note, warn
from dspy_profiles.cli.results import diff, files, upkeep
from dspy_profiles.cli.results._options import Full, Named, StoreUrl, one_of, real, when, whole
from dspy_profiles.cli.results._options import show as show_view
from dspy_profiles.errors import StoreError
from dspy_profiles.results.store import STATUSES, UNREADABLE

if TYPE_CHECKING:
    from dspy_profiles.results import Experiment, ExperimentQuery, Store

__all__ = ["add_to"]

LISTED = "20"  # experiments


def add_to(app: typer.Typer) -> None:
    """Add this group of commands to an app."""
    group = typer.Typer(
        name="results",
        help="List, compare, verify and export recorded experiments.",
        no_args_is_help=True,
    )
    group.command("list", epilog="Example: dspy-profiles results list")(list_experiments)
    group.command(epilog="Example: dspy-profiles results show latest")(show)
    group.command(epilog="Example: dspy-profiles results query --profile prod --since 7d")(query)
    diff.add_to(group)
    upkeep.add_to(group)
    files.add_to(group)
    app.add_typer(group)


Limit = Annotated[
    str | None, typer.Option("--limit", "-n", metavar="N", help="List only the latest N.")
]


def list_experiments(
    *,
    limit: Limit = LISTED,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """List experiments, latest first."""
    from dspy_profiles.results import open_store

    most = whole(limit, "--limit") or 0
    with open_store(store) as opened:
        experiments = opened.query_experiments(limit=most + 1)
        _show_list(opened, experiments[:most], json=json)
    if not experiments:
        _note(f"no experiments in {opened.url}; dspy-profiles run --record records one")
    elif len(experiments) > most:
        _note(f"latest {most:,} only; --limit N lists more")
    _end(experiments[:most])


Words = Annotated[
    str | None, typer.Option("--text", metavar="WORDS", help="Words that must all occur.")
]
Hypothesis = Annotated[
    str | None, typer.Option("--hypothesis", metavar="TEXT", help="Part of the hypothesis.")
]
Program = Annotated[
    str | None, typer.Option("--program", metavar="NAME", help="Name of the program.")
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME",
        help="Profile of the experiment.",
        autocompletion=profile_names,
    ),
]
Status = Annotated[
    str | None,
    typer.Option(
        "--status",
        metavar="|".join(STATUSES),
        help="Status of the experiment.",
        autocompletion=lambda: list(STATUSES),
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Earliest start: 2026-01-31, 12h, 7d."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Latest start.")]
MinScore = Annotated[str | None, typer.Option("--min-score", metavar="X", help="Lowest score.")]


def query(
    *,
    text: Words = None,
    hypothesis: Hypothesis = None,
    program: Program = None,
    profile: Profile = None,
    status: Status = None,
    since: Since = None,
    until: Until = None,
    min_score: MinScore = None,
    limit: Limit = None,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """Find experiments that match all options, latest first."""
    from dspy_profiles.results import open_store

    wanted: ExperimentQuery = {
        "hypothesis": hypothesis,
        "program": program,
        "profile": profile,
        "status": one_of(status, STATUSES, "--status"),
        "since": when(since, "--since"),
        "until": when(until, "--until"),
        "min_score": real(min_score, "--min-score"),
        "text": text,
        "limit": whole(limit, "--limit"),
    }
    with open_store(store) as opened:
        experiments = opened.query_experiments(**wanted)
        _show_list(opened, experiments, json=json)
    if not experiments:
        _note("no matches; dspy-profiles results list lists all experiments")
    _end(experiments)


def show(
    experiment: Named = "latest",
    *,
    full: Full = False,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """Show an experiment: scores, cost, trials and decisions."""
    from dspy_profiles.results import open_store
    from dspy_profiles.results.store import find_experiment

    with open_store(store) as opened:
        shown = find_experiment(opened, experiment)
        if json:
            emit(
                store=opened.url,
                experiment=as_json(shown.to_json()),
                trials=[as_json(each.to_json()) for each in opened.query_trials(shown.id)],
            )
            return
        from dspy_profiles.results.views import view_experiment

        view = view_experiment(shown.id, opened, full=full)
    show_view(view)


def _show_list(store: "Store", experiments: "list[Experiment]", *, json: bool) -> None:
    if json:
        emit(store=store.url, experiments=[as_json(each.to_json()) for each in experiments])
    elif experiments:
        from dspy_profiles.results.views import view_list

        show_view(view_list(experiments))


def _end(experiments: "list[Experiment]") -> None:
    """Report each experiment that cannot be read. Raise Exit if there is one."""
    unreadable = [each for each in experiments if each.status == UNREADABLE]
    for each in unreadable:
        where, hint = each.details.get("where"), each.details.get("hint")
        place = f" ({where})" if where else ""
        warn(f"{each.id}: {each.details.get('error')}{place}", str(hint) if hint else None)
    if unreadable:
        raise typer.Exit(StoreError.exit_code)


def _note(text: str) -> None:
    note(Text(text, style=MUTED))
