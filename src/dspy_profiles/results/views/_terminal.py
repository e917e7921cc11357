"""Views in a terminal: lines of text that fit its width, without boxes."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from dspy_profiles.display import (
    ACCENT,
    ALARM,
    MUTED,
    NOTHING,
    Column,
    columns,
    counted,
    cut,
    duration,
    joined,
    styled,
)
from dspy_profiles.results.views._describe import Part
from dspy_profiles.results.views._rows import (
    WRONG,
    CandidateRow,
    DecisionRow,
    Fact,
    TrialRow,
    failed_first,
)
from dspy_profiles.results.views._sheets import (
    HEADS,
    NUMBERS,
    ExperimentSheet,
    ListSheet,
    TrialSheet,
)
from dspy_profiles.results.views._step_lines import folded, step_lines

__all__ = ["experiment_lines", "list_lines", "trial_lines"]

SHOWN = 40  # trials, candidates or decisions, unless `full`
LABEL = 12
LINES = 12  # of a text outside of steps
SET_IN = 2
TRIALS = (
    Column("#", is_right=True),
    Column("TRIAL", least=12),
    Column("KIND", rank=4),
    Column("STATUS", rank=2),
    Column("SCORE", is_right=True),
    Column("TIME", is_right=True, rank=1),
    Column("CALLS", is_right=True, rank=3),
    Column("TOKENS", is_right=True, rank=3),
    Column("COST", is_right=True, rank=2),
)

# Columns of the list of experiments: which is dropped first, least widths, and colors.
RANKS = {"program": 7, "tokens": 6, "profile": 5, "cost": 4, "trials": 3, "status": 2, "started": 1}
LEAST = {"name": 18, "profile": 8, "program": 8}
STYLES = {"id": MUTED, "started": MUTED, "name": "bold"}


def experiment_lines(
    sheet: ExperimentSheet, width: int, *, full: bool, command: str
) -> Iterator[Text]:
    """Yield the lines of an experiment. `command` shows one of its trials."""
    yield _head(sheet.name, sheet.status, width)
    if sheet.hypothesis:
        yield from folded(styled(sheet.hypothesis, MUTED), width)
    yield Text()
    yield from folded(_figures(sheet.figures), width)
    for warning in sheet.warnings:
        yield from folded(styled(f"! {warning}", ALARM), width, "  ")
    yield Text()
    for fact in sheet.facts:
        yield from _fact(fact, width)
    yield from _trials(sheet, width, full=full)
    yield from _candidates(sheet.candidates, width, full=full)
    yield from _decisions(sheet.decisions, width, full=full)
    if sheet.steps:
        yield Text()
        yield styled("Outside of trials", "bold")
        yield from step_lines(sheet.steps, width, full=full)
    if sheet.rows:
        yield Text()
        yield styled(f"{command} {sheet.id} {sheet.rows[0].number}", ACCENT)
        yield styled("shows one trial step by step, by its number or its id", MUTED)


def trial_lines(sheet: TrialSheet, width: int, *, full: bool) -> Iterator[Text]:
    row = sheet.row
    yield _head(row.name, row.status, width)
    yield cut(styled(sheet.about, MUTED), width)
    yield cut(styled(f"{sheet.experiment.id} {row.id}", MUTED), width)
    yield Text()
    yield from folded(_figures(sheet.figures), width)
    yield Text()
    if sheet.error:
        error = sheet.error if full else sheet.error.split("\n", 1)[0]
        yield from folded(styled(error, ALARM), width)
        if sheet.where:
            yield from folded(styled(f"in {sheet.where}", MUTED), width)
        yield Text()
    for part in sheet.parts:
        yield from _part(part, width, full=full)
    if sheet.steps:
        yield from step_lines(sheet.steps, width, full=full)
    else:
        yield styled("no steps were recorded", MUTED)


def list_lines(sheet: ListSheet, width: int) -> Iterator[Text]:
    if not sheet.rows:
        yield styled("no experiments yet", MUTED)
        return
    shown = [[styled(row[key], _style(key, row[key])) for key in HEADS] for row in sheet.rows]
    heads = [Column(k.upper(), k in NUMBERS, RANKS.get(k, 0), LEAST.get(k)) for k in HEADS]
    yield from (line for _, line in columns(heads, shown, width))


def _style(key: str, value: str) -> str:
    return ALARM if key == "status" and value in WRONG else STYLES.get(key, "")


def _head(name: str, status: str, width: int) -> Text:
    style = ALARM if status in WRONG else ACCENT
    line = cut(styled(name, "bold"), max(width - len(status) - 3, 10))
    return joined(line, styled(status, style), gap=3)


def _figures(figures: Sequence[Fact]) -> Text:
    """Return the main figures on one line."""
    return joined(
        *(
            joined(
                styled(each.label, MUTED),
                Text(each.value),
                styled(f"({each.remark})" if each.remark else "", MUTED),
                gap=1,
            )
            for each in figures
        ),
        gap=3,
    )


def _fact(fact: Fact, width: int) -> Iterator[Text]:
    value = joined(Text(fact.value), styled(fact.remark, MUTED), gap=3)
    label = styled(f"{fact.label:{LABEL}}", MUTED)
    for nr, line in enumerate(folded(value, max(width - LABEL, 20))):
        yield (label if not nr else Text(" " * LABEL)) + line


def _part(part: Part, width: int, *, full: bool) -> Iterator[Text]:
    """Yield a text below its label."""
    yield styled(part.label, ACCENT if part.is_answer else MUTED)
    lines = list(folded(Text(part.text), max(width - SET_IN, 20)))
    for line in lines if full else lines[:LINES]:
        yield Text(" " * SET_IN) + line
    if not full and len(lines) > LINES:
        left = counted(len(lines) - LINES, "line")
        yield styled(f"{'':{SET_IN}}{left} more; --full shows all", MUTED)
    yield Text()


def _trials(sheet: ExperimentSheet, width: int, *, full: bool) -> Iterator[Text]:
    yield Text()
    if not sheet.rows:
        yield styled("no trials were recorded", MUTED)
        return
    is_cut = not full and len(sheet.rows) > SHOWN
    rows = failed_first(sheet.rows)[:SHOWN] if is_cut else sheet.rows
    kinds = {row.kind for row in sheet.rows}
    cells = [_trial(row, has_kind=len(kinds) > 1) for row in rows]
    for nr, line in columns(TRIALS, cells, width):
        yield line
        if nr >= 0 and rows[nr].error:
            yield cut(styled(f"{'':6}{rows[nr].error}", ALARM), width)
    if is_cut:
        shown = f"{len(rows)} of {counted(len(sheet.rows), 'trial')}, those that failed first"
        yield styled(f"{shown}; --full shows all", MUTED)


def _trial(row: TrialRow, *, has_kind: bool) -> list[Text]:
    shown = row.shown()
    status = styled(row.status, ALARM if row.is_wrong else MUTED)
    return [
        styled(shown["number"], MUTED),
        Text(row.name),
        styled(row.kind if has_kind else "", MUTED),
        status,
        styled(shown["score"], "bold"),
        Text(shown["time"] if row.seconds is not None else NOTHING),
        Text(shown["calls"]),
        Text(shown["tokens"]),
        Text(shown["cost"]),
    ]


def _candidates(rows: Sequence[CandidateRow], width: int, *, full: bool) -> Iterator[Text]:
    if not rows:
        return
    yield Text()
    yield styled("Candidates", "bold")
    heads = [
        Column("#", is_right=True),
        Column("CANDIDATE"),
        Column("SCORE", is_right=True),
        Column("EXAMPLES", is_right=True),
        Column("PARENT"),
    ]
    shown = rows if full else rows[:SHOWN]
    cells = [
        [
            styled(f"{each.trial.number:,}", MUTED),
            Text(each.hash[:8]),
            styled(each.trial.shown()["score"], "bold"),
            Text(f"{each.examples:,}"),
            styled(each.origin, MUTED),
        ]
        for each in shown
    ]
    for nr, line in columns(heads, cells, width):
        yield line
        for part in shown[nr].parts if full and nr >= 0 else ():
            for text in folded(styled(f"{part.label}\n{part.text}", MUTED), width - 6):
                yield Text(" " * 6) + text
    if len(shown) < len(rows):
        yield styled(f"{len(shown)} of {len(rows):,} candidates; --full shows all", MUTED)


def _decisions(rows: Sequence[DecisionRow], width: int, *, full: bool) -> Iterator[Text]:
    if not rows:
        return
    yield Text()
    yield styled("Decisions", "bold")
    for row in rows if full else rows[:SHOWN]:
        action = f"→ {row.action}" if row.action else ""
        trial = "" if row.trial is None else f"in {row.trial.name}"
        line = joined(
            styled(f"{duration(row.at):>9}", MUTED),
            styled(row.strategy, "bold"),
            Text(row.rationale),
            styled(action, ACCENT),
            styled(" · ".join(filter(None, (row.worker, trial))), MUTED),
        )
        if full:
            yield from folded(line, width, " " * 11)
        else:
            yield cut(Text(" ").join(line.split("\n")), width)
    if not full and len(rows) > SHOWN:
        yield styled(f"{SHOWN} of {len(rows):,} decisions; --full shows all", MUTED)
