"""`validate` and `doctor`: whether profiles are sound, and whether they work."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.text import Text

from dspy_profiles.cli._options import AsJson, File, can_ask, profile_names
from dspy_profiles.cli._output import ACCENT, MUTED, console_for, emit, note, out
from dspy_profiles.cli.doctor._report import Diagnosis, fault_json, fault_lines, lines, ways
from dspy_profiles.display import counted, show_place

if TYPE_CHECKING:  # each command loads its own: starting up is for all of them
    from dspy_profiles.cli.doctor._live import Call
    from dspy_profiles.cli.doctor._verdicts import Answer
    from dspy_profiles.cli.doctor._walk import Examination

__all__ = ["add_to"]

FAILED = 1
INVALID = 4


def add_to(app: typer.Typer) -> None:
    """Put these commands into an app."""
    app.command(epilog="Example: dspy-profiles validate --strict")(validate)
    app.command(epilog="Example: dspy-profiles doctor --all --live")(doctor)


def validate(
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")] = False,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Find every fault in every profile and file at once; nothing is run, fetched or sent."""
    from dspy_profiles.cli.doctor._findings import validate as look

    found = look(file)
    if json:
        emit(
            valid=not found.errors and not (strict and found.warnings),
            errors=found.errors,
            warnings=found.warnings,
            profiles=found.profiles,
            files=[{"kind": kind, "path": str(path)} for kind, path in found.files],
            findings=[fault_json(fault) for fault in found.faults],
        )
    else:
        for fault in found.faults:
            out(*fault_lines(fault))
        looked = f"{counted(found.profiles, 'profile')} in {counted(len(found.files), 'file')}"
        if found.faults:
            sums = f"{counted(found.errors, 'error')}, {counted(found.warnings, 'warning')}"
            out(Text(f"{sums} in {looked}", style=MUTED))
        else:
            sound = "is sound" if found.profiles == 1 else "are sound"
            out(f"{looked} {sound}")
    if found.errors or (strict and found.warnings):
        raise typer.Exit(INVALID)


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROFILE]…",
            help="Profiles; else the one that applies, else all.",
            autocompletion=profile_names,
        ),
    ] = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Ask each model one short thing.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Look at every profile.")] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Send secrets to addresses that the project's file sets."),
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.01, help="For each answer.")
    ] = 20.0,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Find out whether profiles work: files, secrets, packages, and with --live the models."""
    from dspy_profiles.cli.doctor._walk import examine

    found = examine(names or (), file=file, every=every)
    results = (
        _live(found, timeout, yes=yes) if live else [Diagnosis(p, live) for p in found.profiles]
    )
    ready, of = sum(one.is_ready for one in results), sum(one.counts for one in results)
    if json:
        emit(
            ready=ready,
            of=of,
            live=live,
            findings=[fault_json(fault) for fault in found.faults],
            profiles=[one.as_json() for one in results],
        )
    else:
        for fault in found.faults:
            note(*fault_lines(fault))
        out(*lines(results))
        if results:
            out(f"{ready} of {counted(of, 'profile')} ready")
        else:
            out("no profile can be read")
    if ready < of or not results:
        raise typer.Exit(FAILED)


def _live(found: "Examination", timeout: float, *, yes: bool) -> list[Diagnosis]:
    """Show where every call will go, ask where that is due, and call."""
    from dspy_profiles.cli.doctor._live import ask_all, calls

    made = calls(found, timeout)
    if made:
        note(*ways({name: call.route for name, call in made.items()}))
    answers = {} if yes else {n: a for n, call in made.items() if (a := _refused(call))}
    asked = {name: call for name, call in made.items() if name not in answers}
    with _progress(asked) as on_answer:
        answers |= ask_all(asked, on_answer)
    routes = {name: call.route for name, call in made.items()}
    return [
        Diagnosis(one, True, routes.get(one.name), answers.get(one.name)) for one in found.profiles
    ]


def _refused(call: "Call") -> "Answer | None":
    """Whether a secret may go to an address that the project's file sets: a person has to say."""
    from dspy_profiles.cli.doctor._verdicts import Answer

    route = call.route
    if not route.asks or route.set_by is None:
        return None
    sends = " and ".join(route.sends)
    source = show_place(route.set_by)
    if not can_ask():
        message = f"not asked: {source} sends {sends} to {route.host}"
        return Answer("skipped", message, "--yes sends it")
    if typer.confirm(f"{call.name}: send {sends} to {route.host}, as {source} says?", err=True):
        return None
    return Answer("skipped", f"not asked: {sends} was not to go to {route.host}")


@contextmanager
def _progress(asked: Mapping[str, "Call"]) -> Iterator[Callable[[str, "Answer"], None]]:
    """On a terminal, a line per profile until it has answered; elsewhere nothing."""
    screen = console_for(to_stderr=True)
    if not asked or not screen.file.isatty():
        yield lambda _name, _answer: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(style=ACCENT, finished_text=" "),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
        # What is not to be seen is held back already.
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        tasks = {
            name: progress.add_task(escape(f"{name}  {call.route.host}"), total=1)
            for name, call in asked.items()
        }
        yield lambda name, _answer: progress.update(tasks[name], completed=1)
