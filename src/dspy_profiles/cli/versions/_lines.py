"""A comparison of versions as lines for a terminal: the versions, the tests, what differs."""

from collections.abc import Iterator, Sequence
from itertools import chain

from rich.text import Text

from dspy_profiles.cli.results._diff_lines import BAD, GOOD, change_lines
from dspy_profiles.display import (
    ACCENT,
    MUTED,
    NOTHING,
    Column,
    columns,
    counted,
    duration,
    on_one_line,
    styled,
)
from dspy_profiles.versions import Comparison, Difference, Ran, Row

__all__ = ["comparison_lines"]

FEW = 40  # tests that are all shown; of more, only those that differ
LEAST = 12  # columns of a name
MOST_LINES = 6  # of an error
SHOWN = 20  # differences, without --full
STYLES = {"passed": GOOD, "done": GOOD, "skipped": MUTED, "xfailed": MUTED}


def comparison_lines(comparison: Comparison, width: int, *, full: bool) -> Iterator[Text]:
    """Yield the lines of a comparison."""
    yield from _versions(comparison, width)
    if comparison.rows:
        yield Text()
        yield from _tests(comparison, width, full=full)
        yield from _differences(comparison, width, full=full)
    yield Text()
    yield _verdict(comparison)


def _versions(comparison: Comparison, width: int) -> Iterator[Text]:
    heads = [
        Column("DSPY"),
        Column("PYTHON", rank=2),
        Column("ENVIRONMENT", rank=1),
        Column("TESTS", least=LEAST),
        Column("EXIT", is_right=True),
        Column("TIME", is_right=True, rank=3),
    ]
    rows = [
        [
            styled(ran.imported or f"{ran.environment.dspy}, not imported", ACCENT),
            Text(ran.environment.python),
            styled(_origin(ran), MUTED),
            _outcomes(comparison, nr),
            Text(str(ran.exit_code), style=BAD if ran.exit_code else ""),
            styled(duration(ran.seconds), MUTED),
        ]
        for nr, ran in enumerate(comparison.ran)
    ]
    yield from (line for _, line in columns(heads, rows, width))


def _origin(ran: Ran) -> str:
    made = ran.environment
    return f"made in {duration(made.seconds)}" if made.is_new else "kept"


def _outcomes(comparison: Comparison, nr: int) -> Text:
    found = comparison.outcomes(nr)
    if not found:
        return styled("none", BAD)
    return Text(", ").join(
        Text(f"{number} {outcome}", style=STYLES.get(outcome, BAD))
        for outcome, number in sorted(found.items(), key=lambda each: each[0] not in STYLES)
    )


def _tests(comparison: Comparison, width: int, *, full: bool) -> Iterator[Text]:
    rows = list(comparison.rows)
    if not full and len(rows) > FEW:
        rows = [row for row in rows if row.has_other_outcomes or row.differences]
    names = [ran.environment.dspy for ran in comparison.ran]
    heads = [Column("TEST", least=LEAST), *(Column(name) for name in names)]
    cells = [
        [Text(on_one_line(row.name, 100)), *(_cell(row, nr) for nr in range(len(names)))]
        for row in rows
    ]
    yield from (line for _, line in columns(heads, cells, width))
    if left := len(comparison.rows) - len(rows):
        yield styled(f"{counted(left, 'test')} without any difference; --full shows all", MUTED)


def _cell(row: Row, nr: int) -> Text:
    cell = row.cells[nr]
    if cell is None:
        return styled(NOTHING, MUTED)
    return Text(cell.outcome, style=STYLES.get(cell.outcome, BAD))


def _differences(comparison: Comparison, width: int, *, full: bool) -> Iterator[Text]:
    """Yield each difference once, with the tests that have it."""
    tests: dict[tuple[object, ...], list[tuple[Row, Difference]]] = {}
    for row in comparison.rows:
        for each in row.differences:
            if each.what == "error" and _is_explained(row, each):
                continue
            key = (each.version, each.what, each.path, each.field, each.words)
            tests.setdefault(key, []).append((row, each))
    groups = list(tests.values()) if full else list(tests.values())[:SHOWN]
    shown = ""
    for group in groups:
        row, difference = group[0]
        title = f"{row.name}   {comparison.ran[0].environment.dspy} → {difference.version}"
        if title != shown:
            yield from (Text(), styled(on_one_line(title, width), "bold"))
            shown = title
        yield from _difference(difference, len(group), width)
    if len(groups) < len(tests):
        yield styled(
            f"{len(groups)} of {counted(len(tests), 'difference')}; --full shows all", MUTED
        )


def _is_explained(row: Row, error: Difference) -> bool:
    """Return whether a miss is shown by the prompt that differs."""
    others = (each for each in row.differences if each.version == error.version)
    is_miss = "CassetteMiss" in error.before or "CassetteMiss" in error.after
    return is_miss and any(each.what == "prompt" for each in others)


def _difference(difference: Difference, times: int, width: int) -> Iterator[Text]:
    parts = (difference.what, difference.path, difference.field)
    if difference.what not in ("error", "score", "calls", "cost"):
        return change_lines(parts, difference.words, width, times)
    head = styled(f"         {difference.what}", MUTED)
    if times > 1:
        head.append(f"   in {times:,} tests")
    if difference.what != "error":
        return iter([Text.assemble(head, f"  {difference.before} → {difference.after}")])
    return chain([head], *(_error(each, width) for each in _sides(difference)))


def _sides(difference: Difference) -> Sequence[tuple[str, str]]:
    return [("−", difference.before), ("+", difference.after)]


def _error(side: tuple[str, str], width: int) -> Iterator[Text]:
    sign, text = side
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines[:MOST_LINES]:
        shown = styled(f"           {sign} {on_one_line(line)}", BAD if sign == "+" else MUTED)
        shown.truncate(width, overflow="ellipsis")
        yield shown


def _verdict(comparison: Comparison) -> Text:
    other = sum(row.has_other_outcomes for row in comparison.rows)
    changed = sum(bool(row.differences) for row in comparison.rows if not row.has_other_outcomes)
    of = counted(len(comparison.rows), "test")
    if other:
        return styled(f"{other} of {of} ended differently", BAD)
    if comparison.is_empty:
        return styled("the command failed under every version, before it ran a test", BAD)
    if comparison.differs:
        return styled("the command ended differently", BAD)
    bad = sum(cell.outcome not in STYLES for row in comparison.rows if (cell := row.cells[0]))
    also = f"; {bad} failed under each version: --verbose prints why" if bad else ""
    if changed:
        text = f"every test ended the same; {changed} of {of} with differences{also}"
        return styled(text, "yellow")
    return styled(f"no difference in {of}{also}", "yellow" if bad else GOOD)
