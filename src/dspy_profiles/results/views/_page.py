"""One static page, which needs no other file and may load none.

Recorded data is either escaped by the template, or is data that the page's own script inserts as
text. The page's policy allows only its own script and style, by their hashes.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from dspy_profiles.display import count, counted, duration
from dspy_profiles.results.views._describe import Part
from dspy_profiles.results.views._rows import WRONG, TrialRow, failed_first
from dspy_profiles.results.views._sheets import (
    HEADS,
    NUMBERS,
    ExperimentSheet,
    ListSheet,
    TrialSheet,
)
from dspy_profiles.results.views._timeline import Step

__all__ = ["environment", "experiment_page", "list_page", "trial_page"]

BUDGET = 24 * 2**20  # bytes of steps in the page of an experiment
LONGEST = 50_000  # characters of one text in it
MOST_ROWS = 20_000  # trials in its table
MOST_DECISIONS = 500
SCRIPTS = ("data.js", "steps.js", "trial.js", "table.js", "keys.js")
# Characters that could end the script with the data, or a line of it.
ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def experiment_page(sheet: ExperimentSheet, *, full: bool = False) -> str:
    """Return the page of an experiment. If it would be too large, notes list what is omitted."""
    texts = _Texts(None if full else LONGEST)
    rows = sheet.rows if full else sheet.rows[:MOST_ROWS]
    outside = [_step(step, texts) for step in sheet.steps]
    trials, left = _trials(sheet, rows, texts, None if full else BUDGET)
    data = {
        "kind": "experiment",
        "id": sheet.id,
        "name": sheet.name,
        "seconds": sheet.seconds,
        "rows": [_row(row) for row in rows],
        "trials": trials,
        "outside": outside,
        "texts": texts.kept,
    }
    notes = list(_left_out(sheet, len(rows), left))
    decisions = sheet.decisions if full else sheet.decisions[:MOST_DECISIONS]
    return _page("experiment.html.j2", data, sheet=sheet, notes=notes, decisions=decisions)


def trial_page(sheet: TrialSheet) -> str:
    """Return the page of a trial, which is complete."""
    texts = _Texts(None)
    data = {
        "kind": "trial",
        "id": sheet.experiment.id,
        "name": sheet.experiment_name,
        "seconds": sheet.seconds,
        "rows": [_row(sheet.row)],
        "trials": {str(sheet.row.number): _trial(sheet, texts)},
        "outside": [],
        "texts": texts.kept,
    }
    return _page("trial.html.j2", data, sheet=sheet)


def list_page(sheet: ListSheet) -> str:
    return _page("list.html.j2", None, sheet=sheet, heads=HEADS, numbers=NUMBERS)


@cache
def environment() -> Environment:
    """Return the templates, which escape all values."""
    loader = PackageLoader("dspy_profiles.results.views")
    templates = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    templates.filters["span"] = duration
    templates.filters["count"] = count
    templates.filters["counted"] = counted
    templates.tests["wrong"] = WRONG.__contains__
    return templates


class _Texts:
    """The long texts of a page. Each is stored once: many prompts are equal."""

    def __init__(self, longest: int | None) -> None:
        self._longest = longest
        self._known: dict[str, int] = {}
        self.kept: list[str] = []
        self.size = 0

    def add(self, text: str) -> int:
        place = self._known.get(text)
        if place is None:
            place = self._known[text] = len(self.kept)
            kept = text if self._longest is None else text[: self._longest]
            self.kept.append(kept)
            self.size += len(kept)
        return place

    def part(self, part: Part) -> dict[str, Any]:
        data: dict[str, Any] = {"label": part.label, "text": self.add(part.text)}
        if part.is_answer:
            data["answer"] = True
        if self._longest is not None and len(part.text) > self._longest:
            data["letters"] = len(part.text)
        return data


def _trials(
    sheet: ExperimentSheet, rows: Sequence[TrialRow], texts: _Texts, budget: int | None
) -> tuple[dict[str, orjson.Fragment], int]:
    """Return the steps of as many trials as fit, and the number of the others.

    Trials with errors come first.
    """
    steps: dict[str, orjson.Fragment] = {}
    size = 0
    for row in failed_first(rows):
        if budget is not None and size + texts.size > budget:
            break
        written = orjson.dumps(_trial(sheet.trial(row.number - 1), texts))
        size += len(written)
        steps[str(row.number)] = orjson.Fragment(written)
    return steps, len(rows) - len(steps)


def _left_out(sheet: ExperimentSheet, rows: int, left: int) -> Iterable[str]:
    if rows < len(sheet.rows):
        yield f"The table has the first {count(rows)} of {counted(len(sheet.rows), 'trial')}."
    if left:
        those = "trial is" if left == 1 else "trials are"
        yield (
            f"To keep this page small, the steps of {count(left)} {those} left out: "
            f"dspy-profiles trace {sheet.id} NUMBER shows them, --html FILE as a page."
        )


def _row(row: TrialRow) -> dict[str, Any]:
    """Return one line of the table: numbers to sort by, and texts to show."""
    data = {
        "number": row.number,
        "id": row.id,
        "score": row.score,
        "at": row.at,
        "time": row.seconds,
        "calls": row.spent.calls,
        "tokens": row.spent.tokens,
        "cost": row.spent.cost,
        "shown": row.shown(),
        "error": row.error,
        "asked": row.asked,
        "answered": row.answered,
        "parent": row.parent,
        "inferred": row.is_inferred,
        "wrong": row.is_wrong,
    }
    return _without_defaults(data)


def _trial(sheet: TrialSheet, texts: _Texts) -> dict[str, Any]:
    return {
        "seconds": sheet.seconds,
        "length": sheet.row.status if sheet.row.seconds is None else duration(sheet.seconds),
        "error": sheet.error,
        "where": sheet.where,
        "parts": [texts.part(part) for part in sheet.parts],
        "steps": [_step(step, texts) for step in sheet.steps],
    }


def _step(step: Step, texts: _Texts) -> dict[str, Any]:
    data = {
        "kind": step.kind,
        "title": step.title,
        "depth": step.depth,
        "at": round(step.at, 6),
        "seconds": None if step.seconds is None else round(step.seconds, 6),
        "margin": step.margin,
        "length": step.length,
        "status": "" if step.status == "done" else step.status,
        "asked": step.asked,
        "answered": step.answered,
        "notes": list(step.notes),
        "marks": list(step.marks),
        "error": step.error or "",
        "within": step.error is not None and not step.has_raised,
        "parts": [texts.part(part) for part in step.parts],
    }
    return _without_defaults(data)


def _without_defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return data without false and empty values, but with zero and None."""
    return {
        key: value for key, value in data.items() if value is not False and value not in ("", [])
    }


def _page(template: str, data: Mapping[str, Any] | None, **values: Any) -> str:
    style, script = _style(), _script()
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        environment()
        .get_template(f"page/{template}")
        .render(
            policy=policy,
            style=Markup(style),  # noqa: S704 - from this package
            script=Markup(script),  # noqa: S704
            data=None if data is None else Markup(_written(data)),  # noqa: S704 - escaped for a script
            **values,
        )
    )


def _written(data: Mapping[str, Any]) -> str:
    """Return data as JSON that cannot end the script around it."""
    text = orjson.dumps(data).decode()
    for character, escape in ESCAPED.items():
        text = text.replace(character, escape)
    return text


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _style() -> str:
    return _file("page.css")


@cache
def _script() -> str:
    return '"use strict";\n{\n' + "".join(map(_file, SCRIPTS)) + "}\n"


def _file(name: str) -> str:
    return (files(__package__) / "templates" / "page" / name).read_text("utf-8")
