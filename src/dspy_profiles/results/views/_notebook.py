"""Views in a notebook: HTML that can be folded, without scripts."""

from collections.abc import Iterator, Sequence

from dspy_profiles.display import count
from dspy_profiles.results.views._describe import Part
from dspy_profiles.results.views._page import environment
from dspy_profiles.results.views._rows import failed_first
from dspy_profiles.results.views._sheets import (
    HEADS,
    NUMBERS,
    ExperimentSheet,
    ListSheet,
    TrialSheet,
)
from dspy_profiles.results.views._timeline import Step

__all__ = ["experiment_html", "list_html", "trial_html"]

MOST = 100  # trials, candidates, decisions and steps, unless `full`
LONGEST = 20_000  # characters of one text
BUDGET = 1_000_000  # characters of all texts: a notebook is saved with its outputs


def experiment_html(sheet: ExperimentSheet, *, full: bool) -> str:
    most = None if full else MOST
    is_cut = not full and len(sheet.rows) > MOST
    rows = failed_first(sheet.rows)[:MOST] if is_cut else sheet.rows
    return _piece(
        "experiment.html.j2",
        sheet=sheet,
        rows=rows,
        candidates=[
            (each, list(_Budget(full=full).parts(each.parts))) for each in sheet.candidates[:most]
        ],
        decisions=sheet.decisions[:most],
        steps=_steps(sheet.steps, full=full),
        has_kinds=len({row.kind for row in sheet.rows}) > 1,
    )


def trial_html(sheet: TrialSheet, *, full: bool) -> str:
    return _piece(
        "trial.html.j2",
        sheet=sheet,
        steps=_steps(sheet.steps, full=full),
        parts_of_its_own=list(_Budget(full=full).parts(sheet.parts)),
        left=0 if full else max(0, len(sheet.steps) - MOST),
    )


def list_html(sheet: ListSheet) -> str:
    return _piece("list.html.j2", sheet=sheet, heads=HEADS, numbers=NUMBERS)


class _Budget:
    """The number of characters that may still be shown."""

    def __init__(self, *, full: bool) -> None:
        self._left = None if full else BUDGET

    def parts(self, parts: Sequence[Part]) -> Iterator[tuple[Part, str]]:
        """Yield each part as far as it fits, with a note about the rest."""
        for part in parts:
            if self._left is None:
                yield part, ""
                continue
            most = min(LONGEST, self._left)
            shown = part.text[:most]
            self._left -= len(shown)
            note = ""
            if len(shown) < len(part.text):
                note = f"the first {count(len(shown))} of {count(len(part.text))} characters"
                note += '; full=True, or .save("trial.html"), has all'
            yield Part(part.label, shown, part.is_answer), note


def _steps(steps: Sequence[Step], *, full: bool) -> list[tuple[Step, list[tuple[Part, str]]]]:
    budget = _Budget(full=full)
    return [(step, list(budget.parts(step.parts))) for step in steps[: None if full else MOST]]


def _piece(template: str, **values: object) -> str:
    return environment().get_template(f"notebook/{template}").render(s=STYLES, **values)


# A style sheet would apply to the whole notebook, so styles are attributes. The color is the
# notebook's own, whose theme may be light or dark; less important text is faded.
MUTED = "opacity:.62"
# Mixed with the color of the text, a color is readable on white and on black.
ACCENT = "color:#3d8bd4;color:color-mix(in srgb,#3d8bd4 70%,currentcolor)"
ALARM = "color:#d9534f;color:color-mix(in srgb,#d9534f 70%,currentcolor)"
MONO = "font-family:var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace);font-size:.9em"
CELL = "text-align:left;vertical-align:top;border:none;padding:.12em 1.2em .12em 0"
STYLES = {
    "frame": "border-left:3px solid #3d8bd4;padding:.1em 0 .1em .9em;line-height:1.45;"
    "font-variant-numeric:tabular-nums",
    "muted": MUTED,
    "accent": ACCENT,
    "wrong": ALARM,
    "strong": "font-weight:600",
    "mono": MONO,
    "figures": "display:flex;flex-wrap:wrap;gap:.3em 1.8em;margin:.5em 0",
    "scroll": "overflow-x:auto",
    "table": "margin:.4em 0;border-collapse:collapse;border:none;width:auto;font-size:inherit",
    "row": "background:none;border:none",
    "cell": CELL,
    "right": f"{CELL};text-align:right;white-space:nowrap",
    "fold": "margin:.25em 0",
    "summary": "cursor:pointer",
    "line": "display:inline-flex;gap:.9em;width:calc(100% - 1.6em);align-items:baseline;"
    "vertical-align:top",
    "margin": f"{MUTED};min-width:4.6em;text-align:right;white-space:nowrap",
    "kind": f"{MUTED};min-width:4.6em;white-space:nowrap",
    "said": "flex:1 1 auto;min-width:4em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap",
    "note": f"{MUTED};flex:0 99 auto;min-width:0;overflow:hidden;text-overflow:ellipsis;"
    "white-space:nowrap",
    # Below the text of the step, if there is enough space.
    "parts": "margin:.2em 0 .8em max(1.1em,min(11.5em,100% - 24em))",
    "pre": f"{MONO};margin:0;padding:0 0 0 .7em;border-left:2px solid rgba(128,128,128,.35);"
    "background:none;white-space:pre-wrap;overflow-wrap:anywhere;max-height:30em;overflow:auto;"
    "unicode-bidi:plaintext",
}
