"""Options of the results commands, their completion, and the pager for long output."""

import math
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._completion import completing
from dspy_profiles.cli._output import console_for, out_styled
from dspy_profiles.errors import ProfileError, did_you_mean

__all__ = [
    "WHICH",
    "Full",
    "Named",
    "StoreUrl",
    "experiments",
    "one_of",
    "real",
    "show",
    "show_lines",
    "when",
    "whole",
    "width",
]

WIDEST = 160  # longer lines are hard to read, as in the views
MOST = 50  # experiments that completion offers
AGE = re.compile(r"(\d{1,6}) ?(min|h|d|w)")
UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
TIMES = "use 2026-01-31, 2026-01-31T12:00:00Z, or an age: 12h, 7d"


@completing
def experiments(ctx: typer.Context) -> list[tuple[str, str]]:
    """Return ids and names of experiments, latest first; none if the store cannot be read."""
    from dspy_profiles.results.store import open_inside

    words: dict[str, str] = {"latest": "the latest experiment"}
    with suppress(ProfileError), open_inside(ctx.params.get("store")) as store:
        for each in store.query_experiments(limit=MOST):
            description = f"{each.name}, {each.started:%Y-%m-%d %H:%M}"
            words[each.id] = description
            words.setdefault(each.name, description)
    return list(words.items())


WHICH = "id or part of it, name, latest, or latest~1."

Named = Annotated[
    str,
    typer.Argument(metavar="EXP", help=f"Experiment: {WHICH}", autocompletion=experiments),
]
StoreUrl = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Result store. Default: the setting store."),
]
Full = Annotated[bool, typer.Option("--full", help="Print full texts.")]


def whole(text: str | None, option: str) -> int | None:
    """Return an option's value as a count, at least 1."""
    if text is None:
        return None
    if not text.isdecimal() or not int(text):
        raise typer.BadParameter(f"{text!r} is not a whole number of at least 1", param_hint=option)
    return int(text)


def real(text: str | None, option: str) -> float | None:
    """Return an option's value as a number."""
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"{text!r} is not a number", param_hint=option)
    return number


def when(text: str | None, option: str) -> datetime | date | None:
    """Return an option's value as a day or a time; an age counts back from now."""
    if text is None:
        return None
    age = AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return datetime.now(UTC) - timedelta(**{UNITS[age[2]]: int(age[1])})
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time; {TIMES}", param_hint=option) from None


def one_of(text: str | None, known: Iterable[str], option: str) -> str | None:
    """Return an option's value if it is one of these words."""
    words = tuple(known)
    if text is not None and text not in words:
        near = did_you_mean(text, words) or f"use one of {', '.join(words)}"
        raise typer.BadParameter(f"{text!r} is not known; {near}", param_hint=option)
    return text


def width() -> int:
    """Return the width of output."""
    return min(console_for(to_stderr=False).width, WIDEST)


def show(view: Any) -> None:
    """Print a view; use the pager if it is longer than the terminal."""
    console = console_for(to_stderr=False)
    with console.capture() as rendered:
        console.print(view)
    lines = [line.rstrip() for line in rendered.get().split("\n")]
    text = "\n".join(lines).rstrip("\n") + "\n"
    if not console.file.isatty() or text.count("\n") < console.height:
        out_styled(text)
        return
    from pydoc import pager

    from dspy_profiles.secrets import redact

    os.environ.setdefault("LESS", "FRX")  # show colors, and leave the text on the screen
    pager(redact(text))


def show_lines(lines: Iterable[Text]) -> None:
    """Print lines that fit the width."""
    show(Text("\n").join(lines))
