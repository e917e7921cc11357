"""`trust`: let the files of a project act."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson
from dspy_profiles.cli._output import MUTED, columns, emit, note, out
from dspy_profiles.config import TRUSTED, acting_files, acts, deeds_in, find_locations, shown
from dspy_profiles.display import on_path, word
from dspy_profiles.errors import InvalidFile

__all__ = ["add_to"]

MEANINGS = {
    "import": "imports",
    "start": "starts",
    "connect": "uses the address",
    "send": "sends",
    "read": "reads",
    "write": "writes to",
    "set": "sets",
    "put": "sets",
    "refer": "refers to",
}


def add_to(app: typer.Typer) -> None:
    """Add this command to an app."""
    app.command(epilog="Example: dspy-profiles trust path/to/project")(trust)


def trust(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A project, or a file. Default: this project."),
    ] = None,
    *,
    below: Annotated[
        bool, typer.Option("--below", help="Trust everything below DIR, now and later.")
    ] = False,
    show: Annotated[bool, typer.Option("--list", help="List what is trusted.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Trust it no longer.")] = False,
    json: AsJson = False,
) -> None:
    """Let a project's files import, connect and read as they say.

    Other edits of a trusted file never ask again; what acts in it does, once it has changed.
    """
    if show + remove + below > 1:
        raise typer.BadParameter("use only one of --below, --list and --remove")
    if show:
        _list(json=json)
        return
    target = Path.cwd() if folder is None else folder
    if not target.exists() and not remove:
        raise InvalidFile(f"{target} does not exist", hint="name a folder")
    place = target.absolute()
    if remove:
        gone = TRUSTED.remove(place)
        if json:
            emit(removed=gone)
        else:
            out(*(f"no longer trusted: {on_path(Path(path))}" for path in gone))
            _say_nothing(gone, place, "was trusted")
    else:
        _add(place, below=below, json=json)


def _add(place: Path, *, below: bool, json: bool) -> None:
    files = [] if below else _files(place)
    deeds = {path: deeds_in(path) for path in files}
    TRUSTED.add(files, below=place if below else None)
    if json:
        emit(
            files=[
                {
                    "path": str(path),
                    "acts": [{"kind": d[0], "key": d[1], "value": shown(d)} for d in found],
                }
                for path, found in deeds.items()
            ],
            below=str(place) if below else None,
        )
        return
    for path, found in deeds.items():
        out(f"trusted: {on_path(path)}")
        rows = [
            (Text(f"  {deed[1]}", style=MUTED), Text(f"{MEANINGS[deed[0]]} {shown(deed)}"))
            for deed in found
        ]
        out(columns(rows))
    if below:
        out(f"trusted: everything below {on_path(place)}")
    else:
        _say_nothing(files, place, "needs trust")


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return acting_files(find_locations(place, environ=_without_named_file()))
    return [place] if acts(deeds_in(place)) else []


def _without_named_file() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if name != "DSPY_PROFILES_PATH"}


def _say_nothing(found: list[Path] | list[str], place: Path, what: str) -> None:
    if not found:
        note(f"nothing in {on_path(place)} {what}")


def _list(*, json: bool) -> None:
    kept = TRUSTED.read()
    files = {Path(path): TRUSTED.has(Path(path)) for path in sorted(kept.files)}
    if json:
        emit(
            files=[{"path": str(p), "unchanged": same} for p, same in files.items()],
            below=sorted(kept.below),
        )
        return
    rows = [
        (Text(str(path)), Text("" if same else _changed(path), style=MUTED))
        for path, same in files.items()
    ]
    rows += [(Text(folder), Text("and below", style=MUTED)) for folder in kept.below]
    if rows:
        out(columns(rows))
    else:
        out("nothing is trusted")


def _changed(path: Path) -> str:
    if not path.exists():
        return "not found"
    return f"changed since: dspy-profiles trust {word(path.parent)}"
