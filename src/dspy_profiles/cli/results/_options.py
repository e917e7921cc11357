"""Arguments and options of the commands about results, what reads and what completes them."""

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from dspy_profiles.errors import ProfileError, did_you_mean

__all__ = [
    "WHICH",
    "Full",
    "Named",
    "StoreUrl",
    "experiments",
    "one_of",
    "real",
    "when",
    "whole",
]

MOST = 50  # experiments that completion looks at
AGE = re.compile(r"(\d{1,6}) ?(min|h|d|w)")
UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
TIMES = "write 2026-01-31, 2026-01-31T12:00:00Z, or how long ago: 12h, 7d"


def experiments(ctx: typer.Context) -> list[tuple[str, str]]:
    """What an experiment may be called, latest first; nothing where the store cannot be read."""
    from dspy_profiles.results import open_store

    found: dict[str, str] = {"latest": "the one that was begun last"}
    with suppress(ProfileError), open_store(ctx.params.get("store")) as store:
        for each in store.query_experiments(limit=MOST):
            said = f"{each.name}, {each.started:%Y-%m-%d %H:%M}"
            found[each.id] = said
            found.setdefault(each.name, said)
    return list(found.items())


WHICH = "its id or a part of it, its name, latest, or latest~1."

Named = Annotated[
    str,
    typer.Argument(metavar="EXP", help=f"An experiment: {WHICH}", autocompletion=experiments),
]
StoreUrl = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Where results are; else the setting store."),
]
Full = Annotated[bool, typer.Option("--full", help="Shorten nothing.")]


def whole(text: str | None, option: str) -> int | None:
    """A count that was given, from 1."""
    if text is None:
        return None
    if not text.isdecimal() or not int(text):
        raise typer.BadParameter(f"{text!r} is no number from 1", param_hint=option)
    return int(text)


def real(text: str | None, option: str) -> float | None:
    """A number that was given."""
    if text is None:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise typer.BadParameter(f"{text!r} is no number", param_hint=option)
    return found


def when(text: str | None, option: str) -> datetime | date | None:
    """A day, a time, or an age."""
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
        raise typer.BadParameter(f"{text!r} is no time; {TIMES}", param_hint=option) from None


def one_of(text: str | None, known: Iterable[str], option: str) -> str | None:
    """A word that has to be one of these."""
    words = tuple(known)
    if text is not None and text not in words:
        near = did_you_mean(text, words) or f"it is one of {', '.join(words)}"
        raise typer.BadParameter(f"{text!r} is none; {near}", param_hint=option)
    return text
