"""Every call is recorded where it belongs: under its parent, in its trial."""

import asyncio
import re
from collections import Counter
from itertools import count
from typing import Any

import dspy
import pytest

from dspy_profiles import profile
from dspy_profiles.errors import ProfileError
from dspy_profiles.results import Event, Store, open_store, record

NUMBERS = count()


@pytest.fixture
def store(memory: Store) -> Store:
    return memory


def only(events: list[Event], **wanted: Any) -> list[Event]:
    return [e for e in events if all(getattr(e, key) == value for key, value in wanted.items())]


def assert_calls_are_whole(store: Store, experiment: str, count: int) -> None:
    """So many trials, each of one program, one predictor in it and one model call in that."""
    trials = [t for t in store.query_trials(experiment) if t.kind != "candidate"]
    assert len(trials) == count
    for trial in trials:
        events = store.events(experiment, trial.id)
        (root,) = only(events, name="Program")
        (predict,) = only(events, name="Predict")
        (lm,) = only(events, kind="lm")
        assert predict.parent_id == root.id
        assert lm.parent_id == predict.id
        question = trial.inputs["question"]
        assert root.attributes["inputs"] == predict.attributes["inputs"] == trial.inputs
        assert question in str(lm.attributes["messages"])
        assert {e.status for e in events if e.kind != "score"} == {"done"}


class TestParents:
    def test_in_parallel(self, store: Store, lm: Any, program: Any) -> None:
        with record("a run", store=store) as exp:
            pairs = [(program, {"question": f"q{n}"}) for n in range(40)]
            dspy.Parallel(num_threads=8, disable_progress_bar=True)(pairs)
        assert_calls_are_whole(store, exp.id, 40)

    def test_in_evaluate(self, store: Store, lm: Any, program: Any, examples: Any) -> None:
        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=examples(40), metric=lambda *_: 1, num_threads=8)(program)
        assert_calls_are_whole(store, exp.id, 40)
        (evaluate,) = only(store.events(exp.id), kind="evaluate")
        roots = only(store.events(exp.id), name="Program")
        assert {root.parent_id for root in roots} == {evaluate.id}

    def test_in_tasks(self, store: Store, lm: Any, program: Any) -> None:
        async def run() -> None:
            await asyncio.gather(*(program.acall(question=f"q{n}") for n in range(40)))

        with record("a run", store=store) as exp:
            asyncio.run(run())
        assert_calls_are_whole(store, exp.id, 40)

    def test_in_asyncify(self, store: Store, lm: Any, program: Any) -> None:
        async def run() -> None:
            ask = dspy.asyncify(program)
            await asyncio.gather(*(ask(question=f"q{n}") for n in range(10)))

        with record("a run", store=store) as exp:
            asyncio.run(run())
        assert_calls_are_whole(store, exp.id, 10)

    def test_in_an_async_block_of_one_of_several_tasks(self, lm: Any, program: Any) -> None:
        stores = [open_store(f"memory:task{next(NUMBERS)}") for _ in range(3)]

        async def run(number: int) -> str:
            async with record("a run", store=stores[number]) as exp:
                await asyncio.gather(*(program.acall(question=f"q{n}") for n in range(5)))
            return exp.id

        async def main() -> list[str]:
            return await asyncio.gather(*map(run, range(3)))

        for store, name in zip(stores, asyncio.run(main()), strict=True):
            assert_calls_are_whole(store, name, 5)

    def test_of_a_task_that_outlives_its_parent(self, store: Store, lm: Any, program: Any) -> None:
        tasks = []

        class Leaves(dspy.Module):
            async def aforward(self) -> None:
                tasks.append(asyncio.create_task(program.acall(question="late")))

        async def run() -> None:
            await Leaves().acall()
            await tasks[0]

        with record("a run", store=store) as exp:
            asyncio.run(run())
        (trial,) = store.query_trials(exp.id)
        (parent,) = only(store.events(exp.id), name="Leaves")
        (late,) = only(store.events(exp.id), name="Program")
        assert (late.parent_id, late.trial_id) == (parent.id, trial.id)

    def test_a_call_within_one_that_began_before_is_an_orphan(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        seen = []

        class Around(dspy.Module):
            def forward(self) -> None:
                with record("a run", store=store) as exp:
                    program(question="Why?")
                seen.append(exp.id)

        other = dspy.utils.BaseCallback()
        with dspy.context(callbacks=[other]):
            Around()()
        (trial,) = store.query_trials(seen[0])
        root, predict, *_ = store.events(seen[0], trial.id)
        assert root.attributes["orphan"] is True
        assert root.parent_id is None
        assert "orphan" not in predict.attributes


class TestTheContext:
    def test_other_callbacks_hear_as_before(self, store: Store, lm: Any, program: Any) -> None:
        class Counting(dspy.utils.BaseCallback):
            heard = 0

            def on_lm_start(self, **_: Any) -> None:
                self.heard += 1

        counting = Counting()
        with dspy.context(callbacks=[counting]), record("a run", store=store):
            program(question="Why?")
            assert dspy.settings.callbacks[0] is counting
        assert counting.heard == 1

    def test_what_is_configured_meanwhile_holds(self, store: Store, lm_of: Any) -> None:
        other = lm_of("[[ ## answer ## ]]\nRome")
        with record("a run", store=store):
            dspy.configure(lm=other)
            assert dspy.Predict("question -> answer")(question="Why?").answer == "Rome"

    def test_a_profile_that_is_only_active_in_it_is_that_of_the_first_call(
        self, store: Store, program: Any, lm_of: Any
    ) -> None:
        with record("a run", store=store) as exp:
            with profile("mock"):
                program(question="Why?")
            with dspy.context(lm=lm_of()):
                program(question="And without?")
        found = store.get_experiment(exp.id)
        assert (found.profile, found.details["profile_inferred"]) == ("mock", True)
        first, second = store.query_trials(exp.id)
        assert first.details["profile"] == "mock"
        assert "profile" not in second.details

    def test_blocks_of_profiles_in_it_and_around_it(self, store: Store, program: Any) -> None:
        with profile("mock"), record("a run", store=store) as exp:
            program(question="Why?")
            with profile("mock", lm={"model": "inner"}):
                program(question="Why?")
        found = store.get_experiment(exp.id)
        assert found.profile == "mock"
        assert found.details["profile"]["fingerprint"]
        lms = only(store.events(exp.id), kind="lm")
        assert [e.name for e in lms] == ["mock", "inner"]
        assert found.cost == 0.0

    def test_two_recordings_at_once_each_have_it_all(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        with record("outer", store=store) as outer:
            with record("inner", store=store) as inner:
                program(question="Why?")
            program(question="Why not?")
        assert len(store.query_trials(outer.id)) == 2
        assert len(store.query_trials(inner.id)) == 1

    def test_blocks_that_are_left_in_the_wrong_order_leave_nothing_behind(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        first, second = record("first", store=store), record("second", store=store)
        first.__enter__()
        exp = second.__enter__()
        first.__exit__(None, None, None)
        program(question="Why?")
        second.__exit__(None, None, None)
        assert dspy.settings.callbacks == []
        assert len(store.query_trials(exp.id)) == 1

    def test_what_is_said_after_the_block_is_an_error(self, store: Store, lm: Any) -> None:
        with record("a run", store=store) as exp:
            pass
        with pytest.raises(ProfileError, match="has ended"):
            exp.decision(strategy="late")

    def test_an_unknown_durability_is_told(self) -> None:
        with pytest.raises(ProfileError, match="write process, trial or event"):
            record("a run", durability="always")  # type: ignore[arg-type]

    @pytest.mark.parametrize("durability", ["trial", "event"])
    def test_each_durability_keeps_it_all(
        self, file_store: Store, lm: Any, program: Any, durability: Any
    ) -> None:
        with record("a run", store=file_store, durability=durability) as exp:
            program(question="a long question " * 1000)
        assert_calls_are_whole(file_store, exp.id, 1)


class TestCalls:
    def test_of_a_model_with_what_it_was_asked_and_said(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        with record("a run", store=store) as exp:
            program(question="Why?")
        (call,) = only(store.events(exp.id), kind="lm")
        said = call.attributes
        assert [message["role"] for message in said["messages"]] == ["system", "user"]
        assert "Paris" in said["outputs"][0]
        assert said["usage"] == {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "total_tokens": 12,
        }
        assert said["cached"] is False
        assert said["response_model"] == "model"
        assert "cost" not in said  # not known, and not zero

    def test_of_many_threads_each_has_its_own_usage(
        self, store: Store, lm_of: Any, program: Any
    ) -> None:
        def tokens(request: Any) -> int:
            return int(re.findall(r"number (\d+)", str(request))[-1])

        with dspy.context(lm=lm_of(tokens=tokens)), record("a run", store=store) as exp:
            pairs = [(program, {"question": f"number {n}"}) for n in range(200)]
            dspy.Parallel(num_threads=8, disable_progress_bar=True)(pairs)
        for trial in store.query_trials(exp.id):
            (call,) = only(store.events(exp.id, trial.id), kind="lm")
            used = call.attributes["usage"]["prompt_tokens"]
            assert trial.inputs == {"question": f"number {used}"}

    def test_what_the_cache_has_answered_costs_nothing(
        self, store: Store, lm_of: Any, program: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cached = lm_of(cache=True)
        monkeypatch.setattr("dspy.clients.execution._price_result", price)
        with dspy.context(lm=cached), record("a run", store=store) as exp:
            program(question="Why?")
            program(question="Why?")
        found = store.get_experiment(exp.id)
        assert (found.cost, found.tokens) == (0.5, 12)
        assert (found.details["calls"], found.details["cached"]) == (1, 1)
        first, second = only(store.events(exp.id), kind="lm")
        assert (first.attributes["cached"], first.attributes["cost"]) == (False, 0.5)
        assert (second.attributes["cached"], second.attributes["cost"]) == (True, 0.0)

    def test_what_a_cassette_has_answered_is_marked_and_costs_nothing(
        self, store: Store, lm_of: Any, program: Any, write: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dspy.clients.execution._price_result", price)
        write("profiles.toml", '[dev.provider]\nclass = "mock"\n')
        found, lm = [], lm_of()
        for mode in ("once", "none"):
            with (
                profile("dev", cassette="x.jsonl", cassettes=mode),
                dspy.context(lm=lm),
                record("a run", store=store) as exp,
            ):
                program(question="Why?")
            (call,) = only(store.events(exp.id), kind="lm")
            found.append((call.attributes.get("replayed"), store.get_experiment(exp.id).cost))
            assert call.attributes["cached"] is False
            assert call.attributes["usage"]["total_tokens"] == 12
        assert found == [(None, 0.5), (True, 0.0)]

    def test_that_no_module_stands_around_is_a_trial(self, store: Store, lm: Any) -> None:
        with record("a run", store=store) as exp:
            lm("Why?")
        (trial,) = store.query_trials(exp.id)
        assert (trial.name, trial.kind) == ("own/model", "call")
        assert trial.inputs == {"prompt": "Why?"}
        assert "Paris" in trial.outputs[0]

    def test_without_a_history_what_is_not_known_is_left_out(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        with dspy.context(disable_history=True), record("a run", store=store) as exp:
            program(question="Why?")
        (call,) = only(store.events(exp.id), kind="lm")
        assert not {"usage", "cost", "cached"} & call.attributes.keys()
        assert "Paris" in call.attributes["outputs"][0]

    def test_that_fail_say_how(self, store: Store, lm_of: Any, program: Any) -> None:
        def answer(_: Any) -> str:
            raise ValueError("the engine is broken")

        broken = pytest.raises(Exception, match="the engine is broken")
        with (
            dspy.context(lm=lm_of(answer, num_retries=0)),
            record("a run", store=store) as exp,
            broken,
        ):
            program(question="Why?")
        (trial,) = store.query_trials(exp.id)
        assert trial.status == "failed"
        assert "the engine is broken" in (trial.error or "")
        assert {e.status for e in store.events(exp.id) if e.kind != "adapter"} == {"failed"}
        assert store.get_experiment(exp.id).status == "done"  # the program has caught it

    def test_that_are_cancelled_are_interrupted(self, store: Store, lm: Any) -> None:
        class Waits(dspy.Module):
            async def aforward(self) -> None:
                asyncio.current_task().cancel()  # type: ignore[union-attr]
                await asyncio.sleep(3600)

        async def run() -> None:
            with pytest.raises(asyncio.CancelledError):
                await Waits().acall()

        with record("a run", store=store) as exp:
            asyncio.run(run())
        assert store.query_trials(exp.id)[0].status == "interrupted"

    def test_of_tools_with_arguments_and_results(self, store: Store, lm: Any) -> None:
        def add(x: int, y: int) -> int:
            return x + y

        with record("a run", store=store) as exp:
            dspy.Tool(add)(x=1, y=2)
        (call,) = store.events(exp.id)
        assert (call.kind, call.name) == ("tool", "add")
        assert call.attributes == {"inputs": {"x": 1, "y": 2}, "outputs": 3}

    def test_of_modules_with_their_path_in_the_program(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        with record("a run", store=store) as exp:
            program(question="Why?")
        paths = {e.name: e.attributes["path"] for e in only(store.events(exp.id), kind="module")}
        assert paths == {"Program": "", "Predict": "answer"}


class TestEvaluations:
    def test_each_example_has_the_metrics_own_number(
        self, store: Store, lm: Any, program: Any, examples: Any
    ) -> None:
        def metric(example: Any, prediction: Any, _: Any = None) -> float:
            return int(example.question.split()[1]) / 10

        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=examples(10), metric=metric, num_threads=4)(program)
        trials = store.query_trials(exp.id)
        scores = {trial.inputs["question"]: trial.score for trial in trials}
        assert scores == {f"question {n}": n / 10 for n in range(10)}
        assert {t.name for t in trials} == {f"example {n}" for n in range(10)}
        assert store.get_experiment(exp.id).score == pytest.approx(0.45)
        (evaluate,) = only(store.events(exp.id), kind="evaluate")
        assert evaluate.attributes["score"] == pytest.approx(45.0)
        assert evaluate.attributes["metric"] == "metric"

    def test_of_equal_examples_each_has_its_own_trial(
        self, store: Store, lm: Any, program: Any, examples: Any
    ) -> None:
        (one,) = examples(1)
        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=[one, one, one], metric=lambda *_: True, num_threads=2)(program)
        trials = store.query_trials(exp.id)
        assert sorted(t.name for t in trials) == ["example 0", "example 1", "example 2"]
        assert [t.score for t in trials] == [1.0, 1.0, 1.0]

    def test_what_a_metric_calls_belongs_to_its_example(
        self, store: Store, lm: Any, program: Any, examples: Any
    ) -> None:
        judge = dspy.Predict("claim -> answer")

        def metric(example: Any, *_: Any) -> bool:
            return bool(judge(claim=example.question).answer == "Paris")

        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=examples(8), metric=metric, num_threads=4)(program)
        trials = store.query_trials(exp.id)
        assert len(trials) == 8
        for trial in trials:
            judged = [
                e
                for e in store.events(exp.id, trial.id)
                if "claim" in e.attributes.get("inputs", ())
            ]
            assert [e.attributes["inputs"]["claim"] for e in judged] == [trial.inputs["question"]]
            assert judged[0].attributes["trial_inferred"] is True

    def test_an_example_that_fails_has_the_score_of_failures(
        self, store: Store, lm: Any, examples: Any
    ) -> None:
        class Fails(dspy.Module):
            def forward(self, question: str) -> Any:
                if question == "question 1":
                    raise ValueError("no")
                return dspy.Prediction(answer="Paris")

        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=examples(3), metric=lambda *_: 1.0, failure_score=-1.0)(Fails())
        by_name = {t.name: (t.status, t.score) for t in store.query_trials(exp.id)}
        assert by_name == {
            "example 0": ("done", 1.0),
            "example 1": ("failed", -1.0),
            "example 2": ("done", 1.0),
        }

    def test_an_example_whose_metric_fails_has_failed(
        self, store: Store, lm: Any, program: Any, examples: Any
    ) -> None:
        def metric(example: Any, *_: Any) -> float:
            return 1.0 if example.question == "question 0" else 1 / 0

        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=examples(2), metric=metric)(program)
        by_name = {t.name: (t.status, t.score) for t in store.query_trials(exp.id)}
        assert by_name == {"example 0": ("done", 1.0), "example 1": ("failed", 0.0)}

    def test_a_program_that_is_no_module_is_scored_all_the_same(
        self, store: Store, lm: Any, examples: Any
    ) -> None:
        with record("a run", store=store) as exp:
            evaluate = dspy.Evaluate(devset=examples(2), metric=lambda *_: 1.0)
            evaluate(lambda question: dspy.Prediction(answer=question))
        trials = store.query_trials(exp.id)
        assert [(t.kind, t.score) for t in trials] == [("example", 1.0)] * 2
        assert trials[0].details["inferred"] is True

    def test_a_score_with_feedback_counts_by_its_number(
        self, store: Store, lm: Any, program: Any, examples: Any
    ) -> None:
        def metric(*_: Any) -> Any:
            return dspy.Prediction(score=0.5, feedback="too short")

        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=examples(1), metric=metric, num_threads=1)(program)
        (trial,) = store.query_trials(exp.id)
        assert trial.score == 0.5
        (score,) = only(store.events(exp.id), kind="score")
        assert score.attributes["given"] == {"score": 0.5, "feedback": "too short"}
        assert score.attributes["labels"] == {"answer": "Paris"}


class TestFaults:
    def test_of_the_recorder_are_counted_and_told_and_stop_nothing(
        self,
        store: Store,
        lm: Any,
        program: Any,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def broken(*_: Any) -> Any:
            raise RuntimeError("DSPy has changed")

        monkeypatch.setattr("dspy_profiles.results.recording._dspy_objects.history_entry", broken)
        with record("a run", store=store) as exp:
            assert program(question="Why?").answer == "Paris"
            program(question="Why?")
        found = store.get_experiment(exp.id)
        assert found.details["faults"] == {"count": 2, "first": "RuntimeError: DSPy has changed"}
        said = capsys.readouterr().err
        assert "2 of its calls could not be recorded correctly" in said
        assert "RuntimeError: DSPy has changed" in said

    def test_a_stderr_that_is_closed_does_not_matter(
        self, store: Store, lm: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stderr", None)
        with record("a run", store=store) as exp:
            pass
        assert store.get_experiment(exp.id).status == "done"

    def test_the_last_line_says_how_to_look_at_it(
        self, store: Store, lm: Any, program: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with record("a run", store=store) as exp:
            program(question="Why?")
        said = capsys.readouterr()
        assert said.err == (
            'dspy-profiles: recorded "a run": 1 trial; '
            f'view_experiment("{exp.id}", open_store("{store.url}"))\n'
        )
        assert said.out == ""


def price(_lm: Any, result: Any, *_: Any) -> None:
    result.cost = 0.5


def test_counts_are_right_at_the_end(store: Store, lm: Any, program: Any) -> None:
    with record("a run", store=store) as exp:
        for _ in range(3):
            program(question="Why?")
    kinds = Counter(e.kind for e in store.events(exp.id))
    assert kinds == {"module": 6, "adapter": 6, "lm": 3}
    assert store.get_experiment(exp.id).details["events"] == 15
