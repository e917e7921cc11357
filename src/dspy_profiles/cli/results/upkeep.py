"""`results verify`, `recover`, `rebuild`: check recorded experiments, and repair a store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson
from dspy_profiles.cli._output import MUTED, columns, emit, note, out, warn
from dspy_profiles.cli.results._options import WHICH, StoreUrl, experiments
from dspy_profiles.display import counted
from dspy_profiles.errors import StoreError
from dspy_profiles.profiles import Scene
from dspy_profiles.secrets import Names

if TYPE_CHECKING:
    from dspy_profiles.results import Experiment, Fault, Store

__all__ = ["add_to"]

HARMLESS = "late"  # written after the experiment was archived, and ignored


def add_to(group: typer.Typer) -> None:
    """Add these commands to the group."""
    group.command(epilog="Example: dspy-profiles results verify latest")(verify)
    group.command(epilog="Example: dspy-profiles results recover")(recover)
    group.command(epilog="Example: dspy-profiles results rebuild")(rebuild)


@dataclass(frozen=True)
class Verified:
    """An experiment, the errors in its record, and what in it looks like a key."""

    experiment: "Experiment"
    faults: "Sequence[Fault]"
    findings: list[dict[str, str]]

    @property
    def is_valid(self) -> bool:
        return all(fault.kind == HARMLESS for fault in self.faults)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.experiment.id,
            "name": self.experiment.name,
            "ok": self.is_valid,
            "faults": [vars(fault) for fault in self.faults],
            "findings": self.findings,
        }


def verify(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="EXP",
            help=f"Experiment: {WHICH} Default: all.",
            autocompletion=experiments,
        ),
    ] = None,
    *,
    store: StoreUrl = None,
    json: AsJson = False,
) -> None:
    """Verify hashes of experiments; exits with 1 on a mismatch.

    Also reports text that looks like a key.
    """
    from dspy_profiles.results import open_store
    from dspy_profiles.results.store import find_experiment

    names = Scene.now().names
    with open_store(store) as opened:
        chosen = (
            opened.query_experiments()
            if experiment is None
            else [find_experiment(opened, experiment)]
        )
        verified = [_verified(opened, each, names) for each in chosen]
        url = opened.url
    is_valid = all(each.is_valid for each in verified)
    if json:
        emit(store=url, ok=is_valid, experiments=[each.to_json() for each in verified])
    else:
        _print(verified)
    if not is_valid:
        raise typer.Exit(1)


def recover(*, store: StoreUrl = None) -> None:
    """Close experiments of processes that died, as "interrupted"."""
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
        note(Text("nothing to recover", style=MUTED))


def rebuild(*, store: StoreUrl = None) -> None:
    """Rebuild trials and summaries from the journals."""
    from dspy_profiles.results import open_store

    with open_store(store) as opened:
        count = opened.rebuild()
    out(f"rebuilt {counted(count, 'experiment')}")


def _verified(store: "Store", experiment: "Experiment", names: Names) -> Verified:
    from dspy_profiles.results import Fault

    try:
        faults = list(store.verify(experiment.id))
        return Verified(experiment, faults, list(_findings(store, experiment.id, names)))
    except StoreError as error:
        where = store.url if error.where is None else str(error.where)
        return Verified(experiment, [Fault("damaged", error.message, where)], [])


def _print(verified: list[Verified]) -> None:
    rows = []
    for each in verified:
        name = Text(each.experiment.name, style="bold")
        verdict = Text("ok") if each.is_valid else Text("invalid", style="red")
        rows.append((each.experiment.id, name, verdict))
    if rows:
        out(columns(rows))
    else:
        note(Text("no experiments yet", style=MUTED))
    for each in verified:
        for fault in each.faults:
            style = MUTED if fault.kind == HARMLESS else "red"
            out(Text.assemble((f"  {fault.kind}: {fault.message}", style)))
            out(Text(f"    {fault.where}", style=MUTED))
            if fault.kind == "open":
                note(Text("    hint: dspy-profiles results recover"))
        for finding in each.findings:
            warn("{excerpt} looks like {what}, in {where}".format(**finding))


def _findings(store: "Store", experiment_id: str, names: Names) -> Iterator[dict[str, str]]:
    """Yield what looks like a key, in the journals and in their long texts."""
    from dspy_profiles.calls.cassettes import looks
    from dspy_profiles.results.journal import held, long_texts_in

    storage, seen = store.storage, set[str]()
    with held(storage):
        for journal in storage.names(experiment_id):
            for number, line in enumerate(storage.lines(experiment_id, journal), 1):
                new = long_texts_in(line) - seen
                seen |= new
                texts = [line, *(storage.blob(name) or b"" for name in new)]
                keys = {each for text in texts for each in looks(text, names)}
                where = f"{storage.place(experiment_id, journal)}:{number}"
                for what, excerpt in sorted(keys):
                    yield {"what": what, "excerpt": excerpt, "where": where}
