"""Views in a terminal: lines that fit, the whole on request, nothing that steers it."""

import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from dspy_profiles.results import Experiment, Store, view_experiment, view_trial
from dspy_profiles.results.views import view_list


def printed(view: Any, width: int, **more: Any) -> str:
    text = StringIO()
    Console(file=text, width=width, **more).print(view)
    return text.getvalue()


def test_an_experiment_at_80_columns(capitals: Any, memory: Store) -> None:
    assert (
        printed(view_experiment(capitals.id, memory), 80)
        == """\
capitals   done
short prompts do

score 0.5   trials 3   calls 3   tokens 320   cost $0.0024   time 1.0 s

experiment  00000000000000000000000001
profile     prod · 8ffe5064480e53bc   from the argument
program     Capital   inferred from the first call
versions    DSPy 3.4.1 · Python 3.11.7 · dspy-profiles 0.1.0
commit      c62a15142b9d on main   with uncommitted changes
command     python capitals.py --split 'dev set'
folder      /home/you/project
platform    Linux-6.18
started     2026-11-21 06:39:14 UTC
ended       2026-11-21 06:39:15 UTC

#  TRIAL      STATUS  SCORE    TIME  CALLS  TOKENS     COST
1  example 0  done        1  402 ms      1     160  $0.0012
2  example 1  done        0  402 ms      1     160  $0.0012
3  example 2  failed      –   92 ms      1       0       $0
      RateLimitError: slow down

Decisions
     1 ms  ask once  the questions are easy  → call the predictor

dspy-profiles trace 00000000000000000000000001 1
shows one trial step by step, by its number or its id
"""
    )


@pytest.mark.parametrize("width", [20, 40, 60])
def test_no_figure_is_lost_where_it_is_narrow(width: int, capitals: Any, memory: Store) -> None:
    for view in (view_experiment(capitals.id, memory), view_trial(capitals.id, "1", memory)):
        text = printed(view, width)
        assert max(map(cell_len, text.splitlines())) <= width
        assert re.search(r"time\s+(1\.0 s|402\s+ms)", text), text


def test_a_trial_at_80_columns(capitals: Any, memory: Store) -> None:
    assert (
        printed(view_trial(capitals.id, "1", memory), 80)
        == """\
example 0   done
trial 1 of capitals · example
00000000000000000000000001 00000000000000000000000002

score 1   time 402 ms   calls 1   tokens 160   cost $0.0012

     0 ms  module    Capital  What is the capital of France? → Paris      402 ms
     0 ms  adapter     ChatAdapter format  question -> a… → 2 messages      0 ms
     1 ms  lm          openai/gpt-4o         148 + 12 tokens · $0.0012    400 ms
                         system    Your input fields are: 1. `question` (str): …
                         user      [[ ## question ## ]] What is the capital of …
                         answer    [[ ## answer ## ]] Paris [[ ## completed ## …
   401 ms  adapter     ChatAdapter parse  question -> answer → Paris        0 ms
   410 ms  score     metric  1

shortened; --full (in Python: full=True) shows all that is behind …
"""
    )


def test_a_trial_that_failed_at_120_columns(capitals: Any, memory: Store) -> None:
    lines = printed(view_trial(capitals.id, "3", memory), 120).splitlines()
    assert lines[6:8] == ["RateLimitError: slow down", "in Capital › lm openai/gpt-4o"]
    assert lines[9] == f"{'     0 ms  module    Capital  ?':104}failed     92 ms"
    assert lines[10] == " " * 23 + "failed in a step below"
    assert lines[13] == " " * 25 + "RateLimitError: slow down"


def test_the_whole_of_a_prompt_is_shown_on_request(capitals: Any, memory: Store) -> None:
    shown = printed(view_trial(capitals.id, "1", memory, full=True), 80)
    assert "shortened" not in shown
    inside = "\n".join(line.strip() for line in shown.splitlines())
    assert "system\nYour input fields are:\n1. `question` (str):\n" in inside
    assert "[[ ## question ## ]]\nWhat is the capital of France?\n\nRespond with" in inside
    assert "arguments\ntemperature: 0.7\nmax_tokens: 1000\nanswer\n" in inside
    assert re.search(r"score +metric  1$", shown, re.MULTILINE)


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
@pytest.mark.parametrize("full", [False, True])
def test_no_line_is_wider_than_the_terminal(
    capitals: Any, hostile: Any, memory: Store, width: int, *, full: bool
) -> None:
    views = [view_experiment(hostile.id, memory, full=full), view_list(memory.query_experiments())]
    views += [view_trial(hostile.id, n, memory, full=full) for n in ("1", "2")]
    widest = [max(map(cell_len, printed(view, width).splitlines())) for view in views]
    assert max(widest) <= max(width, 60)
    assert width < 80 or max(widest) <= width


def test_a_narrow_terminal_keeps_what_matters_most(capitals: Any, memory: Store) -> None:
    lines = printed(view_experiment(capitals.id, memory), 40).splitlines()
    head = next(line for line in lines if "TRIAL" in line)
    assert head.split() == ["#", "TRIAL", "STATUS", "SCORE", "TIME"]


def test_nothing_that_was_recorded_steers_the_terminal(
    hostile: Any, hostile_names: Sequence[Experiment], memory: Store
) -> None:
    for view in (
        view_experiment(hostile.id, memory, full=True),
        view_trial(hostile.id, "1", memory, full=True),
        view_list(hostile_names),
    ):
        for text in (printed(view, 100), str(view)):
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
            assert "␛]0;harmed␇" in text


def test_square_brackets_are_no_markup(book: Callable[..., Any], memory: Store) -> None:
    made = book(name="[red]not red[/red]", hypothesis="[/]").close(5)
    shown = printed(view_experiment(made.id, memory), 80, force_terminal=True)
    assert "[red]not red[/red]" in shown
    assert "[/]" in shown


def test_of_many_trials_those_that_failed_are_shown_first(
    book: Callable[..., Any], memory: Store
) -> None:
    made = book()
    for number in range(60):
        made.call(number, lm=1, error="it broke" if number == 57 else None)
    made.close(100)
    lines = printed(view_experiment(made.id, memory), 80).splitlines()
    rows = [line.split()[0] for line in lines if re.match(r" *\d+  Capital", line)]
    assert rows[:3] == ["58", "1", "2"]
    assert "40 of 60 trials, those that failed first; --full shows all" in lines
    whole = printed(view_experiment(made.id, memory, full=True), 80)
    assert len(re.findall(r"^ *\d+  Capital", whole, re.MULTILINE)) == 60


def talk(made: Any, length: int) -> None:
    """An LM that is told so many messages."""
    messages = [{"role": "user", "content": f"message {n}"} for n in range(length)]
    trial = made.new_id()
    lm = made.begin("lm", "model", 1, trial=trial, opens={"kind": "call"},
                    attributes={"inputs": {"messages": messages}})  # fmt: skip
    made.end(lm, 5, trial, outputs=["so"], cost=0.0)


def test_of_a_long_talk_the_middle_is_left_out(book: Callable[..., Any], memory: Store) -> None:
    made = book()
    talk(made, 30)
    talk(made, 7)
    made.close(6)
    short = printed(view_trial(made.id, "2", memory), 80)
    assert re.search(r" 1 more message …$", short, re.MULTILINE)
    shown = printed(view_trial(made.id, "1", memory), 80)
    assert re.findall(r"message (\d+)", shown) == ["0", "25", "26", "27", "28", "29"]
    assert "24 more messages …" in shown
    assert len(re.findall(r"message \d+", str(view_trial(made.id, "1", memory, full=True)))) == 30


def test_of_a_long_text_without_a_step_the_beginning_is_shown(
    book: Callable[..., Any], memory: Store
) -> None:
    made = book()
    instructions = "\n".join(f"rule {n}" for n in range(30))
    inputs = {"extract.predict": {"instructions": instructions, "demos": []}}
    made.line("trial", id="c" * 26, kind="candidate", name="candidate ab", inputs=inputs,
              started="2026-11-21T06:39:14Z", details={"candidate": "ab"})  # fmt: skip
    made.close(6)
    lines = printed(view_trial(made.id, "1", memory), 80).splitlines()
    start = lines.index("extract.predict")
    assert lines[start + 1 : start + 3] == ["  rule 0", "  rule 1"]
    assert "  18 lines more; --full shows all" in lines
    assert "  rule 29" in printed(view_trial(made.id, "1", memory, full=True), 80).splitlines()


def test_wide_characters_stay_in_their_columns(book: Callable[..., Any], memory: Store) -> None:
    made = book()
    for name in ("東京の首都はどこですか", "plain", "👩‍👩‍👧 family", "שלום"):
        made.call(1, lm=1, opens={"kind": "example", "name": name})
    made.close(9)
    lines = printed(view_experiment(made.id, memory), 80).splitlines()
    start = next(n for n, line in enumerate(lines) if "TRIAL" in line)
    ends = {cell_len(line) for line in lines[start : start + 5]}
    assert len(ends) == 1


def test_an_accent_and_red_are_all_the_colours(capitals: Any, memory: Store) -> None:
    shown = printed(view_trial(capitals.id, "3", memory), 80, force_terminal=True)
    shown += printed(view_experiment(capitals.id, memory), 80, force_terminal=True)
    codes = {code for found in re.findall(r"\x1b\[([\d;]*)m", shown) for code in found.split(";")}
    assert codes <= {"0", "1", "90", "36", "31"}
