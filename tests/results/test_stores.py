"""What every store does alike. A new kind of store joins by one line in conftest.py."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles.errors import ProfileError, StoreError
from dspy_profiles.results import (
    Decision,
    Experiment,
    ExperimentNotFound,
    Score,
    Store,
    open_store,
    record,
)
from dspy_profiles.results.journal import _archive as archive
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.recording import ExperimentWriter


def journals(store: Store) -> Path:
    assert isinstance(store.storage, FolderStorage)
    return store.storage.root


def recorded(store: Store, module: Any, name: str = "a run", **more: Any) -> Experiment:
    """An archived experiment of two calls, the first with a score."""
    with record(name, store=store, **more) as exp:
        module(question="What is the capital of France?")
        module(question="Why?")
        first = store.query_trials(exp.id)[0]
        exp.score("accuracy", 0.5, trial=first)
    return store.get_experiment(exp.id)


def test_an_empty_store_has_no_experiments(store: Store) -> None:
    assert store.query_experiments() == []
    assert store.recover() == []
    assert store.rebuild() == 0


@pytest.mark.parametrize("name", ["", "nothing", "0" * 26, "../../etc", "a/b", "\0", None])
def test_what_is_not_there_is_not_found(store: Store, name: Any) -> None:
    for ask in (store.get_experiment, store.query_trials, store.events, store.verify):
        with pytest.raises(ExperimentNotFound, match="not found in"):
            ask(name)


def test_a_store_is_opened_again_by_its_url(store: Store, lm: Any, program: Any) -> None:
    done = recorded(store, program)
    assert open_store(store.url).get_experiment(done.id) == done


def test_an_experiment_says_what_it_was(store: Store, lm: Any, program: Any) -> None:
    done = recorded(store, program, "tune", hypothesis="shorter is better", program=program)
    assert (done.name, done.hypothesis, done.program) == ("tune", "shorter is better", "Program")
    assert (done.status, done.trials, done.score, done.tokens) == ("done", 2, 0.5, 24)
    assert done.profile is None
    assert done.ended is not None
    assert done.started <= done.ended


def test_an_unknown_price_is_no_price(store: Store, lm: Any, program: Any) -> None:
    assert recorded(store, program).cost is None


def test_trials_come_in_the_order_in_which_they_began(store: Store, lm: Any, program: Any) -> None:
    done = recorded(store, program)
    first, second = store.query_trials(done.id)
    assert first.inputs == {"question": "What is the capital of France?"}
    assert first.outputs == {"answer": "Paris"}
    assert second.inputs == {"question": "Why?"}
    assert (first.name, first.kind, first.status, first.error) == ("Program", "call", "done", None)
    assert (first.score, second.score) == (0.5, None)
    assert first.experiment_id == done.id
    assert first.id < second.id


def test_events_stand_in_their_trial_each_within_its_parent(
    store: Store, lm: Any, program: Any
) -> None:
    done = recorded(store, program)
    trial = store.query_trials(done.id)[1]
    events = store.events(done.id, trial.id)
    assert [(e.kind, e.name) for e in events] == [
        ("module", "Program"),
        ("module", "Predict"),
        ("adapter", "ChatAdapter"),
        ("lm", "own/model"),
        ("adapter", "ChatAdapter"),
    ]
    program_, predict, *inner = events
    assert program_.parent_id is None
    assert predict.parent_id == program_.id
    assert {e.parent_id for e in inner} == {predict.id}
    assert {e.trial_id for e in events} == {trial.id}
    assert all(e.ended is not None and e.started <= e.ended for e in events)


def test_all_events_are_those_of_the_trials_and_those_of_none(
    store: Store, lm: Any, program: Any
) -> None:
    with record("a run", store=store) as exp:
        exp.decision(strategy="try", rationale="it is short", action="ask")
        program(question="Why?")
    (trial,) = store.query_trials(exp.id)
    events = store.events(exp.id)
    decision, *rest = events
    assert decision.trial_id is None
    assert Decision.of(decision) == Decision("try", "it is short", "ask", None)
    assert rest == store.events(exp.id, trial.id)


def test_a_trial_that_is_not_there_has_no_events(store: Store, lm: Any, program: Any) -> None:
    done = recorded(store, program)
    assert store.events(done.id, "0" * 26) == []


def test_what_is_running_can_be_looked_at(store: Store, lm: Any, program: Any) -> None:
    with record("a run", store=store) as exp:
        program(question="Why?")
        running = store.get_experiment(exp.id)
        assert (running.status, running.ended, running.trials) == ("running", None, 1)
        assert store.query_experiments(status="running") == [running]
        assert len(store.events(exp.id)) == 5
        assert [fault.kind for fault in store.verify(exp.id)] == ["open"]
        assert store.recover() == []
        with pytest.raises(StoreError, match="is not closed yet"):
            store.archive_experiment(exp)
    assert store.get_experiment(exp.id).status == "done"


def test_a_call_that_is_under_way_is_running(store: Store, lm_of: Any, program: Any) -> None:
    seen: list[str] = []

    def answer(_: Any) -> str:
        (trial,) = store.query_trials(exp.id)
        seen.extend([trial.status, *(e.status for e in store.events(exp.id, trial.id))])
        return "[[ ## answer ## ]]\nParis"

    with dspy.context(lm=lm_of(answer)), record("a run", store=store) as exp:
        program(question="Why?")
    assert seen == ["running", "running", "running", "done", "running"]


def test_one_that_is_just_being_closed_is_not_taken_for_dead(
    store: Store, lm: Any, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed, seen = archive.seal, []

    def seal(*arguments: Any, **more: Any) -> bool:
        other = open_store(store.url)
        seen.extend([other.recover(), other.get_experiment(exp.id).status])
        return sealed(*arguments, **more)

    with monkeypatch.context() as patched, record("a run", store=store) as exp:
        program(question="Why?")
        patched.setattr(archive, "seal", seal)
    assert seen == [[], "running"]
    assert store.get_experiment(exp.id).status == "done"


def test_archiving_twice_changes_nothing(store: Store, lm: Any, program: Any) -> None:
    done = recorded(store, program)
    assert store.archive_experiment(done) == done
    assert store.archive_experiment(store.get_experiment(done.id)) == done


@pytest.mark.parametrize("given", ["0" * 26, None])
def test_what_is_no_experiment_is_not_archived(store: Store, given: Any) -> None:
    with pytest.raises(StoreError, match="is not an experiment"):
        store.archive_experiment(given)


def test_an_experiment_is_taken_over_from_another_store(
    store: Store, lm: Any, program: Any
) -> None:
    long = "a very long question " * 1000
    with record("a run", store="memory:elsewhere") as exp:
        program(question=long)
    taken = store.archive_experiment(exp)
    assert taken == exp.store.get_experiment(exp.id)
    assert store.query_trials(exp.id) == exp.store.query_trials(exp.id)
    assert store.query_trials(exp.id)[0].inputs == {"question": long}
    assert store.events(exp.id) == exp.store.events(exp.id)
    assert store.verify(exp.id) == []


def test_what_is_archived_is_as_it_was(store: Store, lm: Any, program: Any) -> None:
    assert store.verify(recorded(store, program).id) == []


def test_rebuilding_gives_the_same_answers(store: Store, lm: Any, program: Any) -> None:
    ids = [recorded(store, program, f"run {n}").id for n in range(3)]

    def answers() -> Any:
        found = store.query_experiments()
        return found, [(store.query_trials(each), store.events(each)) for each in ids]

    before = answers()
    assert store.rebuild() == 3
    assert answers() == before
    assert [store.verify(each) for each in ids] == [[], [], []]


def test_eight_threads_write_to_one_store(store: Store, lm: Any, program: Any) -> None:
    def work(number: int) -> None:
        with record(f"writer {number}", store=store):
            for turn in range(5):
                program(question=f"question {turn}")

    contexts = [copy_context() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: contexts[n].run(work, n), range(8)))
    found = store.query_experiments()
    assert sorted(each.name for each in found) == [f"writer {n}" for n in range(8)]
    for each in found:
        asked = [trial.inputs["question"] for trial in store.query_trials(each.id)]
        assert asked == [f"question {turn}" for turn in range(5)]
        assert store.verify(each.id) == []


def test_an_error_that_leaves_the_block_fails_the_experiment(store: Store, lm: Any) -> None:
    recording = record("a run", store=store)
    with pytest.raises(ValueError, match="no"), recording as exp:
        raise ValueError("no")
    done = store.get_experiment(exp.id)
    assert done.status == "failed"
    assert done.details["error"] == "ValueError: no"


def test_a_keyboard_interrupt_interrupts_it(store: Store, lm: Any) -> None:
    recording = record("a run", store=store)
    with pytest.raises(KeyboardInterrupt), recording as exp:
        raise KeyboardInterrupt
    assert store.get_experiment(exp.id).status == "interrupted"


class TestExperimentsAreFound:
    @pytest.fixture
    def three(self, store: Store, lm: Any, program: Any) -> list[Experiment]:
        """Latest first."""
        first = recorded(store, program, "one", hypothesis="Shorter is better", program="A")
        second = recorded(store, program, "two", hypothesis="longer is better", program="B")
        with record("three", store=store) as exp:
            program(question="What is 二 in Zürich?")
        return [store.get_experiment(exp.id), second, first]

    def test_all_of_them_latest_first(self, store: Store, three: list[Experiment]) -> None:
        assert store.query_experiments() == three
        assert store.query_experiments(limit=2) == three[:2]
        assert store.query_experiments(limit=0) == []

    def test_by_a_part_of_their_hypothesis(self, store: Store, three: list[Experiment]) -> None:
        assert store.query_experiments(hypothesis="SHORTER") == three[2:]
        assert store.query_experiments(hypothesis="is better") == three[1:]

    def test_by_their_program(self, store: Store, three: list[Experiment]) -> None:
        assert store.query_experiments(program="A") == three[2:]
        assert store.query_experiments(program="Program") == three[:1]  # as its calls say

    def test_by_their_profile(self, store: Store, three: list[Experiment]) -> None:
        assert store.query_experiments(profile="prod") == []

    def test_by_their_status(self, store: Store, three: list[Experiment]) -> None:
        assert store.query_experiments(status="done") == three
        assert store.query_experiments(status="failed") == []

    def test_by_their_time(self, store: Store, three: list[Experiment]) -> None:
        middle = three[1].started
        assert store.query_experiments(since=middle) == three[:2]
        assert store.query_experiments(until=middle.isoformat()) == three[1:]
        today = datetime.now(UTC).date()
        assert store.query_experiments(since=today - timedelta(1), until=str(today)) == three
        assert store.query_experiments(until=date(2000, 1, 1)) == []

    @pytest.mark.parametrize(
        ("wanted", "said"),
        [
            ({"since": "yesterday"}, '"yesterday" is not a time'),
            ({"until": timedelta(days=1)}, '"1 day, 0:00:00" is not a time'),
            ({"min_score": "a"}, "min_score is 'a', which is not a number"),
            ({"limit": "a"}, "limit is 'a', which is not a number"),
            ({"status": "nonsense"}, "write one of: running, done, failed, interrupted, skipped"),
            ({"status": "fialed"}, 'did you mean "failed"'),
            ({"status": ["failed"]}, "is not a status"),
        ],
    )
    def test_what_no_experiment_can_be_is_told(self, store: Store, wanted: Any, said: str) -> None:
        with pytest.raises(StoreError, match=said):
            store.query_experiments(**wanted)

    def test_by_their_score(self, store: Store, three: list[Experiment]) -> None:
        assert store.query_experiments(min_score=0.5) == three[1:]
        assert store.query_experiments(min_score=0.6) == []

    @pytest.mark.parametrize(
        ("text", "which"),
        [
            ("capital FRANCE", [1, 2]),
            ("zürich", [0]),
            ("二", [0]),
            ("What", [0, 1, 2]),
            ("capital Zürich", []),  # never in one event
            ("pari", []),  # words are whole
            ("two", [1]),  # what it says of itself
            ("longer better", [1]),
            ("question", [0, 1, 2]),  # in a prompt
            ("user", [0, 1, 2]),  # a value, as the role of a message
            ("content", []),  # a name of a field is no text
            ("", [0, 1, 2]),
        ],
    )
    def test_by_the_words_in_them(
        self, store: Store, three: list[Experiment], text: str, which: list[int]
    ) -> None:
        assert store.query_experiments(text=text) == [three[n] for n in which]

    def test_by_everything_together(self, store: Store, three: list[Experiment]) -> None:
        found = store.query_experiments(
            hypothesis="better", program="B", status="done", min_score=0.1, text="capital"
        )
        assert found == three[1:2]


class TestTrialsAreFound:
    def test_by_status_kind_score_and_words(
        self, store: Store, lm: Any, program: Any, examples: Any
    ) -> None:
        def fail(question: str) -> None:
            raise ValueError("no such answer")

        with record("a run", store=store) as exp:
            program(question="Why?")
            evaluate = dspy.Evaluate(
                devset=examples(2), metric=lambda e, _: e.question[-1] == "1", num_threads=1
            )
            evaluate(program)
            program.forward = fail
            with pytest.raises(ValueError, match="no such"):
                program(question="Why not?")
        call, zero, one, failed = store.query_trials(exp.id)
        assert store.query_trials(exp.id, kind="example") == [zero, one]
        assert store.query_trials(exp.id, min_score=0.5) == [one]
        assert store.query_trials(exp.id, status="failed") == [failed]
        assert failed.error == "ValueError: no such answer"
        assert store.query_trials(exp.id, text="why") == [call, failed]
        assert store.query_trials(exp.id, text="why", limit=1) == [call]
        assert store.query_trials(exp.id, limit=None) == [call, zero, one, failed]


class TestScores:
    def test_a_score_in_a_call_is_its_trials(self, store: Store, lm: Any, program: Any) -> None:
        class Scored(dspy.Module):
            def forward(self, question: str) -> Any:
                answer = program(question=question)
                exp.score("length", len(answer.answer), unit="characters")
                return answer

        with record("a run", store=store) as exp:
            Scored()(question="Why?")
        (trial,) = store.query_trials(exp.id)
        assert trial.score == 5.0
        (score,) = [e for e in store.events(exp.id, trial.id) if e.kind == "score"]
        assert Score.of(score) == Score("length", 5.0)
        assert score.parent_id == store.events(exp.id, trial.id)[0].id
        assert score.attributes["unit"] == "characters"

    def test_one_outside_is_the_experiments_where_no_trial_has_one(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        with record("a run", store=store) as exp:
            program(question="Why?")
            exp.score("judge", 0.25)
        assert store.get_experiment(exp.id).score == 0.25

    @pytest.mark.parametrize(("given", "kept"), [(True, 1.0), (False, 0.0), (3, 3.0)])
    def test_a_bool_is_a_number(self, store: Store, lm: Any, given: Any, kept: float) -> None:
        with record("a run", store=store) as exp:
            exp.score("m", given)
        assert store.get_experiment(exp.id).score == kept

    @pytest.mark.parametrize("given", [float("nan"), float("inf"), "good", None])
    def test_what_is_no_number_is_kept_and_is_no_score(
        self, store: Store, lm: Any, given: Any
    ) -> None:
        with record("a run", store=store) as exp:
            exp.score("m", given)
        assert store.get_experiment(exp.id).score is None
        (event,) = store.events(exp.id)
        assert "given" in event.attributes

    def test_what_is_no_number_displaces_none(self, store: Store, lm: Any, program: Any) -> None:
        with record("a run", store=store) as exp:
            program(question="Why?")
            (trial,) = store.query_trials(exp.id)
            for given in (0.5, None):
                exp.score("m", given, trial=trial)
        assert store.get_experiment(exp.id).score == 0.5
        assert store.query_trials(exp.id)[0].score == 0.5

    @pytest.mark.parametrize("named", [1, "1", "bogus"])
    def test_one_of_no_trial_is_refused(self, store: Store, lm: Any, named: Any) -> None:
        refused = pytest.raises(ProfileError, match="is not a trial\n.*hint: pass a Trial")
        with record("a run", store=store) as exp, refused:
            exp.score("m", 1, trial=named)
        assert store.query_trials(exp.id) == []


class TestWhatCannotBeClosed:
    @pytest.fixture
    def left(self, lasting_url: str) -> list[str]:
        """What three dead processes have left open, oldest first."""
        books = [ExperimentWriter(open_store(lasting_url), f"run {n}") for n in range(3)]
        for book in books:
            book.title(None)
            book.journal.close()
        return [book.id for book in books]

    def block(self, store: Store, experiment: str) -> Path:
        """Take the place of a document that is to be written."""
        taken = journals(store) / "experiments" / experiment / "trials.jsonl"
        (taken / "taken").mkdir(parents=True)
        return taken

    def test_keeps_no_other_from_being_closed_and_is_said(
        self, lasting_url: str, left: list[str]
    ) -> None:
        with open_store(lasting_url) as store:
            taken = self.block(store, left[1])
            with pytest.raises(StoreError) as caught:
                store.recover()
            assert caught.value.message.startswith(
                f"the experiment {left[1]} could not be closed, 2 others were: "
                "the result store cannot be written: "
            )
            assert str(caught.value.where) == str(taken)
            shutil.rmtree(taken)
            assert [each.id for each in store.recover()] == [left[1]]
            assert {each.status for each in store.query_experiments()} == {"interrupted"}
            assert [store.verify(each) for each in left] == [[], [], []]

    def test_or_made_anew_keeps_no_other_from_it_and_is_said(
        self, lasting_url: str, left: list[str]
    ) -> None:
        with open_store(lasting_url) as store:
            with open_store(f"file:{journals(store)}") as files:
                assert len(files.recover()) == 3  # which a database beside them has not seen
            (journals(store) / "experiments" / left[1] / "trials.jsonl").unlink()
            taken = self.block(store, left[1])
            with pytest.raises(StoreError) as caught:
                store.rebuild()
            assert caught.value.message.startswith(
                f"the experiment {left[1]} could not be rebuilt, 2 others were: "
            )
            assert str(caught.value.where) == str(taken)
            shutil.rmtree(taken)
            assert store.rebuild() == 3
            assert [store.verify(each) for each in left] == [[], [], []]

    def test_is_said_of_each(self, lasting_url: str, left: list[str]) -> None:
        with open_store(lasting_url) as store:
            for each in left[:2]:
                self.block(store, each)
            with pytest.raises(StoreError) as caught:
                store.recover()
            first, *others = caught.value.message.splitlines()
            assert first == "2 experiments could not be closed, 1 other was:"
            assert [line.split(": ")[0].strip() for line in others] == [left[1], left[0]]
            assert caught.value.exit_code == 6
            assert store.verify(left[2]) == []
