"""Run a program to its end; with `--record` as an experiment."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from dspy_profiles.run._launch import Launch, Recorded
from dspy_profiles.run._process import accompany, become, end_as

__all__ = ["run_program", "run_recorded"]

INTERRUPTED = {-signal.SIGINT, 128 + signal.SIGINT}


def run_program(words: Sequence[str], launched: Launch) -> int:
    """Become a program; if its calls may be refused, run it and return its exit code."""
    if launched.report is None:
        return become(words, launched.environ)
    from dspy_profiles.run._refusals import exit_code  # most programs start without it

    try:
        code = exit_code(launched.report, accompany(words, launched.environ))
    finally:
        launched.report.unlink(missing_ok=True)  # a command that does not exist leaves it
    return end_as(code)


def run_recorded(
    words: Sequence[str],
    url: str | None,
    recorded: Recorded,
    start: Callable[[Recorded], Launch],
) -> int:
    """Run a program to its end, archive what its Pythons recorded, and return its exit code."""
    from dspy_profiles.results.recording import (
        ExperimentWriter,
        command,
        new_id,
        say,
        shared_folder,
    )
    from dspy_profiles.results.store import open_store
    from dspy_profiles.run._refusals import exit_code

    store, experiment = open_store(url), new_id()
    launched = start(replace(recorded, experiment=experiment, folder=shared_folder(store)))
    book = ExperimentWriter(store, _name(words), experiment_id=experiment)
    book.title(launched.profile, details={"command": command(words)})
    try:
        code = exit_code(launched.report, accompany(words, launched.environ))
    except BaseException as error:
        book.close("failed", error=str(error))
        raise
    finally:
        if launched.report is not None:
            launched.report.unlink(missing_ok=True)
    done = book.close(_status(code), **({"error": f"exit code {code}"} if code else {}))
    for line in [] if done is None else book.closing_lines(done):
        say(line)
    return end_as(code)


def _status(code: int) -> str:
    if code in INTERRUPTED:
        return "interrupted"
    return "failed" if code else "done"


def _name(words: Sequence[str]) -> str:
    """The script or the module, where it is a Python that runs one; else the program."""
    for before, word in pairwise(words):
        if before == "-m":
            return word
        if word.endswith(".py"):
            return Path(word).name
    return Path(words[0]).name
