"""`results export`, `import`, `examples`: experiments from and to files."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from dspy_profiles._control import escaped
from dspy_profiles.cli._options import Out, Overwrite
from dspy_profiles.cli._output import MUTED, note, out, out_text
from dspy_profiles.cli.results._options import Named, StoreUrl
from dspy_profiles.display import counted, on_path
from dspy_profiles.errors import Place, ProfileError, ProfileNotFound

__all__ = ["add_to"]


def add_to(group: typer.Typer) -> None:
    """Add these commands to the group."""
    group.command(epilog="Example: dspy-profiles results export latest --out run.zip")(export)
    group.command("import", epilog="Example: dspy-profiles results import run.zip")(import_)
    group.command(
        epilog="Example: dspy-profiles results examples latest --where 'score>=0.8' "
        "--out train.jsonl"
    )(examples)


def export(
    experiment: Named,
    *,
    to: Out = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Export the trials as CSV. Default for FILE.csv.")
    ] = False,
    yes: Overwrite = False,
    store: StoreUrl = None,
) -> None:
    """Export an experiment as a bundle, or its trials as CSV.

    A bundle is a zip file with hashes of its contents. `results import` reads it.
    """
    as_csv = csv or (to is not None and to.suffix.lower() == ".csv")
    if to is None and not as_csv:
        raise typer.BadParameter("missing file for the bundle: --out run.zip", param_hint="--out")
    from dspy_profiles.cli.profiles._write import new_file
    from dspy_profiles.results import open_store
    from dspy_profiles.results.store import find_experiment

    with open_store(store) as opened:
        exported = find_experiment(opened, experiment)
        if as_csv:
            from dspy_profiles.results.export import as_csv as table

            text = table(exported.id, opened)
            if to is None:
                out_text(text.replace("\r\n", "\n"))
                return
            with new_file(to, overwrite=yes) as file:
                file.write(text.encode())
        elif to is not None:
            from dspy_profiles.results.export import export_bundle

            with new_file(to, overwrite=yes) as file:
                export_bundle(exported.id, opened, file)
    if to is not None:
        note(Text(f"{exported.name} is written to {on_path(to)}", style=MUTED))


def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle of `results export`.")],
    *,
    store: StoreUrl = None,
) -> None:
    """Import an experiment from a bundle, after checking it."""
    from dspy_profiles.results import open_store
    from dspy_profiles.results.export import import_bundle

    if not os.path.exists(source):  # noqa: PTH110 - Path.exists would raise
        hint = "name a bundle that dspy-profiles results export wrote"
        raise ProfileNotFound("file not found", hint, Place(source))
    with open_store(store) as opened:
        done = import_bundle(source, opened)
    outcome = " is already in the store" if done.was_there else " is imported"
    name = (done.experiment.name, "bold")
    out(Text.assemble(name, outcome, (f"   {done.experiment.id}", MUTED)))


def examples(
    experiment: Named,
    *,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Condition, such as 'score>=0.8'. Default: no error.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="FIELD", help="Omit a field. Repeatable."),
    ] = None,
    to: Out = None,
    yes: Overwrite = False,
    store: StoreUrl = None,
) -> None:
    """Export good trials as examples, one JSON object per line.

    In Python, load_examples reads them as dspy.Example.
    """
    from dspy_profiles.results import open_store
    from dspy_profiles.results.export import extract, parse_where
    from dspy_profiles.results.store import find_experiment

    try:
        bars = () if where is None else parse_where(where)
    except ProfileError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}", param_hint="--where") from None
    with open_store(store) as opened:
        source = find_experiment(opened, experiment)
        extracted = extract(source, opened, bars, drop or ())
    if to is None:
        out_text(escaped(extracted.text.decode()))
    else:
        from dspy_profiles.cli.profiles._write import new_file

        with new_file(to, overwrite=yes) as file:
            file.write(extracted.text)
    count = len(extracted.rows)
    at = "" if to is None else f"   {on_path(to)}"
    note(Text(f"{counted(count, 'example')} of {source.name}{at}", style=MUTED))
    for reason, number in extracted.left_out.items():
        note(Text(f"omitted: {number:,} that {reason}", style=MUTED))
