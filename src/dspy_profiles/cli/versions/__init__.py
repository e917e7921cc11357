"""`versions`: run a command under several versions of DSPy, side by side, and compare."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dspy_profiles.cli._options import AsJson, Profile
from dspy_profiles.cli._output import as_json, columns, emit, note, out
from dspy_profiles.config import locate, vouch_for_code
from dspy_profiles.display import counted, on_path
from dspy_profiles.errors import WriteFailed
from dspy_profiles.run import code_of

if TYPE_CHECKING:
    from dspy_profiles.versions import Command, Comparison, Environment, Ran, Recipe

__all__ = ["add_to"]

NAME = "versions"
COMMAND = "command"  # the key in Typer's context
EXAMPLE = "dspy-profiles versions 3.1 3.4 -- pytest"
ENDINGS = (0, 1, 5)  # exit codes of pytest that say: the tests ran


def add_to(app: typer.Typer) -> None:
    """Add this command to an app."""
    app.command(NAME, cls=Versions, epilog=f"Example: {EXAMPLE}")(versions)


class Versions(TyperCommand):
    """A command whose words after `--` are another command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[COMMAND] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "-- CMD..."]


Wanted = Annotated[
    list[str] | None,
    typer.Argument(metavar="VERSION", help="Versions of DSPy: 3.1 is its newest, or 3.1.2."),
]
Python = Annotated[
    str | None,
    typer.Option("--python", metavar="PY", help="Python: 3.12, or a path. Default: this one."),
]
More = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="REQ", help="Another package, or -r FILE."),
]
Live = Annotated[bool, typer.Option("--live", help="Call models where no response is recorded.")]
Cassette = Annotated[
    Path | None,
    typer.Option("--cassette", metavar="FILE", help="Cassette of a program. Tests have theirs."),
]
Shown = Annotated[bool, typer.Option("--verbose", "-v", help="Print the command's output.")]
Full = Annotated[bool, typer.Option("--full", help="Print all tests and full texts.")]
Listed = Annotated[bool, typer.Option("--list", help="List the environments that exist.")]
Cleaned = Annotated[bool, typer.Option("--clean", help="Delete all environments.")]


def versions(
    ctx: typer.Context,
    wanted: Wanted = None,
    *,
    python: Python = None,
    more: More = None,
    profile: Profile = None,
    cassette: Cassette = None,
    live: Live = False,
    shown: Shown = False,
    full: Full = False,
    listed: Listed = False,
    cleaned: Cleaned = False,
    json: AsJson = False,
) -> None:
    """Run a command under several versions of DSPy, and compare.

    Each version has an environment of its own, made by uv and kept. The command runs offline, on
    copies of your cassettes. Exits with 1 if a test ends differently under another version.
    """
    words: list[str] = ctx.meta.get(COMMAND, [])
    if listed or cleaned:
        if listed and cleaned:
            raise typer.BadParameter("--list and --clean exclude each other")
        if wanted or words:
            raise typer.BadParameter("--list and --clean take no versions and no command")
        _show_kept(cleaned=cleaned, json=json)
        return
    from dspy_profiles.versions import Command, Project, Recipe, checked_version, is_pytest

    names = [checked_version(each) for each in wanted or ()]
    if not names:
        raise typer.BadParameter(f"no versions; as in {EXAMPLE}")
    if len(set(names)) < len(names):
        raise typer.BadParameter("a version is named twice")
    if not words:
        raise typer.BadParameter(f"no command after --; as in {EXAMPLE}")
    command = Command(tuple(words), profile, cassette, live, shown).checked()
    vouch_for_code(code_of(words), locate().root)  # it runs in any case
    recipe = Recipe(Project.here(), python, tuple(more or ()), is_pytest(words))
    comparison = _compared(names, recipe, command)
    if json:
        from dspy_profiles.results.recording import command as shown_words

        emit(command=shown_words(words), live=live, **as_json(comparison.to_json()))
    else:
        _show(comparison, full=full)
    if comparison.differs or comparison.is_empty:
        raise typer.Exit(1)


def _compared(names: Sequence[str], recipe: "Recipe", command: "Command") -> "Comparison":
    from dspy_profiles.results import open_store
    from dspy_profiles.versions import compare

    environments = [recipe.environment(each, note) for each in names]
    _tell_notes(environments)
    try:
        with tempfile.TemporaryDirectory(prefix="dspy-profiles-") as folder:
            ran = [_ran(each, command, Path(folder)) for each in environments]
            with open_store(f"file:{folder}/results") as store:
                return compare(ran, command, store)
    except OSError as error:
        raise WriteFailed(
            f"the temporary folder cannot be used: {error.strerror or error}",
            hint="check its disk space, or set TMPDIR",
        ) from None


def _ran(environment: "Environment", command: "Command", folder: Path) -> "Ran":
    from dspy_profiles.versions import run_in

    ran = run_in(environment, command, folder)
    note(f"DSPy {environment.dspy}: {command.words[0]} ended with {ran.exit_code}")
    if ran.exit_code not in ENDINGS or ran.experiment is None or not ran.experiment.trials:
        note(*(f"  {line}" for line in ran.output.rstrip().splitlines()[-MOST_LINES:]))
    return ran


MOST_LINES = 30  # of the output of a command that ran no test


def _tell_notes(environments: "Sequence[Environment]") -> None:
    """Print how the project was installed; once, where that is the same everywhere."""
    notes = dict.fromkeys("; ".join(each.notes) for each in environments if each.notes)
    for text in notes:
        where = [each.dspy for each in environments if "; ".join(each.notes) == text]
        note(text if len(notes) == 1 else f"DSPy {', '.join(where)}: {text}")


def _show(comparison: "Comparison", *, full: bool) -> None:
    from dspy_profiles.cli.results._options import show_lines, width
    from dspy_profiles.cli.versions._lines import comparison_lines

    show_lines(comparison_lines(comparison, width(), full=full))


def _show_kept(*, cleaned: bool, json: bool) -> None:
    from dspy_profiles.versions import clean, kept

    found = clean() if cleaned else kept()
    if json:
        emit(deleted=cleaned, environments=[each.to_json() for each in found])
        return
    rows = []
    for each in found:
        of = each.environment
        facts = ("unfinished", "", "") if of is None else (of.dspy, of.python, _day(each.made))
        rows.append((*facts, f"{each.size / 1e6:,.0f} MB", on_path(each.folder)))
    if rows:
        out(columns(rows, ("DSPY", "PYTHON", "MADE", "SIZE", "FOLDER")))
    if cleaned:
        out(f"deleted {counted(len(found), 'environment')}")
    elif not rows:
        note(f"no environments yet; {EXAMPLE} makes them")


def _day(made: Any) -> str:
    return "" if made is None else f"{made:%Y-%m-%d}"
