"""`results export`, `import`, `examples`: experiments from and to files."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from dspy_profiles.cli._options import Out, Overwrite
from dspy_profiles.cli._output import MUTED, note, out, out_raw
from dspy_profiles.cli.results._options import Named, StoreUrl
from dspy_profiles.display import counted, on_path
from dspy_profiles.errors import Place, ProfileError, ProfileNotFound

__all__ = ["add_to"]


def add_to(group: typer.Typer) -> None:
    """Put these commands into the group."""
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
        bool, typer.Option("--csv", help="The trials as a table, as for a FILE.csv.")
    ] = False,
    yes: Overwrite = False,
    store: StoreUrl = None,
) -> None:
    """Write an experiment to one file that another store imports, or its trials as CSV.

    The file is a zip archive with hashes of all that is in it.
    """
    as_csv = csv or (to is not None and to.suffix.lower() == ".csv")
    if to is None and not as_csv:
        raise typer.BadParameter("a bundle needs a file: --out run.zip", param_hint="--out")
    from dspy_profiles.cli.profiles._write import new_file
    from dspy_profiles.results import open_store
    from dspy_profiles.results.store import find_experiment

    with open_store(store) as opened:
        found = find_experiment(opened, experiment)
        if as_csv:
            from dspy_profiles.results.export import as_csv as table

            text = table(found.id, opened)
            if to is None:
                out_raw(text.replace("\r\n", "\n"))
                return
            with new_file(to, overwrite=yes) as file:
                file.write(text.encode())
        elif to is not None:
            from dspy_profiles.results.export import export_bundle

            with new_file(to, overwrite=yes) as file:
                export_bundle(found.id, opened, file)
    _say_written(found.name, to)


def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What results export wrote.")],
    *,
    store: StoreUrl = None,
) -> None:
    """Take an experiment over from a file, with its ids; all of it is checked first."""
    from dspy_profiles.results import open_store
    from dspy_profiles.results.export import import_bundle

    if not os.path.exists(source):  # noqa: PTH110 - Path.exists would raise
        raise ProfileNotFound(
            "there is no such file", "name what results export wrote", Place(source)
        )
    with open_store(store) as opened:
        done = import_bundle(source, opened)
    said = " was there already" if done.was_there else " is imported"
    name = (done.experiment.name, "bold")
    out(Text.assemble(name, said, (f"   {done.experiment.id}", MUTED)))


def examples(
    experiment: Named,
    *,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Which trials are good, as in 'score>=0.8'; else those without an error.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="FIELD", help="Leave a field out; may be given again."),
    ] = None,
    to: Out = None,
    yes: Overwrite = False,
    store: StoreUrl = None,
) -> None:
    """Turn good trials into rows to learn from: one JSON object a line.

    In Python, load_examples reads them back as dspy.Example.
    """
    from dspy_profiles.results import open_store
    from dspy_profiles.results.export import extract, parse_where
    from dspy_profiles.results.store import find_experiment

    try:
        bars = () if where is None else parse_where(where)
    except ProfileError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}", param_hint="--where") from None
    with open_store(store) as opened:
        found = find_experiment(opened, experiment)
        made = extract(found, opened, bars, drop or ())
    if to is None:
        out_raw(made.text.decode())
    else:
        from dspy_profiles.cli.profiles._write import new_file

        with new_file(to, overwrite=yes) as file:
            file.write(made.text)
    count = len(made.rows)
    at = "" if to is None else f"   {on_path(to)}"
    note(Text(f"{counted(count, 'example')} of {found.name}{at}", style=MUTED))
    for reason, number in made.left_out.items():
        note(Text(f"left out: {number:,} that {reason}", style=MUTED))


def _say_written(name: str, to: Path | None) -> None:
    if to is not None:
        note(Text(f"{name} is written to {on_path(to)}", style=MUTED))
