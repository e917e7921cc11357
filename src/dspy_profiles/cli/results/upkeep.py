"""`results verify`, `recover`, `rebuild`: whether the record is sound, and what mends it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson
from dspy_profiles.cli._output import MUTED, columns, emit, note, out, warn
from dspy_profiles.cli.results._options import WHICH, StoreUrl, experiments
from dspy_profiles.display import counted
from dspy_profiles.profiles import Scene
from dspy_profiles.secrets import Names

if TYPE_CHECKING:
    from dspy_profiles.results import Experiment, Fault, Store

__all__ = ["add_to"]

HARMLESS = "late"  # came after it was closed, and does not count


def add_to(group: typer.Typer) -> None:
    """Put these commands into the group."""
    group.command(epilog="Example: dspy-profiles results verify latest")(verify)
    group.command(epilog="Example: dspy-profiles results recover")(recover)
    group.command(epilog="Example: dspy-profiles results rebuild")(rebuild)


@dataclass(frozen=True)
class Verified:
    """One experiment, what is wrong with its record, and what in it looks like a key."""

    experiment: "Experiment"
    faults: "list[Fault]"
    findings: list[dict[str, str]]

    @property
    def is_sound(self) -> bool:
        return all(fault.kind == HARMLESS for fault in self.faults)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.experiment.id,
            "name": self.experiment.name,
            "ok": self.is_sound,
            "faults": [vars(fault) for fault in self.faults],
            "findings": self.findings,
        }


def verify(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="EXP",
            help=f"An experiment, else all: {WHICH}",
            autocompletion=experiments,
        ),
    ] = None,
    *,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """Compare what is kept with its hashes; ends with 1 where something was changed.

    What merely looks like a key is told as well.
    """
    from dspy_profiles.results import open_store
    from dspy_profiles.results.store import find_experiment

    names = Scene.now().names
    with open_store(store) as opened:
        found = (
            opened.query_experiments()
            if experiment is None
            else [find_experiment(opened, experiment)]
        )
        verified = [_verified(opened, each, names) for each in found]
        url = opened.url
    is_sound = all(each.is_sound for each in verified)
    if json:
        emit(store=url, ok=is_sound, experiments=[each.to_json() for each in verified])
    else:
        _say(verified)
    if not is_sound:
        raise typer.Exit(1)


def recover(*, store: StoreUrl = None) -> None:
    """Close what a dead process left open, as "interrupted"."""
    from dspy_profiles.results import open_store

    with open_store(store) as opened:
        closed = opened.recover()
    rows = [
        (each.id, Text(each.name, style="bold"), each.status, f"{each.trials:,} trials")
        for each in closed
    ]
    if rows:
        out(columns(rows))
    else:
        note(Text("nothing was left open by a dead process", style=MUTED))


def rebuild(*, store: StoreUrl = None) -> None:
    """Make everything anew from the journals, which are the truth."""
    from dspy_profiles.results import open_store

    with open_store(store) as opened:
        count = opened.rebuild()
    out(f"made anew: {counted(count, 'experiment')}")


def _verified(store: "Store", experiment: "Experiment", names: Names) -> Verified:
    faults = list(store.verify(experiment.id))
    return Verified(experiment, faults, list(_findings(store, experiment.id, names)))


def _say(verified: list[Verified]) -> None:
    rows = []
    for each in verified:
        name = Text(each.experiment.name, style="bold")
        said = Text("sound") if each.is_sound else Text("not sound", style="red")
        rows.append((each.experiment.id, name, said))
    if rows:
        out(columns(rows))
    else:
        note(Text("there are no experiments yet", style=MUTED))
    for each in verified:
        for fault in each.faults:
            style = MUTED if fault.kind == HARMLESS else "red"
            out(Text.assemble((f"  {fault.kind}: {fault.message}", style)))
            out(Text(f"    {fault.where}", style=MUTED))
            if fault.kind == "open":
                note(Text("  dspy-profiles results recover closes what a dead process left open"))
        for finding in each.findings:
            warn("this looks like {what}: {excerpt}, in {where}".format(**finding))


def _findings(store: "Store", experiment_id: str, names: Names) -> Iterator[dict[str, str]]:
    """What looks like a key, in the journals and in their long texts."""
    from dspy_profiles.calls.cassettes import looks
    from dspy_profiles.results.journal import held, long_texts_in

    storage, seen = store.storage, set[str]()
    with held(storage):
        for journal in storage.names(experiment_id):
            for number, line in enumerate(storage.lines(experiment_id, journal), 1):
                new = long_texts_in(line) - seen
                seen |= new
                texts = [line, *(storage.blob(name) or b"" for name in new)]
                told = {each for text in texts for each in looks(text, names)}
                where = f"{storage.place(experiment_id, journal)}:{number}"
                for what, excerpt in sorted(told):
                    yield {"what": what, "excerpt": excerpt, "where": where}
