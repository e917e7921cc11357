"""Show one profile as a card, or all as a table, in notebooks and terminals."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Self

from dspy_profiles.config import load_settings, locate
from dspy_profiles.display import on_one_line, on_path, visible
from dspy_profiles.profiles import (
    PLAINTEXT,
    Catalog,
    Choice,
    ResolvedProfile,
    Row,
    Scene,
    profile_rows,
    summary,
)
from dspy_profiles.secrets import redact

__all__ = ["Card", "Table"]

# Use the page's text color, faded for side notes: it suits light and dark themes.
MUTED = "opacity:.6"
ACCENT = "color:#3d8bd4"
ALARM = "color:#d9534f"
MONO = (
    "font-family:var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace);font-size:.92em"
)
FRAME = "border-left:3px solid #3d8bd4;padding:.1em 0 .1em .9em"
TABLE = "margin:0;border-collapse:collapse;border:none;width:auto"
ROW = "background:none;border:none"
CELL = "text-align:left;vertical-align:top;border:none;padding:.12em 1.3em .12em 0;line-height:1.4"
ONE_LINE = "white-space:nowrap"
WRAPPED = "max-width:44em;white-space:pre-wrap;overflow-wrap:break-word"
SHORT = 40  # longer values wrap in a notebook
WIDEST = 72  # characters of one cell in a terminal


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its text, and its style in a notebook."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Card:
    """One profile: its values with origins, and whether its secrets are set."""

    name: str
    description: str
    state: str
    rows: Sequence[Sequence[Cell]]

    @classmethod
    def of(cls, profile: ResolvedProfile, *, state: str) -> Self:
        # Only `.env` files matter here: the profile is resolved already.
        locations = locate()
        scene = Scene(locations, load_settings(locations), Catalog(()))
        rows = [_cells(row) for row in profile_rows(scene, profile)]
        return cls(profile.name, profile.description or "", state, rows)

    def __repr__(self) -> str:
        head = filter(None, (self.name, self.description, f"({self.state})"))
        rows = _aligned(self.rows or [[NOTHING]])
        return redact("\n".join(["  ".join(map(on_one_line, head)), *rows]))

    def _repr_html_(self) -> str:
        style = MUTED if self.state == "not active" else ACCENT
        head = (
            f'<div style="line-height:1.5"><b>{escape(visible(self.name))}</b>'
            f' &ensp;<span style="{style}">{escape(visible(self.state))}</span>'
            f' &ensp;<span style="{MUTED}">{escape(visible(self.description))}</span></div>'
        )
        return redact(
            f'<div style="{FRAME}">{head}{_table(self.rows or [[NOTHING]])}</div>',
        )


NOTHING = Cell("no values: DSPy's defaults apply", MUTED)
HEADS = ("profile", "model", "extends", "from", "")


@dataclass(frozen=True)
class Table:
    """All profiles, with the active one and the default marked."""

    rows: Sequence[Sequence[Cell]]
    errors: Sequence[str]

    @classmethod
    def of(cls, active: str | None, choice: Choice | None) -> Self:
        """Return the table; `choice` is the profile that is active without a name, if any."""
        scene = Scene.now()
        profiles = [summary(scene, name, choice) for name in scene.catalog.names()]
        rows = [_listed(one, is_active=one["name"] == active) for one in profiles]
        return cls(rows, [f"{one['name']}: {one['error']}" for one in profiles if one["error"]])

    def __repr__(self) -> str:
        heads = [Cell(""), *(Cell(head.upper()) for head in HEADS)]
        lines = _aligned([heads, *self.rows])
        return redact("\n".join([*lines, *map(on_one_line, self.errors)]))

    def _repr_html_(self) -> str:
        heads = [Cell(head, MUTED) for head in HEADS]
        errors = "".join(
            f'<div style="{ALARM}">{escape(visible(error))}</div>' for error in self.errors
        )
        return redact(f"<div>{_table([heads, *(row[1:] for row in self.rows)])}{errors}</div>")


def _cells(row: Row) -> list[Cell]:
    """Return a row of a card, with a tick or a cross for the value of a reference."""
    *others, last = row.remark.split(" · ")
    style = MUTED
    if last.endswith(("is not set", "are not set", "dspy-profiles secrets move")):
        last, style = f"✗ {last}", ALARM
    elif last.endswith(("set in the environment", "set in .env", "fallback used")):
        last = f"✓ {last}"
    return [
        Cell(row.key, f"{MONO};{ONE_LINE}"),
        Cell(row.value, f"{MONO};{ONE_LINE if len(row.value) < SHORT else WRAPPED}"),
        Cell(row.place, f"{MUTED};{ONE_LINE}"),
        Cell(" · ".join([*others, last]), f"{style};{ONE_LINE}"),
    ]


def _listed(one: dict[str, Any], *, is_active: bool) -> list[Cell]:
    """Return a row of the table of profiles."""
    model, style = one["model"] or one["description"] or one["provider"] or "", ""
    if one["error"]:
        model, style = "invalid", ALARM
    elif not one["model"]:
        style = MUTED
    remarks = ["active"] * is_active + ["default"] * one["active"] + [PLAINTEXT] * one["plaintext"]
    return [
        Cell("*" if is_active else ""),  # in terminals; notebooks show its name in bold
        Cell(one["name"], f"font-weight:bold;{ACCENT}" if is_active else ""),
        Cell(model, style),
        Cell(", ".join(one["extends"]), MUTED),
        Cell("" if one["file"] is None else on_path(Path(one["file"])), MUTED),
        Cell(" · ".join(remarks), ACCENT if is_active else MUTED),
    ]


def _table(rows: Sequence[Sequence[Cell]]) -> str:
    lines = (
        f'<tr style="{ROW}">'
        + "".join(
            # The width of a table's cell is a suggestion; that of a block in it is fixed.
            f'<td style="{CELL}"><div style="{cell.style}">{escape(visible(cell.text))}</div></td>'
            for cell in row
        )
        + "</tr>"
        for row in rows
    )
    return f'<table style="{TABLE}"><tbody>{"".join(lines)}</tbody></table>'


def _aligned(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Return the rows as aligned columns of text."""
    texts = [[_cut(on_one_line(cell.text)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
