"""Two compared experiments as lines for a terminal: sums first, then changes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from rich.text import Text

from dspy_profiles.cli._output import ACCENT, MUTED
from dspy_profiles.display import (
    NOTHING,
    Column,
    Piece,
    brief,
    columns,
    count,
    counted,
    duration,
    joined,
    money,
    number,
    on_one_line,
    styled,
    visible,
)
from dspy_profiles.results.compare import (
    CLOSE,
    Change,
    ExperimentDiff,
    ModuleDiff,
    Side,
    TrialDiff,
)
from dspy_profiles.results.journal import Spent
from dspy_profiles.results.views import folded

__all__ = ["BAD", "GOOD", "change_lines", "diff_lines"]

SHOWN = 20  # trials, and changes of prompts, without --full
LEAST = 8  # columns of a name
PAD = " " * 9
GOOD, BAD = "green", "red"
STYLES = {"better": GOOD, "worse": BAD, "unknown": "yellow"}
ORDER = ("worse", "better", "unknown", "only_a", "only_b", "same")
WORDS = {"only_a": "only in A", "only_b": "only in B"}
COUNTED = {
    **{word: word for word in ("better", "worse", "same", "unknown")},
    **WORDS,
    "answers_changed": "answer changed",
    "prompts_changed": "prompt changed",
}


def diff_lines(diff: ExperimentDiff, width: int, *, full: bool) -> Iterator[Text]:
    """Yield the lines of a comparison."""
    yield from _sides(diff, width)
    yield Text()
    yield from _sums(diff, width)
    yield Text()
    yield from folded(_counts(diff), width)
    yield from _modules(diff.modules, width)
    yield from _trials(diff.trials, width, full=full)
    yield from _prompts(diff.trials, width, full=full)


def _sides(diff: ExperimentDiff, width: int) -> Iterator[Text]:
    heads = [Column(""), Column("", least=LEAST), Column(""), Column("", rank=1), Column("")]
    rows = [
        [
            styled(letter, ACCENT),
            styled(on_one_line(each.name, 60), "bold"),
            styled(
                on_one_line(each.status, 20),
                BAD if each.status in ("failed", "interrupted") else MUTED,
            ),
            styled(f"{each.started:%Y-%m-%d %H:%M}", MUTED),
            styled(each.id, MUTED),
        ]
        for letter, each in (("A", diff.a), ("B", diff.b))
    ]
    yield from (line for at, line in columns(heads, rows, width) if at >= 0)


def _sums(diff: ExperimentDiff, width: int) -> Iterator[Text]:
    a, b = Spent.of(diff.a), Spent.of(diff.b)
    rows = [_row("score", number(diff.a.score), number(diff.b.score), _score(diff.difference))]
    common = diff.common
    if common is not None and common != (diff.a.score, diff.b.score):
        rows.append(
            _row("in both", number(common[0]), number(common[1]), _score(common[1] - common[0]))
        )
    rows += [
        _row("trials", count(diff.a.trials), count(diff.b.trials), Text()),
        _row("calls", _calls(a), _calls(b), Text()),
        _row("tokens", count(a.tokens), count(b.tokens), _percent(a.tokens, b.tokens)),
        _row("cost", money(a.cost), money(b.cost), _percent(a.cost, b.cost)),
        _row("time", duration(a.seconds), duration(b.seconds), Text()),
    ]
    heads = [
        Column(""),
        Column("A", is_right=True),
        Column("B", is_right=True),
        Column("", is_right=True),
    ]
    yield from (line for _, line in columns(heads, rows, width))


def _row(name: str, a: str, b: str, change: Text) -> list[Text]:
    return [styled(name, MUTED), Text(a), Text(b), change]


def _calls(spent: Spent) -> str:
    cached = f" ({count(spent.cached)} cached)" if spent.cached else ""
    return f"{count(spent.calls)}{cached}"


def _score(difference: float | None) -> Text:
    """Return a difference of scores with its sign; higher is better."""
    if difference is None:
        return Text()
    if abs(difference) <= CLOSE:
        return styled("same", MUTED)
    text = number(difference)
    return styled(f"+{text}", GOOD) if difference > 0 else styled(text.replace("-", "−"), BAD)


def _percent(a: float | None, b: float | None) -> Text:
    """Return an increase in percent, without a color: more is not an error by itself."""
    if a is None or b is None or not a or a == b:
        return Text()
    percent = round(100 * (b - a) / a)
    return styled(f"{percent:+,}%".replace("-", "−") if percent else "", MUTED)


def _counts(diff: ExperimentDiff) -> Text:
    counts = diff.counts
    parts = [
        styled(_counted(counts[word], name), STYLES.get(word, "") if counts[word] else MUTED)
        for word, name in COUNTED.items()
        if counts[word] or word in ("better", "worse", "same")
    ]
    return Text(" · ").join(parts)


def _counted(number_of: int, name: str) -> str:
    return counted(number_of, name, name.replace(" changed", "s changed"))


def _modules(modules: Sequence[ModuleDiff], width: int) -> Iterator[Text]:
    """Yield the modules that call a model themselves."""
    callers = [m for m in modules if any(s is not None and s.calls + s.cached for s in (m.a, m.b))]
    if not callers:
        return
    heads = [
        Column("MODULE", least=LEAST),
        Column("CALLS", is_right=True),
        Column("TOKENS", is_right=True),
        Column("COST", is_right=True, rank=1),
        Column("TIME", is_right=True, rank=2),
    ]
    rows = [
        [
            Text(on_one_line(each.path, 60) or "the program"),
            _both(each, lambda spent: count(spent.calls)),
            _both(each, lambda spent: count(spent.tokens)),
            _both(each, lambda spent: money(spent.cost)),
            _both(each, lambda spent: duration(spent.seconds)),
        ]
        for each in callers
    ]
    yield Text()
    yield from (line for _, line in columns(heads, rows, width))


def _both(module: ModuleDiff, shown: Callable[[Spent], str]) -> Text:
    a, b = (NOTHING if each is None else shown(each) for each in (module.a, module.b))
    return Text(a) if a == b else Text(f"{a} → {b}")


def _trials(trials: Sequence[TrialDiff], width: int, *, full: bool) -> Iterator[Text]:
    """Yield the trials, worse ones first; unchanged ones only if their answer changed."""
    changed = [t for t in trials if t.verdict != "same" or t.changed("answer")]
    changed.sort(key=lambda each: ORDER.index(each.verdict))  # within that, the order of A
    shown = changed if full else changed[:SHOWN]
    for each in shown:
        yield Text()
        yield from _trial(each, width)
    if len(shown) < len(changed):
        yield Text()
        yield styled(f"{len(shown)} of {counted(len(changed), 'trial')}; --full shows all", MUTED)


def _trial(trial: TrialDiff, width: int) -> Iterator[Text]:
    word = WORDS.get(trial.verdict, trial.verdict)
    line = joined(
        styled(f"{word:7}", STYLES.get(trial.verdict, MUTED)),
        styled(on_one_line(trial.name, 60), "bold"),
        _scores(trial),
        styled("labels changed", "yellow") if trial.labels_changed else Text(),
    )
    inputs = brief(trial.inputs) if trial.inputs and trial.kind != "candidate" else ""
    line = joined(line, styled(inputs, MUTED))
    line.truncate(width, overflow="ellipsis")
    yield line
    for letter, side in (("A", trial.a), ("B", trial.b)):
        if side is not None and side.error:
            error = styled(f"{PAD}{letter}  {on_one_line(side.error)}", BAD)
            error.truncate(width, overflow="ellipsis")
            yield error
    seen = set[tuple[str, tuple[Piece, ...]]]()
    for change in trial.changes:
        # The change of an inner module's answer is often that of the program's answer.
        if change.what == "answer" and (identity := (change.field, change.words)) not in seen:
            seen.add(identity)
            yield from _change(change, width)


def _scores(trial: TrialDiff) -> Text:
    a, b = (_of(side) for side in (trial.a, trial.b))
    return Text(a or b) if not (a and b) or a == b else Text(f"{a} → {b}")


def _of(side: Side | None) -> str:
    if side is None:
        return ""
    return number(side.score) if side.score is not None else on_one_line(side.status, 20)


def _prompts(trials: Sequence[TrialDiff], width: int, *, full: bool) -> Iterator[Text]:
    """Yield each change of a prompt once, with the number of trials that have it."""
    times: dict[tuple[str, str, tuple[Piece, ...]], list[Change]] = {}
    for change in chain.from_iterable(trial.changes for trial in trials):
        if change.what == "prompt":
            times.setdefault((change.path, change.field, change.words), []).append(change)
    if not times:
        return
    yield Text()
    yield styled("Prompts", "bold")
    shown = list(times.values()) if full else list(times.values())[:SHOWN]
    for changes in shown:
        yield from _change(changes[0], width, len(changes))
    if len(shown) < len(times):
        yield styled(f"{len(shown)} of {counted(len(times), 'change')}; --full shows all", MUTED)


def _change(change: Change, width: int, times: int = 1) -> Iterator[Text]:
    """Yield a change: its module and field, then its words."""
    return change_lines((change.path, change.field), change.words, width, times)


def change_lines(
    whose: Sequence[str], pieces: Sequence[Piece], width: int, times: int = 1
) -> Iterator[Text]:
    """Yield changed words below, or beside, what they are of."""
    head = styled(f"{PAD}{' · '.join(on_one_line(part, 60) for part in whose if part)}", MUTED)
    if times > 1:
        head.append(f"   in {times:,} trials")
    words = _pieces(pieces)
    if head.cell_len + 2 + words.cell_len <= width:
        yield joined(head, words)
        return
    yield head
    pad = f"{PAD}  "
    for line in folded(words, width - len(pad)):
        yield Text(pad) + line


def _pieces(pieces: Sequence[Piece]) -> Text:
    """Return changed words with signs and colors: pipes have no colors."""
    line = Text()
    for kind, text in pieces:
        words = " ".join(visible(text).split())
        if text[:1].isspace() and line.plain and not line.plain.endswith(" "):
            line.append(" ")
        if kind == "cut":
            line.append(f"{' ' if line.plain else ''}… {words} words …", style=MUTED)
        elif kind == "same":
            line.append(f"{words} " if words and text[-1:].isspace() else words, style=MUTED)
        elif words:
            signs, style = (("[-", "-]"), BAD) if kind == "removed" else (("{+", "+}"), GOOD)
            line.append(f"{signs[0]}{words}{signs[1]}", style=style)
    return line
