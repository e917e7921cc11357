"""`trace`: an experiment, or the steps of one of its trials, also while it runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson, Overwrite
from dspy_profiles.cli._output import MUTED, as_json, emit, note
from dspy_profiles.cli.results._options import Full, Named, StoreUrl
from dspy_profiles.display import on_path

if TYPE_CHECKING:
    from dspy_profiles.results import Experiment, Store, Trial

__all__ = ["add_to"]

EXAMPLE = "Example: dspy-profiles trace latest 3"


def add_to(app: typer.Typer) -> None:
    """Add this command to an app."""
    app.command(epilog=EXAMPLE)(trace)


def trace(
    experiment: Named = "latest",
    trial: Annotated[
        str | None,
        typer.Argument(metavar="TRIAL", help="Trial of the experiment: number, id or name."),
    ] = None,
    *,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write an HTML page instead."),
    ] = None,
    full: Full = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new steps while it runs.")
    ] = False,
    yes: Overwrite = False,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """Show an experiment, or the steps of one of its trials."""
    if follow and (json or html is not None):
        raise typer.BadParameter("excludes --json and --html", param_hint="--follow")
    from dspy_profiles.results import open_store
    from dspy_profiles.results.store import find_experiment, find_trial

    with open_store(store) as opened:
        shown = find_experiment(opened, experiment)
        one = None if trial is None else find_trial(opened, shown, trial)
        if follow:
            from dspy_profiles.cli.results._follow import follow as follow_run

            follow_run(opened, shown, one, full=full)
        elif json:
            _emit(opened, shown, one)
        else:
            _show(opened, shown, one, html, full=full, overwrite=yes)


def _emit(store: "Store", experiment: "Experiment", trial: "Trial | None") -> None:
    trials = store.query_trials(experiment.id) if trial is None else [trial]
    events = store.events(experiment.id, None if trial is None else trial.id)
    emit(
        store=store.url,
        experiment=as_json(experiment.to_json()),
        trials=[as_json(each.to_json()) for each in trials],
        events=[as_json(each.to_json()) for each in events],
    )


def _show(
    store: "Store",
    experiment: "Experiment",
    trial: "Trial | None",
    html: Path | None,
    *,
    full: bool,
    overwrite: bool,
) -> None:
    from dspy_profiles.results.views import ExperimentView, TrialView, view_experiment, view_trial

    view: ExperimentView | TrialView
    if trial is None:
        view = view_experiment(experiment.id, store, full=full)
    else:
        view = view_trial(experiment.id, trial.id, store, full=full)
    if html is None:
        from dspy_profiles.cli.results._options import show

        show(view)
        return
    from dspy_profiles.cli.profiles._write import new_file

    with new_file(html, overwrite=overwrite) as file:
        file.write(view.html().encode())
    note(Text(f"HTML page written to {on_path(html)}", style=MUTED))
