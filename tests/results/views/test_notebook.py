"""Views in a notebook: HTML that folds by itself, runs nothing and asks for nothing."""

import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from typing import Any

import pytest

from dspy_profiles.results import Experiment, Store, view_experiment, view_trial
from dspy_profiles.results.views import view_list

TAGS = set(
    "div span b bdi pre details summary table thead tbody tr th td".split()  # noqa: SIM905
)


class Reader(HTMLParser):
    """Which elements and attributes there are, and what they say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_experiment_shows_its_trials_and_folds_the_rest(capitals: Any, memory: Store) -> None:
    found = Reader(view_experiment(capitals.id, memory)._repr_html_())
    for text in ("capitals", "short prompts do", "$0.0024", "example 2", "And of Peru?", "Rome",
                 "RateLimitError: slow down", "ask once", "c62a15142b9d on main"):  # fmt: skip
        assert text in found.text
    assert found.tags["details"] == 3
    assert found.tags["tr"] == 4 + 10


def test_a_trial_folds_prompt_and_answer_under_their_step(capitals: Any, memory: Store) -> None:
    found = Reader(view_trial(capitals.id, "1", memory)._repr_html_())
    assert found.tags["details"] == 4
    for text in ("Your input fields are:\n1. `question`", "[[ ## answer ## ]]\nParis\n\n[[ ##",
                 "148 + 12 tokens · $0.0012", "temperature: 0.7"):  # fmt: skip
        assert text in found.text


def test_what_failed_stands_out(capitals: Any, memory: Store) -> None:
    shown = view_trial(capitals.id, "3", memory)._repr_html_()
    assert re.search(r'<bdi style="color:#d9534f[^"]*">RateLimitError: slow down</bdi>', shown)
    assert "in <bdi>Capital › lm openai/gpt-4o</bdi>" in shown


@pytest.mark.parametrize("full", [False, True])
def test_nothing_that_was_recorded_becomes_markup(
    hostile: Any, hostile_names: Sequence[Experiment], memory: Store, *, full: bool
) -> None:
    views: list[Any] = [view_list(hostile_names), view_experiment(hostile.id, memory, full=full)]
    views += [view_trial(hostile.id, n, memory, full=full) for n in ("1", "2")]
    for view in views:
        found = Reader(view._repr_html_())
        assert set(found.tags) <= TAGS
        assert found.attributes <= {"style", "dir", "open"}
        assert "<img src=x" in found.text
        assert "{{ 7 * 7 }}" in found.text
        assert "\x1b" not in found.text


def test_a_long_prompt_is_cut_and_says_so(book: Callable[..., Any], memory: Store) -> None:
    made = book()
    made.call(1, question="x" * 1_000_000)
    made.close(1000)
    shown = view_trial(made.id, "1", memory)._repr_html_()
    assert len(shown) < 150_000
    assert "the first 20,000 of 1,000," in shown
    assert "x" * 1_000_000 in view_trial(made.id, "1", memory, full=True)._repr_html_()


def test_many_steps_are_cut_and_say_so(book: Callable[..., Any], memory: Store) -> None:
    made = book()
    trial = made.call(1)
    for number in range(97):
        made.score(0.5, number, trial)
    made.close(1000)
    assert ">1 more step; full=True" in view_trial(made.id, "1", memory)._repr_html_()
    assert "more step" not in view_trial(made.id, "1", memory, full=True)._repr_html_()


def test_a_candidate_says_how_many_examples_it_had(book: Callable[..., Any], memory: Store) -> None:
    made = book()
    for nr, tried in enumerate((1, 2)):
        mark = f"{nr}" * 26
        made.line("trial", id=mark, kind="candidate", name="candidate", inputs={},
                  started="2026-11-21T06:39:14Z", details={"candidate": mark})  # fmt: skip
        for _ in range(tried):
            made.call(1, lm=1, opens={"kind": "example", "name": "e", "parent": mark})
    made.close(1000)
    shown = Reader(view_experiment(made.id, memory)._repr_html_()).text
    assert "1 example " in shown
    assert "2 examples " in shown


def test_many_trials_are_cut_and_say_so(book: Callable[..., Any], memory: Store) -> None:
    made = book()
    for number in range(150):
        made.call(number, lm=1)
    made.close(1000)
    shown = view_experiment(made.id, memory)._repr_html_()
    assert "100 of 150 trials" in shown
    assert "of 150 trials" not in view_experiment(made.id, memory, full=True)._repr_html_()
