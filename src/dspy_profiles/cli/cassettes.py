"""`cassettes list`, `check`, `prune`: the files that tests are replayed from."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson, Yes, need_a_person
from dspy_profiles.cli._output import MUTED, columns, emit, note, out
from dspy_profiles.display import counted, on_path, show_place
from dspy_profiles.errors import InvalidFile, InvalidProfile, ProfileNotFound
from dspy_profiles.profiles import Scene

if TYPE_CHECKING:
    from dspy_profiles.calls.cassettes import Finding

__all__ = ["add_to"]

Folder = Annotated[
    Path | None,
    typer.Argument(metavar="PATH", help="A cassette, or a folder of them; else the project's."),
]
SIZES = ("B", "KB", "MB", "GB")
AGES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def add_to(app: typer.Typer) -> None:
    """Put this group of commands into an app."""
    group = typer.Typer(
        name="cassettes",
        help="List, check and prune what tests are replayed from.",
        no_args_is_help=True,
    )
    group.command("list", epilog="Example: dspy-profiles cassettes list")(list_cassettes)
    group.command(epilog="Example: dspy-profiles cassettes check tests/cassettes")(check)
    group.command(epilog="Example: dspy-profiles cassettes prune --yes")(prune)
    app.add_typer(group)


def list_cassettes(path: Folder = None, *, json: AsJson = False) -> None:
    """List cassettes with what is on them, their size, age and models."""
    from dspy_profiles.calls.cassettes import describe

    found, faults = [], []
    for file in _files(path):
        try:
            found.append(describe(file))
        except InvalidFile as fault:
            faults.append(fault)
    if json:
        emit(
            cassettes=[
                {
                    "path": str(one.path),
                    "size": one.size,
                    "modified": one.modified,
                    "format": one.version,
                    "dspy": one.dspy,
                    "profile": one.profile or None,
                    "requests": one.requests,
                    "responses": one.responses,
                    "models": list(one.models),
                }
                for one in found
            ],
            errors=_as_json(faults),
        )
    else:
        rows = [
            (
                on_path(one.path),
                f"{one.requests}",
                _size(one.size),
                _age(one.modified),
                Text(", ".join(one.models), style=MUTED),
            )
            for one in found
        ]
        if rows:
            out(columns(rows, ("CASSETTE", "REQUESTS", "SIZE", "AGE", "MODELS")))
        elif not faults:
            note(Text("there are no cassettes yet", style=MUTED))
        _tell(faults)
    if faults:
        raise typer.Exit(4)


def check(path: Folder = None, *, json: AsJson = False) -> None:
    """Look for what looks like a key; ends with 1 where something does."""
    files = list(_files(path))
    found, faults = _scanned(files)
    if json:
        emit(
            ok=not found and not faults,
            findings=[
                {
                    "path": str(one.where.file),
                    "line": one.where.line,
                    "what": one.what,
                    "excerpt": one.excerpt,
                }
                for one in found
            ],
            errors=_as_json(faults),
        )
    elif found:
        rows = [(show_place(one.where), Text(one.what, style="red"), one.excerpt) for one in found]
        out(columns(rows))
        note("record these again with the secret in .env and a reference in the profile")
    elif not faults or len(faults) < len(files):
        sound = len(files) - len(faults)
        them = "it" if sound == 1 else "them"
        out(f"{counted(sound, 'cassette')}, and nothing in {them} looks like a key")
    if not json:
        _tell(faults)
    if found or faults:
        raise typer.Exit(1 if found else 4)


def _scanned(files: Sequence[Path]) -> tuple[list["Finding"], list[InvalidFile]]:
    """What looks like a key, in broken files as well, and which files are broken."""
    from dspy_profiles.calls.cassettes import describe, scan

    names = Scene.now().names
    found: list[Finding] = []
    faults: list[InvalidFile] = []
    for file in files:
        try:
            found += scan(file, names)
            describe(file)
        except InvalidFile as fault:
            faults.append(fault)
    return found, faults


def prune(path: Folder = None, *, yes: Yes = False) -> None:
    """Remove what the last full run of the tests has not used."""
    from dspy_profiles.calls.cassettes import prune as prune_one
    from dspy_profiles.calls.cassettes import read_last_run

    root = Scene.now().locations.root
    last = read_last_run(root)
    if last is None:
        raise ProfileNotFound(
            "no full run of the tests is known here",
            hint="run all tests once with their cassettes: pytest --dspy-cassettes none",
        )
    wanted = {file.resolve() for file in _files(path)}
    files = [Path(name) for name in last.files if Path(name).resolve() in wanted]
    requests = {n: r for n, r in last.requests.items() if Path(n).resolve() in wanted}
    rows = [(on_path(file), Text("no test opens it", style=MUTED)) for file in files]
    rows += [
        (on_path(Path(name)), Text(f"requests that no test makes: {len(each.keys)}", style=MUTED))
        for name, each in requests.items()
    ]
    if not rows:
        out("the last full run has used everything")
        return
    out(columns(rows))
    if not yes:
        need_a_person("--yes removes without asking")
        if not typer.confirm("Remove these?", err=True):
            note("they stay")
            raise typer.Exit(1)
    for file in files:
        file.unlink(missing_ok=True)
    for name, each in requests.items():
        if Path(name).exists():
            prune_one(Path(name), set(each.keys), match=tuple(each.match))
    out(f"removed from {counted(len(rows), 'cassette')}")


def _files(path: Path | None) -> Iterator[Path]:
    """The cassettes there; an error where a path that was named is not there."""
    start = path if path is not None else _own_folder()
    if start.is_file():
        yield start
    elif start.is_dir():
        yield from sorted(start.rglob("*.jsonl"))
    elif path is not None:
        raise ProfileNotFound(f"{path} is neither a cassette nor a folder")


def _own_folder() -> Path:
    scene = Scene.now()
    given = scene.settings.path("cassette-dir")
    return given if given is not None else scene.locations.root / "cassettes"


def _size(size: float) -> str:
    for unit in SIZES[:-1]:
        if size < 1000:  # noqa: PLR2004 - as people count
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {SIZES[-1]}"


def _age(modified: float) -> str:
    seconds = max(0.0, time.time() - modified)
    return next((f"{seconds // each:.0f} {unit}" for each, unit in AGES if seconds >= each), "now")


def _as_json(faults: Sequence[InvalidFile]) -> list[dict[str, Any]]:
    return [
        {"message": each.message, "hint": each.hint, "where": str(each.where)} for each in faults
    ]


def _tell(faults: Sequence[InvalidProfile | InvalidFile]) -> None:
    for fault in faults:
        note(Text(" ".join(str(fault).split()), style="red"))
