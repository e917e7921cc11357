"""A timeline in a terminal: the time, one line per step, prompt and response below it."""

from collections.abc import Iterator, Sequence

from rich.cells import chop_cells
from rich.text import Text

from dspy_profiles.display import ACCENT, ALARM, CUT, MUTED, counted, cut, styled
from dspy_profiles.results.views._timeline import Step

__all__ = ["HINT", "folded", "step_lines"]

MARGIN, KIND, GAP, LENGTH = 9, 8, 2, 8
LEFT = MARGIN + GAP + KIND + GAP
SET_IN = 2  # columns of indent for each level
LEVELS = 12  # levels that fit a terminal
TITLE = 36
LABEL = 10
MESSAGES = 6  # of a prompt, unless `full`
KINDS = {"decision": ACCENT, "score": ACCENT, "lm": "", "tool": ""}
HINT = f"shortened; --full (in Python: full=True) shows all that is behind {CUT}"


def step_lines(steps: Sequence[Step], width: int, *, full: bool) -> Iterator[Text]:
    """Yield the lines of steps, and a hint if something was cut."""
    is_cut = False
    for step in steps:
        for line in _step(step, width, full=full):
            is_cut = is_cut or line.plain.rstrip().endswith(CUT)
            yield line
    if is_cut and not full:
        yield Text()
        yield styled(HINT, MUTED)


def folded(text: Text, width: int, indent: str = "") -> Iterator[Text]:
    """Yield a text on lines that fit. All but the first begin with `indent`."""
    is_first = True
    for whole in text.split("\n", allow_blank=True):
        whole.expand_tabs(4)
        rest = whole
        while True:
            room = max(width - (0 if is_first else len(indent)), 10)
            head, rest = _divided(rest, room)
            yield head if is_first else Text(indent) + head
            is_first = False
            if not rest.plain:
                break


def _divided(line: Text, room: int) -> tuple[Text, Text]:
    """Return the part of a line that fits, to the end of a word if possible, and the rest."""
    if line.cell_len <= room:
        return line, Text()
    place = len(chop_cells(line.plain, room)[0])
    blank = line.plain.rfind(" ", room // 2, place + 1)
    if blank > 0:
        head, rest = line.divide([blank])
        rest = rest[1:]
    else:
        head, rest = line.divide([place])
    return head, rest


def _step(step: Step, width: int, *, full: bool) -> Iterator[Text]:
    inset = SET_IN * min(step.depth, LEVELS)
    is_lm = step.kind == "lm"
    yield _line(step, inset, width, is_short=(is_lm or full) and bool(step.parts))
    pad = " " * (LEFT + inset + SET_IN)
    room = max(width - len(pad), 20)
    if step.error is not None:
        if full and step.has_raised:
            for line in folded(styled(step.error, ALARM), room):
                yield Text(pad) + line
        else:
            message = step.error.split("\n", 1)[0] if step.has_raised else "failed in a step below"
            yield Text(pad) + cut(styled(message, ALARM), room)
    for mark in step.marks:
        yield Text(pad) + cut(styled(mark, MUTED), room)
    if full:
        yield from _whole(step, pad, room)
    elif is_lm:
        yield from _short(step, pad, room)


def _line(step: Step, inset: int, width: int, *, is_short: bool) -> Text:
    """Return the line of a step: time, kind, title, inputs and outputs, usage."""
    line = styled(f"{step.margin:>{MARGIN}}", MUTED)
    line.append(" " * GAP)
    line.append(f"{step.kind:{KIND}.{KIND}}", style=KINDS.get(step.kind, MUTED))
    line.append(" " * (GAP + inset))
    line.append_text(cut(styled(step.title, "bold"), TITLE))
    tail = _tail(step)
    room = width - line.cell_len - tail.cell_len - 2 * GAP
    if not is_short and room > LABEL:
        line.append(" " * GAP)
        line.append_text(_inputs_and_outputs(step, room))
    blank = width - line.cell_len - tail.cell_len
    if blank < GAP:  # cut the notes rather than the numbers
        cut(line, max(width - tail.cell_len - GAP, LEFT))
        blank = GAP
    line.append(" " * blank)
    line.append_text(tail)
    line.rstrip()
    return line


def _tail(step: Step) -> Text:
    """Return the right edge: tokens, cost and duration."""
    notes = " · ".join(step.notes)
    length = Text(f"{step.length:>{LENGTH}}")
    tail = styled(notes, MUTED)
    if step.is_wrong:
        tail = styled("failed" if step.status == "failed" else "", ALARM)
    return tail + Text("  ") + length if tail.plain else length


def _inputs_and_outputs(step: Step, room: int) -> Text:
    """Return inputs and outputs. Each gets half of the width, or what the other leaves."""
    asked, answered = styled(step.asked, MUTED), Text(step.answered)
    if not step.answered:
        return cut(asked, room)
    arrow = styled("→ ", MUTED) if step.asked else Text()
    both = room - arrow.cell_len - (1 if step.asked else 0)
    asked_room = max(both // 2, both - answered.cell_len)
    asked = cut(asked, asked_room)
    answered = cut(answered, both - asked.cell_len)
    return asked + Text(" " if step.asked else "") + arrow + answered


def _short(step: Step, pad: str, room: int) -> Iterator[Text]:
    """Yield one line for each message and response."""
    parts = [part for part in step.parts if part.label not in ("arguments", "more")]
    questions = [part for part in parts if not part.is_answer]
    left_out = max(0, len(questions) - MESSAGES)
    if left_out:  # keep the first (instructions) and the last (question)
        hidden = {id(part) for part in questions[1 : 1 + left_out]}
        parts = [part for part in parts if id(part) not in hidden]
    for nr, part in enumerate(parts):
        style = ACCENT if part.is_answer else MUTED
        label = styled(f"{part.label:{LABEL}.{LABEL}}", style)
        text = Text(" ".join(part.text[: 8 * room].split()))
        if len(part.text) > 8 * room and text.cell_len <= room - LABEL:
            text.append(f" {CUT}")
        yield Text(pad) + label + cut(text, room - LABEL)
        if left_out and not nr:
            more = counted(left_out, "more message")
            yield styled(f"{pad}{'':{LABEL}}{more} {CUT}", MUTED)


def _whole(step: Step, pad: str, room: int) -> Iterator[Text]:
    for part in step.parts:
        yield Text(pad) + styled(part.label, ACCENT if part.is_answer else MUTED)
        for line in folded(Text(part.text), room - SET_IN):
            yield Text(f"{pad}{'':{SET_IN}}") + line
