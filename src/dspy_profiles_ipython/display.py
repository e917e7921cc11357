"""Profiles as a notebook shows them, and as a terminal does: one card, or a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from dspy_profiles.portrait import Row, applying, rows_of, summary
from dspy_profiles.redaction import redact
from dspy_profiles.resolved import ResolvedProfile
from dspy_profiles.resolver import Scene

__all__ = ["Card", "Table"]

# Colours of the page itself, so that light and dark themes both do; nothing from the network.
TEMPLATES = {
    "card": """<div style="display:inline-block;border-left:3px solid #4c8dbf;padding:.2em .8em">
<div><b>{{ card.name }}</b>{% if card.model %} &nbsp;{{ card.model }}{% endif %}
<span style="opacity:.6"> &nbsp;{{ card.description }}</span>
<span style="color:#4c8dbf"> &nbsp;{{ card.state }}</span></div>
<table style="margin:.3em 0 0 0">
{% for row in card.rows %}<tr style="background:none">
<td style="text-align:left;padding:0 1.2em 0 0">{{ row.key }}</td>
<td style="text-align:left;padding:0 1.2em 0 0"><code>{{ row.value }}</code></td>
<td style="text-align:left;padding:0 1.2em 0 0;opacity:.6">{{ row.place }}</td>
<td style="text-align:left;padding:0;opacity:.6">{{ row.remark }}</td></tr>
{% endfor %}</table></div>""",
    "table": """<table style="margin:0">
<tr style="background:none">{% for head in heads %}
<th style="text-align:left;opacity:.6;font-weight:normal">{{ head }}</th>{% endfor %}</tr>
{% for cells in rows %}<tr style="background:none">{% for cell in cells %}
<td style="text-align:left{% if loop.index > 3 %};opacity:.6{% endif %}">{{ cell }}</td>
{% endfor %}</tr>{% endfor %}</table>""",
}


@dataclass(frozen=True)
class Card:
    """One profile: its name and model, each value with its origin, secrets as references."""

    name: str
    model: str
    description: str
    state: str
    rows: Sequence[Row]

    @classmethod
    def of(cls, profile: ResolvedProfile, *, is_active: bool) -> Self:
        return cls(
            name=profile.name,
            model=str(profile.lm.get("model", "")),
            description=profile.description or "",
            state="active" if is_active else "",
            rows=rows_of(Scene.now(), profile),
        )

    def __repr__(self) -> str:
        head = "  ".join(filter(None, (self.name, self.description, self.state)))
        rows = [(row.key, row.value, row.place, row.remark) for row in self.rows]
        return redact("\n".join([head, *_aligned(rows)]))

    def _repr_html_(self) -> str:
        return redact(_template("card").render(card=self))


@dataclass(frozen=True)
class Table:
    """All profiles; a star marks the one that is active, or else the default."""

    rows: Sequence[Sequence[str]]

    @classmethod
    def of(cls, active: str | None) -> Self:
        scene = Scene.now()
        choice = applying(scene)
        rows = []
        for name in scene.catalog.names():
            said = summary(scene, name, choice)
            remark = "active" if name == active else "the default" if said["active"] else ""
            model = said["error"] or said["model"] or said["description"] or said["provider"] or ""
            where = "" if said["file"] is None else _short(said["file"])
            star = "*" if name == active else ""
            rows.append((star, name, model, ", ".join(said["extends"]), where, remark))
        return cls(rows)

    def __repr__(self) -> str:
        return redact("\n".join(_aligned([("", *HEADS[1:]), *self.rows])))

    def _repr_html_(self) -> str:
        return redact(_template("table").render(heads=HEADS, rows=self.rows))


HEADS = ("", "profile", "model", "extends", "from", "")


def _short(path: str) -> str:
    from pathlib import Path

    from dspy_profiles.wording import on_path

    return on_path(Path(path))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of text, as wide as they have to be."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


@cache
def _template(name: str) -> Any:
    from jinja2 import Environment

    return Environment(autoescape=True, trim_blocks=True).from_string(TEMPLATES[name])
