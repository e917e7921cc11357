"""`validate` and `doctor`: whether profiles are valid, and whether they work."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.text import Text

from dspy_profiles.cli._options import AsJson, File, can_ask, confirm, profile_names
from dspy_profiles.cli._output import ACCENT, MUTED, console_for, emit, note, out
from dspy_profiles.cli.doctor._report import (
    Diagnosis,
    lines,
    problem_json,
    problem_lines,
    route_lines,
)
from dspy_profiles.display import counted, on_one_line, show_place

if TYPE_CHECKING:  # each command imports what it needs, so that all start fast
    from dspy_profiles.cli.doctor._live import Call
    from dspy_profiles.cli.doctor._verdicts import Answer
    from dspy_profiles.cli.doctor._walk import Examination

__all__ = ["add_to"]

FAILED = 1
UNTRUSTED = 7
INVALID = 4


def add_to(app: typer.Typer) -> None:
    """Add these commands to an app."""
    app.command(epilog="Example: dspy-profiles validate --strict")(validate)
    app.command(epilog="Example: dspy-profiles doctor --all --live")(doctor)


def validate(
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Check all profiles for errors, without running anything.

    Resolves no secret and opens no connection.
    """
    from dspy_profiles.cli.doctor._findings import validate as validate_files

    validation = validate_files(file)
    if json:
        emit(
            valid=not validation.errors and not (strict and validation.warnings),
            errors=validation.errors,
            warnings=validation.warnings,
            profiles=validation.profiles,
            files=[{"kind": kind, "path": str(path)} for kind, path in validation.files],
            findings=[problem_json(problem) for problem in validation.problems],
        )
    else:
        for problem in validation.problems:
            out(*problem_lines(problem))
        checked = (
            f"{counted(validation.profiles, 'profile')} in {counted(len(validation.files), 'file')}"
        )
        if validation.problems:
            sums = (
                f"{counted(validation.errors, 'error')}, {counted(validation.warnings, 'warning')}"
            )
            out(Text(f"{sums} in {checked}", style=MUTED))
        else:
            out(f"{checked}: no errors")
    if validation.errors or (strict and validation.warnings):
        raise typer.Exit(INVALID)


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROFILE]…",
            help="Profile names. Default: the active one, else all.",
            autocompletion=profile_names,
        ),
    ] = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Call each model once.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Check every profile.")] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Send secrets to addresses of the project's file."),
    ] = False,
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="SECONDS", min=0.01, help="Time for each response."),
    ] = 20.0,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Check that profiles work; --live also calls their models."""
    from dspy_profiles.cli.doctor._walk import examine

    examination = examine(names or (), file=file, every=every)
    if _was_allowed(examination):
        examination = examine(names or (), file=file, every=every)
    results = (
        _live(examination, timeout, yes=yes)
        if live
        else [Diagnosis(p, live) for p in examination.profiles]
    )
    ready, of = sum(one.is_ready for one in results), sum(one.counts for one in results)
    if json:
        emit(
            ready=ready,
            of=of,
            live=live,
            findings=[problem_json(problem) for problem in examination.problems],
            profiles=[one.as_json() for one in results],
        )
    else:
        for problem in examination.problems:
            note(*problem_lines(problem))
        out(*lines(results))
        if results:
            out(f"{ready} of {counted(of, 'profile')} ready")
        else:
            out("no valid profiles file")
    if any(problem.code == UNTRUSTED for one in examination.profiles for problem in one.problems):
        raise typer.Exit(UNTRUSTED)
    if ready < of or not results:
        raise typer.Exit(FAILED)


def _was_allowed(examination: "Examination") -> bool:
    """Ask on a terminal whether to trust the files that profiles need."""
    from dspy_profiles.errors import Untrusted
    from dspy_profiles.run import is_allowed

    for one in examination.profiles:
        for each in one.problems:
            if each.code == UNTRUSTED:
                return is_allowed(Untrusted(each.message, each.hint, each.where))
    return False


def _live(examination: "Examination", timeout: float, *, yes: bool) -> list[Diagnosis]:
    """Print where every call goes, ask before sending secrets, then call."""
    from dspy_profiles.cli.doctor._live import call_all, calls

    planned = calls(examination, timeout)
    routes = {name: call.route for name, call in planned.items()}
    if routes:
        note(*route_lines(routes))
    answers = {} if yes else {n: a for n, call in planned.items() if (a := _refused(call))}
    allowed = {name: call for name, call in planned.items() if name not in answers}
    with _progress(allowed) as on_answer:
        answers |= call_all(allowed, on_answer)
    return [
        Diagnosis(one, True, routes.get(one.name), answers.get(one.name))
        for one in examination.profiles
    ]


def _refused(call: "Call") -> "Answer | None":
    """Ask before a secret is sent to an address of the project's file. Return None if allowed."""
    from dspy_profiles.cli.doctor._verdicts import Answer

    route = call.route
    if not route.asks or route.set_by is None:
        return None
    sends = " and ".join(route.sends)
    source = show_place(route.set_by)
    if not can_ask():
        message = f"not called: {source} sends {sends} to {route.host}"
        return Answer("skipped", message, "pass --yes to allow it")
    if confirm(f"{call.name}: send {sends} to {route.host}, set by {source}?"):
        return None
    return Answer("skipped", f"not called: sending {sends} to {route.host} was not allowed")


@contextmanager
def _progress(pending: Mapping[str, "Call"]) -> Iterator[Callable[[str, "Answer"], None]]:
    """Show a line per profile on a terminal until its model has answered."""
    screen = console_for(to_stderr=True)
    if not pending or not screen.file.isatty():
        yield lambda _name, _answer: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(style=ACCENT, finished_text=" "),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
        # `quiet` already redirects them.
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        tasks = {
            name: progress.add_task(
                escape(f"{on_one_line(name)}  {on_one_line(call.route.host)}"), total=1
            )
            for name, call in pending.items()
        }
        yield lambda name, _answer: progress.update(tasks[name], completed=1)
