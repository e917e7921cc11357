"""A timeline is made of events: one step for each, in order, set in where it belongs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspy_profiles.results import Event
from dspy_profiles.results.views import Step, Timeline, view_trial

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: int, parent: int | None = None, **more: Any) -> Event:
    """One that began so many milliseconds after the beginning, and took one."""
    started = BEGAN + timedelta(milliseconds=number)
    said = {"kind": "module", "name": f"step {number}", "status": "done", "attributes": {}, **more}
    ended = more.pop("ended", started + timedelta(milliseconds=1))
    said.pop("ended", None)
    around = None if parent is None else f"{parent:03}"
    return Event(
        id=f"{number:03}", parent_id=around, trial_id="t", started=started, ended=ended, **said
    )


def steps_of(*events: Event) -> list[Step]:
    timeline = Timeline(BEGAN)
    timeline.take(events)
    return timeline.steps


def step_of(kind: str, **attributes: Any) -> Step:
    return steps_of(event(1, kind=kind, attributes=attributes))[0]


class TestOrder:
    def test_steps_stand_as_they_began_whatever_ended_first(self) -> None:
        found = steps_of(event(3, 1), event(2, 1), event(1))
        assert [step.title for step in found] == ["step 1", "step 2", "step 3"]
        assert [step.margin for step in found] == ["1 ms", "2 ms", "3 ms"]

    def test_what_belongs_to_another_is_set_in(self) -> None:
        found = steps_of(event(1), event(2, 1), event(3, 2), event(4, 1), event(5))
        assert [step.depth for step in found] == [0, 1, 2, 1, 0]

    def test_calls_side_by_side_are_interleaved(self) -> None:
        found = steps_of(event(1), event(2, 1), event(3, 1), event(4, 2), event(5, 3))
        assert [(step.title, step.where) for step in found[3:]] == [
            ("step 4", "step 1 › step 2"),
            ("step 5", "step 1 › step 3"),
        ]

    def test_a_circle_of_parents_ends(self) -> None:
        assert len(steps_of(event(1, 2), event(2, 1), event(3, 3))) == 3


class TestBitByBit:
    def test_only_what_is_new_or_has_changed_comes_out(self) -> None:
        timeline = Timeline(BEGAN)
        running = event(1, status="running", ended=None)
        assert [step.length for step in timeline.take([running])] == ["running"]
        assert timeline.take([running]) == []
        done = timeline.take([running, event(2, 1)])
        assert [(step.title, step.depth) for step in done] == [("step 2", 1)]
        assert [step.length for step in timeline.take([event(1), event(2, 1)])] == ["1 ms"]
        assert [step.length for step in timeline.steps] == ["1 ms", "1 ms"]

    @given(st.permutations(range(8)), st.integers(1, 8))
    def test_the_steps_are_those_that_come_of_all_events_at_once(
        self, order: list[int], size: int
    ) -> None:
        error = {"error": "it broke"}
        events = [event(n, n // 2 or None, attributes=error) for n in range(1, 9)]
        timeline = Timeline(BEGAN)
        for start in range(0, 8, size):  # a child may come first: then its parent is not known yet
            timeline.take(events[n] for n in order[start : start + size])
        timeline.take([])
        titles = [step.title for step in timeline.steps]
        assert titles == [step.title for step in steps_of(*events)]


class TestErrors:
    def test_the_innermost_step_has_raised_it(self) -> None:
        error = {"error": "ValueError: no"}
        outer, middle = event(1, attributes=error), event(2, 1, attributes=error)
        inner = event(3, 2, attributes=error)
        assert [s.has_raised for s in steps_of(outer, middle, inner)] == [False, False, True]

    def test_one_that_was_turned_into_another_is_two(self) -> None:
        outer = event(1, attributes={"error": "AdapterParseError: cannot"})
        found = steps_of(outer, event(2, 1, attributes={"error": "ValueError: no"}))
        assert [step.has_raised for step in found] == [True, True]


class TestDoubts:
    def test_an_orphan_says_what_is_missing(self) -> None:
        found = steps_of(event(1, attributes={"orphan": True}))
        assert found[0].marks == ["orphan: the event around it began before the recording"]

    def test_one_whose_parent_was_never_written_does_too(self) -> None:
        found = steps_of(event(5, 4), event(6, 5), event(7, 1))
        assert [bool(step.marks) for step in found] == [False, False, True]

    def test_an_inferred_trial_is_said_to_be(self) -> None:
        found = steps_of(event(1), event(2, 9, attributes={"trial_inferred": True}))
        assert found[1].marks == ["trial inferred: a metric called it"]


class TestKinds:
    def test_a_model_has_messages_answers_tokens_and_cost(self) -> None:
        messages = [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "Why?"}, {"type": "image_url"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"name": "look"}]},
        ]
        usage = {"prompt_tokens": 1480, "completion_tokens": 12, "total_tokens": 1492}
        step = step_of("lm", messages=messages, outputs=["So.", {"text": "Or", "logprobs": None}],
                       usage=usage, cost=0.0031, arguments={"temperature": 0})  # fmt: skip
        assert [(part.label, part.text) for part in step.parts] == [
            ("system", "Be short."),
            ("user", "Why?\n\ntype: image_url"),
            ("assistant", "tool_calls:\n  -\n    name: look"),
            ("arguments", "temperature: 0"),
            ("answer 1", "So."),
            ("answer 2", "Or"),
        ]
        assert step.notes == ["1,480 + 12 tokens", "$0.0031"]
        assert step.answered == "So."

    @pytest.mark.parametrize(
        ("said", "notes"),
        [
            ({}, ["cost unknown"]),
            ({"cached": True, "cost": 1.0}, ["cached"]),
            ({"cost": 0.0}, ["$0"]),
            ({"usage": {"total_tokens": 1}, "cost": 0.0}, ["1 token", "$0"]),
            ({"replayed": True, "cost": 0}, ["replayed", "$0"]),
            ({"response_model": "gpt-4o-2026", "cost": 0}, ["gpt-4o-2026", "$0"]),
        ],
    )
    def test_a_model_says_what_is_known_of_its_price(self, said: Any, notes: list[str]) -> None:
        assert step_of("lm", **said).notes == notes

    def test_a_model_that_is_a_trial_of_its_own_has_its_prompt_too(self) -> None:
        step = step_of("lm", inputs={"prompt": "Why?"}, outputs=["So."])
        assert [(part.label, part.text) for part in step.parts] == [
            ("prompt", "Why?"),
            ("answer", "So."),
        ]

    def test_a_decision_has_its_reasons(self) -> None:
        step = step_of("decision", strategy="split", rationale="too long", action="halve",
                       worker="w1", depth=2)  # fmt: skip
        assert (step.title, step.asked, step.answered) == ("split", "too long", "halve")
        assert step.notes == ["worker w1"]
        assert ("more", "depth: 2") in [(part.label, part.text) for part in step.parts]
        assert step.length == ""

    def test_a_tool_has_arguments_and_a_result(self) -> None:
        step = step_of("tool", inputs={"city": "Lima"}, outputs={"population": 10})
        assert (step.asked, step.answered) == ("Lima", "10")
        assert [part.label for part in step.parts] == ["arguments", "result"]

    def test_a_module_says_where_it_stands_in_its_program(self) -> None:
        step = step_of("module", path="answer.predict", inputs={"q": "?"}, outputs={"a": "!"})
        assert (step.title, step.asked, step.answered) == ("answer.predict · step 1", "?", "!")

    def test_a_score_without_a_number_says_what_was_given(self) -> None:
        assert step_of("score", value=0.5, by="evaluate").answered == "0.5"
        assert step_of("score", value=None, given="good").answered == "not a number: good"

    def test_an_adapter_an_evaluation_and_an_optimizer_say_what_they_do(self) -> None:
        adapter = step_of("adapter", step="format", signature="q -> a", demos=1, messages=4)
        assert (adapter.asked, adapter.answered) == ("q -> a", "1 demo, 4 messages")
        evaluate = step_of("evaluate", program="P", metric="exact", examples=20, score=85.0)
        assert (evaluate.asked, evaluate.answered) == ("P · exact · 20 examples", "85")
        compiled = step_of("compile", program="P", arguments={"trainset": 9}, candidate="ab12" * 9)
        assert (compiled.asked, compiled.answered) == ("P · trainset: 9", "candidate ab12ab12")

    def test_nothing_that_was_recorded_goes_unseen(self) -> None:
        for kind in ("module", "lm", "adapter", "tool", "evaluate", "compile", "decision", "score"):
            step = step_of(kind, something="else")
            assert "something: else" in [part.text for part in step.parts], kind

    ANY = st.dictionaries(
        st.sampled_from(
            [
                "inputs",
                "outputs",
                "messages",
                "prompt",
                "arguments",
                "usage",
                "cost",
                "cached",
                "error",
                "orphan",
                "path",
                "step",
                "signature",
                "demos",
                "strategy",
                "rationale",
                "worker",
                "value",
                "given",
                "labels",
                "predictors",
            ]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )

    @given(
        st.sampled_from(
            ["module", "lm", "adapter", "tool", "evaluate", "compile", "decision", "score", "new"]
        ),
        ANY,
    )
    def test_whatever_somebody_else_has_written_is_shown(self, kind: str, said: Any) -> None:
        step = steps_of(event(1, kind=kind, attributes=said))[0]
        assert step.title


def test_a_clock_that_was_set_back_gives_no_time_before_the_beginning(
    capitals: Any, memory: Any
) -> None:
    view = view_trial(capitals.id, "1", memory)
    early = replace(view.sheet.experiment, started=BEGAN)
    assert early.started < view.sheet.started
    step = steps_of(event(-5, ended=BEGAN - timedelta(seconds=9)))[0]
    assert (step.at, step.seconds) == (0.0, 0.0)


def test_every_step_of_a_trial_is_there(book: Callable[..., Any], memory: Any) -> None:
    made = book()
    trial = made.call(10)
    made.score(1.0, 500, trial)
    made.close(600)
    found = view_trial(made.id, trial, memory).sheet.steps
    assert [(step.kind, step.depth) for step in found] == [
        ("module", 0), ("adapter", 1), ("lm", 1), ("adapter", 1), ("score", 0),
    ]  # fmt: skip
