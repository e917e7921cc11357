"""`cassettes list`, `check`, `prune`: files of recorded model responses."""

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson, Yes, confirm, need_a_person
from dspy_profiles.cli._output import MUTED, columns, emit, note, out
from dspy_profiles.config import Want, demand, is_inside
from dspy_profiles.display import counted, on_path, show_place
from dspy_profiles.errors import InvalidFile, Place, ProfileNotFound
from dspy_profiles.profiles import Scene

if TYPE_CHECKING:
    from dspy_profiles.calls.cassettes import Finding

__all__ = ["add_to"]

Folder = Annotated[
    Path | None,
    typer.Argument(metavar="PATH", help="A cassette or a folder. Default: the project's."),
]
SIZES = ("B", "KB", "MB", "GB")
AGES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def add_to(app: typer.Typer) -> None:
    """Add this group of commands to an app."""
    group = typer.Typer(
        name="cassettes",
        help="List, check and prune cassettes (recorded model responses).",
        no_args_is_help=True,
    )
    group.command("list", epilog="Example: dspy-profiles cassettes list")(list_cassettes)
    group.command(epilog="Example: dspy-profiles cassettes check tests/cassettes")(check)
    group.command(epilog="Example: dspy-profiles cassettes prune --yes")(prune)
    app.add_typer(group)


def list_cassettes(path: Folder = None, *, json: AsJson = False) -> None:
    """List cassettes with their requests, size, age and models."""
    from dspy_profiles.calls.cassettes import describe

    cassettes, errors = [], []
    for file in _files(path):
        try:
            _check_link(file, path)
            cassettes.append(describe(file))
        except InvalidFile as error:
            errors.append(error)
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
                for one in cassettes
            ],
            errors=_as_json(errors),
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
            for one in cassettes
        ]
        if rows:
            out(columns(rows, ("CASSETTE", "REQUESTS", "SIZE", "AGE", "MODELS")))
        elif not errors:
            note(Text("no cassettes yet", style=MUTED))
        _note_errors(errors)
    if errors:
        raise typer.Exit(4)


def check(path: Folder = None, *, json: AsJson = False) -> None:
    """Check cassettes for keys; exits with 1 if there are any."""
    files = list(_files(path))
    findings, errors = _scan(files, path)
    if json:
        emit(
            ok=not findings and not errors,
            findings=[
                {
                    "path": str(one.where.file),
                    "line": one.where.line,
                    "what": one.what,
                    "excerpt": one.excerpt,
                }
                for one in findings
            ],
            errors=_as_json(errors),
        )
    elif findings:
        rows = [
            (show_place(one.where), Text(one.what, style="red"), one.excerpt) for one in findings
        ]
        out(columns(rows))
        note("  hint: move the secret to .env, refer to it in the profile, and record these again")
    elif not errors or len(errors) < len(files):
        out(f"no keys in {counted(len(files) - len(errors), 'cassette')}")
    if not json:
        _note_errors(errors)
    if findings or errors:
        raise typer.Exit(1 if findings else 4)


def _scan(files: Sequence[Path], start: Path | None) -> tuple[list["Finding"], list[InvalidFile]]:
    """Return what looks like a key, in invalid files as well, and an error per invalid file."""
    from dspy_profiles.calls.cassettes import describe, scan

    names = Scene.now().names
    findings: list[Finding] = []
    errors: list[InvalidFile] = []
    for file in files:
        try:
            _check_link(file, start)
            findings += scan(file, names)
            describe(file)
        except InvalidFile as error:
            errors.append(error)
    return findings, errors


def prune(path: Folder = None, *, yes: Yes = False) -> None:
    """Remove what the last full test run did not use."""
    from dspy_profiles.calls.cassettes import prune as prune_one
    from dspy_profiles.calls.cassettes import read_last_run

    root = Scene.now().locations.root
    last = read_last_run(root)
    if last is None:
        raise ProfileNotFound(
            "no full test run found",
            hint="run all tests once: pytest --dspy-cassettes none",
        )
    # What goes is named by the folder, not by the record of the run: that may name any file.
    own = {os.path.realpath(file): file for file in _own_files(path, root)}
    files = [own[real] for name in last.files if (real := os.path.realpath(name)) in own]
    requests = {
        own[real]: each
        for name, each in last.requests.items()
        if (real := os.path.realpath(name)) in own
    }
    rows = [(on_path(file), Text("not used by any test", style=MUTED)) for file in files]
    rows += [
        (on_path(file), Text(f"requests not used by any test: {len(each.keys)}", style=MUTED))
        for file, each in requests.items()
    ]
    if not rows:
        out("nothing to remove: the last full test run used everything")
        return
    out(columns(rows))
    if not yes:
        need_a_person("--yes removes without asking")
        if not confirm("Remove these?"):
            note("nothing was removed")
            raise typer.Exit(1)
    for file in files:
        file.unlink(missing_ok=True)
    for file, each in requests.items():
        if file.exists():
            prune_one(file, set(each.keys), match=tuple(each.match))
    out(f"removed from {counted(len(rows), 'cassette')}")


def _files(path: Path | None) -> Iterator[Path]:
    """Yield the cassettes at a path. Raise ProfileNotFound if a given path has none."""
    start = path if path is not None else _own_folder()
    if start.is_file():
        yield start
    elif start.is_dir():
        yield from sorted(start.rglob("*.jsonl"))
    elif path is not None:
        raise ProfileNotFound(f"cassette or folder {path} not found")


def _own_files(path: Path | None, root: Path) -> Iterator[Path]:
    """Yield the cassettes that `prune` may change: files in the folder, and no links to others."""
    start = _own_folder() if path is None else path
    folder = os.path.realpath(start if start.is_dir() else start.parent)
    if path is None and not _is_within(folder, os.path.realpath(root)):
        raise InvalidFile(
            "the folder of cassettes is outside of the project",
            f"name it: dspy-profiles cassettes prune {shlex.quote(str(start))}",
            Place(start),
        )
    for file in _files(path):
        if file.is_file() and not file.is_symlink() and _is_within(os.path.realpath(file), folder):
            yield file


def _is_within(real: str, folder: str) -> bool:
    return Path(real).is_relative_to(folder)


def _check_link(file: Path, start: Path | None) -> None:
    """Raise InvalidFile for a link in a folder that leads out of it."""
    folder = _own_folder() if start is None else start
    real = os.path.realpath(file)
    if folder.is_dir() and not _is_within(real, os.path.realpath(folder)):
        raise InvalidFile(
            "a symbolic link to a file outside of the folder",
            "replace the link by the file, or remove it",
            Place(file),
        )


def _own_folder() -> Path:
    scene = Scene.now()
    folder = scene.settings.path("cassette-dir") or scene.locations.root / "cassettes"
    if not is_inside(folder, scene.locations.checkout):
        setting = scene.settings.values["cassette-dir"]
        if setting.layer == "built-in":
            raise InvalidFile(
                "the folder of cassettes is a link out of the project",
                f"name it: dspy-profiles cassettes list {shlex.quote(str(folder))}",
                Place(folder),
            )
        want = Want("read", os.path.realpath(folder), setting, setting.origin)
        demand([want], "the setting cassette-dir")
    return folder


def _size(size: float) -> str:
    for unit in SIZES[:-1]:
        if size < 1000:  # noqa: PLR2004 - as people count
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {SIZES[-1]}"


def _age(modified: float) -> str:
    seconds = max(0.0, time.time() - modified)
    return next((f"{seconds // each:.0f} {unit}" for each, unit in AGES if seconds >= each), "now")


def _as_json(errors: Sequence[InvalidFile]) -> list[dict[str, Any]]:
    return [
        {"message": each.message, "hint": each.hint, "where": str(each.where)} for each in errors
    ]


def _note_errors(errors: Sequence[InvalidFile]) -> None:
    for error in errors:
        note(Text(" ".join(str(error).split()), style="red"))
