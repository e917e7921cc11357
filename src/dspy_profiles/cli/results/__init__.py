"""`results`: what was recorded, listed, searched and shown; its other commands are next door."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson, profile_names
from dspy_profiles.cli._output import MUTED, as_json, emit, note
from dspy_profiles.cli.results import diff, files, upkeep
from dspy_profiles.cli.results._options import Full, Named, StoreUrl, one_of, real, when, whole
from dspy_profiles.cli.results._show import show as show_view
from dspy_profiles.results.store import STATUSES

if TYPE_CHECKING:
    from dspy_profiles.results import Experiment, ExperimentQuery, Store

__all__ = ["add_to"]

LISTED = "20"


def add_to(app: typer.Typer) -> None:
    """Put this group of commands into an app."""
    group = typer.Typer(
        name="results",
        help="Look at what was recorded, compare it, keep it, learn from it.",
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
    str | None, typer.Option("--limit", "-n", metavar="N", help="So many, the latest.")
]


def list_experiments(
    *,
    limit: Limit = LISTED,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """List what was recorded, latest first."""
    from dspy_profiles.results import open_store

    most = whole(limit, "--limit") or 0
    with open_store(store) as opened:
        found = opened.query_experiments(limit=most + 1)
        _show_list(opened, found[:most], json=json)
    if not found:
        _tell(f"there are no experiments yet in {opened.url}; dspy-profiles run --record makes one")
    elif len(found) > most:
        _tell(f"these are the latest {most:,}; --limit N shows more")


Words = Annotated[
    str | None, typer.Option("--text", metavar="WORDS", help="All of these words, anywhere.")
]
Hypothesis = Annotated[
    str | None, typer.Option("--hypothesis", metavar="TEXT", help="A part of it.")
]
Program = Annotated[str | None, typer.Option("--program", metavar="NAME", help="What was tried.")]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME",
        help="The profile that it ran under.",
        autocompletion=profile_names,
    ),
]
Status = Annotated[
    str | None,
    typer.Option(
        "--status",
        metavar="|".join(STATUSES),
        help="How it ended.",
        autocompletion=lambda: list(STATUSES),
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Begun then or later: 2026-01-31, 12h, 7d."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="WHEN", help="Begun then or earlier.")
]
MinScore = Annotated[
    str | None, typer.Option("--min-score", metavar="X", help="A score of at least so much.")
]


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
    """Find experiments to which all of this applies, latest first."""
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
        found = opened.query_experiments(**wanted)
        _show_list(opened, found, json=json)
    if not found:
        _tell("nothing was found; dspy-profiles results list shows what there is")


def show(
    experiment: Named = "latest",
    *,
    full: Full = False,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """Show an experiment: scores, cost, how it was run, its trials and decisions."""
    from dspy_profiles.results import open_store
    from dspy_profiles.results.store import find_experiment

    with open_store(store) as opened:
        found = find_experiment(opened, experiment)
        if json:
            emit(
                store=opened.url,
                experiment=as_json(found.to_json()),
                trials=[as_json(each.to_json()) for each in opened.query_trials(found.id)],
            )
            return
        from dspy_profiles.results.views import view_experiment

        view = view_experiment(found.id, opened, full=full)
    show_view(view)


def _show_list(store: "Store", found: "list[Experiment]", *, json: bool) -> None:
    if json:
        emit(store=store.url, experiments=[as_json(each.to_json()) for each in found])
    elif found:
        from dspy_profiles.results.views import view_list

        show_view(view_list(found))


def _tell(text: str) -> None:
    note(Text(text, style=MUTED))
