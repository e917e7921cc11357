"""The model of a view: what a store says, counted and put in its place."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.errors import ExperimentNotFound, WriteFailed
from dspy_profiles.results import Store, open_store, view_experiment, view_trial
from dspy_profiles.results.views import view_list
from dspy_profiles.secrets import _redaction as redaction

SECRET = "canary-0123456789-secret"


def facts(rows: Any) -> dict[str, str]:
    return {each.label: f"{each.value} {each.remark}".strip() for each in rows}


class TestExperiments:
    def test_say_how_they_were_run(self, capitals: Any, memory: Store) -> None:
        assert facts(view_experiment(capitals.id, memory).sheet.facts) == {
            "experiment": capitals.id,
            "profile": "prod · 8ffe5064480e53bc from the argument",
            "program": "Capital inferred from the first call",
            "versions": "DSPy 3.4.1 · Python 3.11.7 · dspy-profiles 0.1.0",
            "commit": "c62a15142b9d on main with uncommitted changes",
            "command": "python capitals.py --split 'dev set'",
            "folder": "/home/you/project",
            "platform": "Linux-6.18",
            "started": "2026-11-21 06:39:14 UTC",
            "ended": "2026-11-21 06:39:15 UTC",
        }

    def test_say_what_came_of_them(self, capitals: Any, memory: Store) -> None:
        sheet = view_experiment(capitals.id, memory).sheet
        figures = {"score": "0.5", "trials": "3", "calls": "3", "tokens": "320"}
        assert facts(sheet.figures) == {**figures, "cost": "$0.0024", "time": "1.0 s"}
        assert sheet.warnings == []

    def test_say_what_is_not_known(self, book: Callable[..., Any], memory: Store) -> None:
        details = dict.fromkeys(("profile", "versions", "git", "command", "folder", "platform"))
        made = book(profile=None, details=details)
        made.call(1, cost=None)
        made.close(1000)
        sheet = view_experiment(made.id, memory).sheet
        found = facts(sheet.facts)
        assert found["profile"] == "none was active"
        assert {found[key] for key in ("versions", "commit", "command")} == {"not known"}
        assert facts(sheet.figures)["cost"] == "unknown"
        assert sheet.rows[0].shown()["cost"] == "unknown"
        assert sheet.warnings == [
            "the cost is unknown: the price of at least one call is not known"
        ]

    def test_say_what_is_wrong_with_their_record(
        self, book: Callable[..., Any], memory: Store
    ) -> None:
        made = book()
        faults = {"count": 1, "first": "TypeError: no"}
        made.close(5, "failed", lost=2, error="ValueError: stop", faults=faults)
        assert view_experiment(made.id, memory).sheet.warnings == [
            "the block ended with ValueError: stop",
            "2 lines of its record could not be written and are lost",
            "1 call could not be recorded correctly: TypeError: no",
        ]

    def test_of_one_lost_line_it_is_said_in_the_singular(
        self, book: Callable[..., Any], memory: Store
    ) -> None:
        made = book().close(5, lost=1)
        assert view_experiment(made.id, memory).sheet.warnings == [
            "1 line of its record could not be written and is lost"
        ]

    def test_that_run_are_shown_as_they_are_now(
        self, book: Callable[..., Any], memory: Store
    ) -> None:
        made = book()
        made.begin("lm", "model", 5, trial=made.new_id(), opens={"kind": "call"})
        sheet = view_experiment(made.id, memory).sheet
        assert (sheet.status, sheet.rows[0].shown()["time"]) == ("running", "running")
        assert facts(sheet.figures)["time"] == "running"
        assert "running" in str(view_trial(made.id, "1", memory))
        made.close(10)

    def test_whose_process_died_say_so(self, book: Callable[..., Any], memory: Store) -> None:
        made = book()
        outer = made.begin("module", "Capital", 5, trial="t" * 26, opens={"kind": "call"})
        made.begin("lm", "model", 6, trial="t" * 26, parent=outer)
        made.close(10, "interrupted")
        view, trial = view_experiment(made.id, memory), view_trial(made.id, "1", memory)
        said = "its process ended first: the last events have no end"
        assert view.sheet.warnings == [said]
        assert (view.sheet.status, view.sheet.rows[0].status) == ("interrupted", "interrupted")
        assert [step.length for step in trial.sheet.steps] == ["interrupted", "interrupted"]
        for text in (str(view), view.html(), view._repr_html_()):
            assert said in text

    def test_count_what_a_cassette_and_a_cache_have_answered(
        self, book: Callable[..., Any], memory: Store
    ) -> None:
        made = book()
        made.call(1, replayed=True, cost=0.0)
        made.call(500, cached=True)
        view = view_experiment(made.close(1000).id, memory)
        assert facts(view.sheet.figures)["calls"] == "1 1 cached · 1 replayed"
        assert "calls 1 (1 cached · 1 replayed)" in str(view)
        assert [row.shown()["calls"] for row in view.sheet.rows] == [
            "1 (1 replayed)",
            "0 (1 cached)",
        ]

    def test_that_hold_nothing_are_shown_too(self, book: Callable[..., Any], memory: Store) -> None:
        view = view_experiment(book().close(5).id, memory)
        assert "no trials were recorded" in str(view)
        for text in (str(view), view.html(), view._repr_html_()):
            assert "capitals" in text

    def test_that_are_not_there_are_not_found(self, memory: Store) -> None:
        with pytest.raises(ExperimentNotFound, match="not found in"):
            view_experiment("0" * 26, memory)
        with pytest.raises(ExperimentNotFound, match="not found in"):
            view_trial("0" * 26, "1", memory)

    def test_come_from_a_store_that_is_named_or_the_projects_own(
        self, project: Path, book: Callable[..., Any], memory: Store
    ) -> None:
        made = book().close(5)
        assert view_experiment(made.id, memory.url).sheet.name == "capitals"
        with pytest.raises(ExperimentNotFound, match=r"\.dspy/results"):
            view_experiment(made.id)


class TestTrials:
    def test_have_one_row_each_that_counts_its_calls(self, capitals: Any, memory: Store) -> None:
        rows = view_experiment(capitals.id, memory).sheet.rows
        assert [(row.number, row.name, row.status, row.score) for row in rows] == [
            (1, "example 0", "done", 1.0),
            (2, "example 1", "done", 0.0),
            (3, "example 2", "failed", None),
        ]
        first = rows[0].shown()
        assert [first[key] for key in ("time", "calls", "tokens", "cost")] == [
            "402 ms", "1", "160", "$0.0012",
        ]  # fmt: skip
        assert (rows[1].asked, rows[1].answered) == ("And of Peru?", "Rome")
        assert rows[2].error == "RateLimitError: slow down"

    def test_count_as_their_experiment_does(self, book: Callable[..., Any], memory: Store) -> None:
        made = book()
        made.call(1)
        made.call(500, cached=True)
        made.call(900, error="RateLimitError: no")
        made.close(2000)
        sheet = view_experiment(made.id, memory).sheet
        spent = [row.spent for row in sheet.rows]
        assert [(each.calls, each.cached) for each in spent] == [(1, 0), (0, 1), (1, 0)]
        assert sum(each.tokens for each in spent) == sheet.experiment.tokens
        assert sum(each.cost or 0.0 for each in spent) == sheet.experiment.cost
        assert sheet.rows[1].shown()["calls"] == "0 (1 cached)"

    def test_that_failed_say_where(self, capitals: Any, memory: Store) -> None:
        sheet = view_trial(capitals.id, "3", memory).sheet
        assert sheet.error == "RateLimitError: slow down"
        assert sheet.where == "Capital › lm openai/gpt-4o"

    def test_are_found_by_id_and_by_number(self, capitals: Any, memory: Store) -> None:
        by_number = view_trial(capitals.id, "2", memory).sheet.row
        assert view_trial(capitals.id, by_number.id, memory).sheet.row == by_number
        assert by_number.name == "example 1"

    @pytest.mark.parametrize("name", ["0", "4", "nothing", "-1", "²", ""])
    def test_that_are_not_there_are_not_found(
        self, capitals: Any, memory: Store, name: str
    ) -> None:
        with pytest.raises(ExperimentNotFound) as caught:
            view_trial(capitals.id, name, memory)
        assert caught.value.hint is not None
        assert "it has 3 trials" in caught.value.hint
        assert f"dspy-profiles trace {capitals.id}" in caught.value.hint

    def test_without_steps_show_what_went_in_and_came_out(
        self, book: Callable[..., Any], memory: Store
    ) -> None:
        made = book()
        started = "2026-11-21T06:39:14.001Z"
        made.line("trial", id="a" * 26, kind="example", name="example 0", started=started,
                  inputs={"question": "?"}, details={"inferred": True})  # fmt: skip
        made.line("trial.end", id="a" * 26, ended=started, status="done", outputs={"answer": "!"})
        view = view_trial(made.close(5).id, "1", memory)
        assert [(part.label, part.text) for part in view.sheet.parts] == [
            ("inputs", "question: ?"), ("outputs", "answer: !"),
        ]  # fmt: skip
        assert "its program was not observed" in str(view)


class TestCandidates:
    @pytest.fixture
    def tuned(self, book: Callable[..., Any]) -> Any:
        made = book(name="tune")
        for number, (mark, more) in enumerate(
            [("aaaaaaaa11", {}), ("bbbbbbbb22", {"parent": "aaaaaaaa11", "parent_inferred": True})]
        ):
            trial = made.new_id()
            started = f"2026-11-21T06:39:14.{number}00Z"
            predictors = {"answer": {"instructions": f"Be {mark}.", "demos": [{"question": "?"}]}}
            made.line("trial", id=trial, kind="candidate", name=f"candidate {mark[:8]}",
                      started=started, inputs=predictors,
                      details={"candidate": mark, **more})  # fmt: skip
            for example in range(2):
                opens = {"kind": "example", "name": f"example {example}", "parent": trial}
                made.call(10 + 100 * number, lm=10, opens=opens)
            made.line("trial.end", id=trial, ended=started, status="done", score=0.5 + number / 4)
        return made.close(500)

    def test_say_what_they_were_made_from_and_that_it_is_inferred(
        self, tuned: Any, memory: Store
    ) -> None:
        found = view_experiment(tuned.id, memory).sheet.candidates
        assert [(each.hash, each.trial.score, each.examples, each.origin) for each in found] == [
            ("aaaaaaaa11", 0.5, 2, ""),
            ("bbbbbbbb22", 0.75, 2, "from aaaaaaaa (inferred)"),
        ]
        labels = [(part.label, part.text) for part in found[0].parts]
        assert labels == [("answer", "Be aaaaaaaa11."), ("1 demo", "-\n  question: ?")]

    def test_count_what_their_examples_took(self, tuned: Any, memory: Store) -> None:
        rows = view_experiment(tuned.id, memory).sheet.rows
        assert [row.spent.calls for row in rows if row.kind == "candidate"] == [2, 2]
        assert view_trial(tuned.id, "1", memory).sheet.row == rows[0]
        assert {row.parent for row in rows if row.kind == "example"} == {
            "candidate aaaaaaaa", "candidate bbbbbbbb",
        }  # fmt: skip

    def test_show_what_they_consist_of_as_trials_too(self, tuned: Any, memory: Store) -> None:
        view = view_trial(tuned.id, "1", memory)
        for text in (str(view), view.html(), view._repr_html_()):
            assert "Be aaaaaaaa11." in text

    def test_stand_in_every_face(self, tuned: Any, memory: Store) -> None:
        view = view_experiment(tuned.id, memory)
        for text in (str(view), view.html(), view._repr_html_()):
            assert "from aaaaaaaa (inferred)" in text
        assert "Be bbbbbbbb22." in str(view_experiment(tuned.id, memory, full=True))


class TestSaving:
    def test_writes_the_whole_page_or_replaces_it(
        self, project: Path, capitals: Any, memory: Store
    ) -> None:
        view = view_experiment(capitals.id, memory)
        for _ in range(2):
            assert view.save("made/page.html") == project / "made" / "page.html"
        assert (project / "made" / "page.html").read_text("utf-8") == view.html()
        assert [path.name for path in (project / "made").iterdir()] == ["page.html"]

    def test_to_where_nothing_can_be_written_is_told(
        self, project: Path, capitals: Any, memory: Store, write: Callable[..., Path]
    ) -> None:
        write("file", "a text")
        with pytest.raises(WriteFailed, match="cannot write page.html"):
            view_trial(capitals.id, "1", memory).save("file/page.html")
        with pytest.raises(WriteFailed, match="not a regular file"):
            view_trial(capitals.id, "1", memory).save(project)


def test_a_decision_stands_between_the_steps_that_it_was_made_between(
    book: Callable[..., Any], memory: Store
) -> None:
    made = book()
    trial = made.call(1, lm=10)
    decided = {"strategy": "look it up", "rationale": "it does not know", "action": "search"}
    made.point("decision", "look it up", 20, trial=trial, attributes=decided)
    asked = {"inputs": {"query": "Lima"}, "outputs": "a city"}
    made.point("tool", "search", 21, end=22, trial=trial, attributes=asked)
    made.score(1.0, 30, trial)
    view = view_trial(made.close(40).id, "1", memory)
    kinds = [step.kind for step in view.sheet.steps]
    assert kinds == ["module", "adapter", "lm", "adapter", "decision", "tool", "score"]
    for text in (str(view), view.html(), view._repr_html_()):
        places = [text.index(said) for said in ("it does not know", "a city")]
        assert places == sorted(places)


def test_decisions_stand_in_order_with_their_trial(book: Callable[..., Any], memory: Store) -> None:
    made = book()
    trial = made.call(1)
    decided = {"strategy": "again", "rationale": "it was\nwrong", "action": None, "worker": "w2"}
    made.point("decision", "again", 700, trial=trial, attributes=decided)
    made.point("decision", "stop", 800, attributes={"strategy": "stop"})
    made.close(900)
    found = view_experiment(made.id, memory).sheet.decisions
    assert [(each.strategy, each.rationale, each.worker) for each in found] == [
        ("again", "it was\nwrong", "w2"),
        ("stop", "", ""),
    ]
    assert [None if each.trial is None else each.trial.number for each in found] == [1, None]


def test_a_list_has_one_row_for_each_experiment(book: Callable[..., Any], memory: Store) -> None:
    book(id="0" * 25 + "1", name="first").close(5)
    book(id="0" * 25 + "2", name="second", profile=None).close(5, "failed")
    view = view_list(memory.query_experiments())
    assert [(row["name"], row["status"], row["profile"]) for row in view.sheet.rows] == [
        ("second", "failed", "–"),
        ("first", "done", "prod"),
    ]
    for text in (str(view), view.html(), view._repr_html_()):
        assert "second" in text
    assert str(view_list([])) == "no experiments yet"
    assert "o experiments yet" in view_list([]).html() + view_list([])._repr_html_()


def test_no_face_shows_a_secret_that_became_one_later(
    book: Callable[..., Any], everywhere: Callable[[str], Any], memory: Store
) -> None:
    made = book(name=SECRET, hypothesis=SECRET, details={"command": ["run", f"--x={SECRET}"]})
    made.call(1, question=f"{SECRET}?", answer={SECRET: SECRET}, response_model=SECRET)
    made.call(600, error=f"ValueError: {SECRET}")
    made.close(1000, error=SECRET)
    everywhere(SECRET)
    # Half of it would be left where the line is cut.
    book(id="0" * 25 + "5", hypothesis="x" * 295 + SECRET).close(5)
    redaction.remember(SECRET, "${THE_KEY}")
    views: list[Any] = [view_list(memory.query_experiments())]
    for each in memory.query_experiments():
        views += [view_experiment(each.id, memory, full=full) for full in (False, True)]
        views += [
            view_trial(each.id, trial.id, memory, full=full)
            for trial in memory.query_trials(each.id)
            for full in (False, True)
        ]
    assert len(views) == 1 + 3 * 2 + 4 * 2
    for view in views:
        for text in (str(view), view.html(), view._repr_html_()):
            assert "canary" not in text
    assert "${THE_KEY}" in str(views[0])


def test_showing_never_imports_dspy(project: Path, book: Callable[..., Any], memory: Store) -> None:
    made = book().close(5)
    store = open_store("file:results")
    store.archive_experiment(_Of(made.id, memory))
    code = (
        "import sys; from dspy_profiles.results.views import view_experiment as view;"
        f"shown = view({made.id!r}, 'file:results');"
        "assert 'rich' not in sys.modules and 'jinja2' not in sys.modules;"
        "str(shown), shown.html(), shown._repr_html_(); sys.exit('dspy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=project)


class _Of:
    """What a store takes from another."""

    def __init__(self, name: str, store: Store) -> None:
        self.id, self.store = name, store
