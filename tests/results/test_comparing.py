"""Two experiments side by side: what became better or worse, and what changed in between."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dspy
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspy_profiles import profile
from dspy_profiles.display import word_diff
from dspy_profiles.results import Experiment, ExperimentNotFound, Store, record
from dspy_profiles.results._model import moment
from dspy_profiles.results.compare import (
    Change,
    ExperimentDiff,
    TrialDiff,
    check_gate,
    diff_experiments,
)
from dspy_profiles.results.recording import ExperimentWriter, WorkerJournal

CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Peru": "Lima"}


@pytest.fixture
def store(memory: Store) -> Store:
    return memory


class Capitals(dspy.Module):
    """Two steps, of which the second is told what the first has said."""

    def __init__(self, instructions: str = "Answer the question.") -> None:
        super().__init__()
        self.think = dspy.Predict(dspy.Signature("question -> hint", "Think of a hint."))
        self.answer = dspy.Predict(dspy.Signature("question, hint -> answer", instructions))

    def forward(self, question: str) -> Any:
        return self.answer(question=question, hint=self.think(question=question).hint)


def saying(answers: Mapping[str, str]) -> Callable[[Any], str]:
    """Answers by the country that is asked for; where none is known, the engine breaks."""

    def said(request: Any) -> str:
        text = str(request)
        if "Think of a hint" in text:
            return "[[ ## hint ## ]]\nit is a city\n\n[[ ## completed ## ]]"
        country = re.findall(r"capital of (\w+)", text)[-1]
        if country not in answers:
            raise ValueError("the engine is broken")
        return f"[[ ## answer ## ]]\n{answers[country]}\n\n[[ ## completed ## ]]"

    return said


def devset(countries: Any = CAPITALS) -> list[Any]:
    return [
        dspy.Example(question=f"What is the capital of {each}?", answer=CAPITALS[each]).with_inputs(
            "question"
        )
        for each in countries
    ]


def is_right(example: Any, prediction: Any, *_: Any) -> bool:
    return bool(example.answer == prediction.answer)


@pytest.fixture
def evaluated(store: Store, lm_of: Any) -> Callable[..., str]:
    """Records an evaluation; its id."""

    def evaluated(
        answers: Mapping[str, str] = CAPITALS,
        program: Any = None,
        examples: Any = None,
        metric: Any = is_right,
        **more: Any,
    ) -> str:
        evaluate = dspy.Evaluate(
            devset=devset() if examples is None else examples,
            metric=metric,
            num_threads=1,  # trials in the order of the examples
            max_errors=99,
            provide_traceback=False,
        )
        lm = lm_of(saying(answers), num_retries=0, **more)
        with dspy.context(lm=lm), record("capitals", store=store) as exp:
            evaluate(Capitals() if program is None else program)
        return exp.id

    return evaluated


def of(found: ExperimentDiff, country: str) -> TrialDiff:
    """The example about this country."""
    (one,) = [each for each in found.trials if f"of {country}?" in str(each.inputs)]
    return one


def changes(trial: TrialDiff, what: str) -> list[tuple[str, str]]:
    return [(each.path, each.field) for each in trial.changes if each.what == what]


class TestScores:
    def test_each_example_is_better_worse_or_the_same(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a = evaluated({**CAPITALS, "Italy": "Milan"})
        b = evaluated({**CAPITALS, "Spain": "Sevilla"})
        found = diff_experiments(a, b, store)
        verdicts = {country: of(found, country).verdict for country in CAPITALS}
        assert verdicts == {"France": "same", "Italy": "better", "Spain": "worse", "Peru": "same"}
        assert (found.a.score, found.b.score, found.difference) == (0.75, 0.75, 0.0)
        assert of(found, "Spain").difference == -1.0
        assert found.counts == {
            "better": 1,
            "worse": 1,
            "same": 2,
            "unknown": 0,
            "only_a": 0,
            "only_b": 0,
            "answers_changed": 2,
            "prompts_changed": 0,
        }

    def test_what_only_one_has_counts_for_neither(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a = evaluated(examples=devset(("France", "Italy")))
        b = evaluated({**CAPITALS, "Spain": "Sevilla"}, examples=devset(("Italy", "Spain")))
        found = diff_experiments(a, b, store)
        verdicts = [(str(each.inputs["question"]), each.verdict) for each in found.trials]
        assert verdicts == [
            ("What is the capital of France?", "only_a"),
            ("What is the capital of Italy?", "same"),
            ("What is the capital of Spain?", "only_b"),
        ]
        assert of(found, "France").b is None
        assert of(found, "Spain").difference is None
        assert found.common == (1.0, 1.0)
        assert found.difference == -0.5
        # Nothing is said of modules where there is but one side to tell of.
        calls = {each.path: (each.a, each.b) for each in found.modules}
        assert [side and side.calls for side in calls["answer"]] == [1, 1]

    def test_an_example_that_breaks_has_become_worse(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        broken = {"France": "Paris", "Italy": "Rome"}
        found = diff_experiments(evaluated(), evaluated(broken), store)
        spain = of(found, "Spain")
        assert spain.b is not None
        assert (spain.verdict, spain.b.status) == ("worse", "failed")
        assert "the engine is broken" in str(spain.b.error)
        back = diff_experiments(found.b.id, found.a.id, store)
        assert (of(back, "Spain").verdict, of(back, "France").verdict) == ("better", "same")

    def test_without_scores_nothing_is_better_or_worse(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        ids = []
        for _ in range(2):
            with record("calls", store=store) as exp:
                program(question="Why?")
            ids.append(exp.id)
        a, b = ids
        found = diff_experiments(a, b, store)
        assert [each.verdict for each in found.trials] == ["same"]
        assert (found.difference, found.common) == (None, None)

    def test_a_score_that_only_one_has_makes_it_unknown(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a, b = evaluated(), evaluated(metric=lambda *_: float("nan"))
        found = diff_experiments(a, b, store)
        assert {each.verdict for each in found.trials} == {"unknown"}
        assert found.counts["unknown"] == 4

    def test_scores_that_differ_by_how_they_were_added_up_are_the_same(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a = evaluated(metric=lambda *_: 0.1 + 0.2)
        b = evaluated(metric=lambda *_: 0.3)
        found = diff_experiments(a, b, store)
        assert {each.verdict for each in found.trials} == {"same"}
        assert check_gate(found, 0).is_passed


class TestChanges:
    def test_an_instruction_that_is_another_one_is_shown_by_word(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a = evaluated(program=Capitals("Answer in one word."))
        b = evaluated(program=Capitals("Answer in a whole sentence."))
        found = diff_experiments(a, b, store)
        (change,) = of(found, "France").changes
        assert (change.what, change.path, change.field) == ("prompt", "answer", "system")
        told = [piece for piece in change.words if piece[0] in ("removed", "added")]
        assert told == [("removed", " one word."), ("added", " a whole sentence.")]
        assert found.counts["prompts_changed"] == 4
        assert found.counts["answers_changed"] == 0

    def test_an_answer_is_shown_where_it_was_given_and_as_the_programs_own(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a, b = evaluated(), evaluated({**CAPITALS, "Peru": "Lima or Cusco"})
        peru = of(diff_experiments(a, b, store), "Peru")
        assert changes(peru, "answer") == [("", "answer"), ("answer", "answer")]
        assert {(each.before, each.after) for each in peru.changes} == {("Lima", "Lima or Cusco")}
        assert peru.changes[0].words == (("same", "Lima"), ("added", " or Cusco"))

    def test_what_a_step_passes_on_changes_the_prompt_of_the_next(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        class Hinted(Capitals):
            def forward(self, question: str) -> Any:
                self.think(question=question)
                return self.answer(question=question, hint="it is by the sea")

        found = diff_experiments(evaluated(), evaluated(program=Hinted()), store)
        peru = of(found, "Peru")
        assert changes(peru, "prompt") == [("answer", "user")]
        assert peru.verdict == "same"

    def test_a_step_that_is_made_more_often_is_compared_with_its_first_calls(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        class Twice(Capitals):
            def forward(self, question: str) -> Any:
                self.think(question=question)
                return super().forward(question)

        found = diff_experiments(evaluated(), evaluated(program=Twice()), store)
        assert of(found, "Peru").changes == ()
        (think,) = [each for each in of(found, "Peru").modules if each.path == "think"]
        assert think.a is not None
        assert think.b is not None
        assert (think.a.calls, think.b.calls) == (1, 2)

    def test_a_step_that_is_gone_is_on_one_side_alone(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        class Direct(Capitals):
            def forward(self, question: str) -> Any:
                return self.answer(question=question, hint="it is a city")

        found = diff_experiments(evaluated(), evaluated(program=Direct()), store)
        modules = {each.path: (each.a, each.b) for each in found.modules}
        assert list(modules) == ["", "think", "answer"]
        assert modules["think"][1] is None
        assert modules["answer"][1] is not None

    def test_a_program_that_asks_a_model_itself_is_compared_by_its_prompt(
        self, store: Store, lm: Any
    ) -> None:
        class Asking(dspy.Module):
            def __init__(self, tone: str) -> None:
                super().__init__()
                self.tone = tone

            def forward(self, question: str) -> Any:
                return dspy.settings.lm(f"{question} Answer {self.tone}.")[0]

        ids = []
        for tone in ("politely", "briefly"):
            with record("calls", store=store) as exp:
                Asking(tone)(question="Where?")
            ids.append(exp.id)
        a, b = ids
        (trial,) = diff_experiments(a, b, store).trials
        (change,) = trial.changes
        assert (change.what, change.path, change.field) == ("prompt", "", "prompt")
        assert change.words[1:] == (("removed", " politely."), ("added", " briefly."))

    def test_what_is_said_beside_a_picture_is_compared_by_word(self, store: Store, lm: Any) -> None:
        class Seeing(dspy.Module):
            def __init__(self, hint: str) -> None:
                super().__init__()
                self.hint = hint
                self.see = dspy.Predict("picture: dspy.Image, hint -> answer")

            def forward(self, url: str) -> Any:
                return self.see(picture=dspy.Image(url=url), hint=self.hint)

        ids = []
        for hint in ("look at the left", "look at the right"):
            with record("calls", store=store) as exp:
                Seeing(hint)(url="data:image/png;base64,AAAA")
            ids.append(exp.id)
        a, b = ids
        (trial,) = diff_experiments(a, b, store).trials
        (change,) = trial.changes
        assert (change.what, change.path, change.field) == ("prompt", "see", "user")
        told = [piece for piece in change.words if piece[0] in ("removed", "added")]
        assert told == [("removed", " left"), ("added", " right")]

    def test_labels_that_are_others_now_are_said(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a = evaluated(examples=devset(("France", "Italy")))
        relabelled = devset(("France", "Italy"))
        relabelled[0].answer = "the city of Paris"
        found = diff_experiments(a, evaluated(examples=relabelled), store)
        assert (of(found, "France").labels_changed, of(found, "France").verdict) == (True, "worse")
        assert not of(found, "Italy").labels_changed


class TestSpending:
    def test_tokens_and_time_are_told_by_trial_and_by_module(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a, b = evaluated(tokens=lambda _: 10), evaluated(tokens=lambda _: 100)
        found = diff_experiments(a, b, store)
        peru = of(found, "Peru")
        assert peru.a is not None
        assert peru.b is not None
        assert (peru.a.spent.tokens, peru.b.spent.tokens) == (24, 204)
        assert peru.a.spent.seconds is not None
        assert [each.path for each in found.modules] == ["", "think", "answer"]
        own, think, _ = found.modules
        assert think.a is not None
        assert think.b is not None
        assert own.a is not None
        assert (think.a.calls, think.a.tokens, think.b.tokens) == (4, 48, 408)
        assert own.a.calls == 0  # its modules asked, not the program itself
        spent = found.to_json()["spent"]
        assert (spent["a"]["tokens"], spent["b"]["tokens"]) == (96, 816)
        assert spent["a"]["calls"] == 8

    def test_a_price_that_is_not_known_is_not_zero(
        self, store: Store, evaluated: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a = evaluated()
        monkeypatch.setattr("dspy.clients.execution._price_result", price)
        found = diff_experiments(a, evaluated(), store)
        assert (found.a.cost, found.b.cost) == (None, 4.0)
        peru = of(found, "Peru").to_json()
        assert (peru["a"]["cost"], peru["b"]["cost"]) == (None, 1.0)
        assert [each.b.cost for each in found.modules if each.b is not None] == [0.0, 2.0, 2.0]
        assert [each.a.cost for each in found.modules if each.a is not None] == [0.0, None, None]

    def test_what_the_cache_has_answered_is_no_call(
        self, store: Store, lm_of: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dspy.clients.execution._price_result", price)
        program, ids = Capitals(), []
        with dspy.context(lm=lm_of(saying(CAPITALS), cache=True)):
            for _ in range(2):
                with record("capitals", store=store) as exp:
                    program(question="What is the capital of Peru?")
                ids.append(exp.id)
        a, b = ids
        (trial,) = diff_experiments(a, b, store).trials
        assert trial.a is not None
        assert trial.b is not None
        assert (trial.a.spent.calls, trial.a.spent.cached, trial.a.spent.cost) == (2, 0, 1.0)
        assert (trial.b.spent.calls, trial.b.spent.cached, trial.b.spent.cost) == (0, 2, 0.0)

    def test_what_a_cassette_has_answered_is_counted_and_costs_nothing(
        self, store: Store, lm_of: Any, program: Any
    ) -> None:
        Path("profiles.toml").write_text('[base.lm]\nmodel = "own/model"\n')
        ids = []
        for mode, lm in (("new", lm_of()), ("none", lm_of("nothing"))):
            with (
                profile("base", cassette="run.jsonl", cassettes=mode),
                dspy.context(lm=lm),
                record("calls", store=store) as exp,
            ):
                program(question="Where?")
            ids.append(exp.id)
        a, b = ids
        (trial,) = diff_experiments(a, b, store).trials
        assert trial.a is not None
        assert trial.b is not None
        assert (trial.a.spent.calls, trial.a.spent.replayed, trial.a.spent.cost) == (1, 0, None)
        assert (trial.b.spent.calls, trial.b.spent.replayed, trial.b.spent.cost) == (1, 1, 0.0)


def price(_lm: Any, result: Any, *_: Any) -> None:
    result.cost = 0.5


class TestAlignment:
    def test_the_order_of_the_examples_does_not_count(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        shuffled = list(CAPITALS)
        random.Random(1).shuffle(shuffled)
        found = diff_experiments(evaluated(), evaluated(examples=devset(shuffled)), store)
        assert [each.verdict for each in found.trials] == ["same"] * 4
        assert shuffled != list(CAPITALS)

    def test_examples_that_are_there_twice_go_with_each_other_in_order(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a = evaluated(examples=devset(("France", "France", "Italy")))
        b = evaluated(examples=devset(("Italy", "France", "France", "France")))
        found = diff_experiments(a, b, store)
        assert found.counts["same"] == 3
        assert found.counts["only_b"] == 1
        pairs = [(each.a and each.a.id, each.b and each.b.id) for each in found.trials]
        assert len({b for _, b in pairs}) == 4

    def test_an_example_with_the_same_question_goes_with_the_one_of_its_labels(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        both = [
            dspy.Example(question="What is the capital of France?", answer=answer).with_inputs(
                "question"
            )
            for answer in ("Paris", "Lyon")
        ]
        found = diff_experiments(evaluated(examples=both), evaluated(examples=both[::-1]), store)
        assert [each.verdict for each in found.trials] == ["same", "same"]
        assert [each.labels_changed for each in found.trials] == [False, False]

    def test_calls_go_together_by_program_and_question(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        ids = []
        for questions in (("Why?", "Why?", "How?"), ("How?", "Why?", "Where?")):
            with record("calls", store=store) as exp:
                for question in questions:
                    program(question=question)
            ids.append(exp.id)
        a, b = ids
        found = diff_experiments(a, b, store)
        told = [(each.inputs["question"], each.verdict) for each in found.trials]
        assert told == [
            ("Why?", "same"),
            ("Why?", "only_a"),
            ("How?", "same"),
            ("Where?", "only_b"),
        ]

    def test_tests_go_together_by_their_names(self, store: Store, lm_of: Any, program: Any) -> None:
        ids = []
        for tests in ({"a": "Paris", "b": "Rome"}, {"b": "Milan", "a": "Paris", "c": "Bonn"}):
            book = ExperimentWriter(store, "pytest")
            book.title(None)
            part = WorkerJournal(store.storage, book.id)
            for name, answer in tests.items():
                trial = part.begin_test(name, {})
                with dspy.context(lm=lm_of(f"[[ ## answer ## ]]\n{answer}")):
                    program(question="Where?")
                part.end_test(trial, "failed" if answer == "Milan" else "done", None, {})
            part.close()
            book.close("done")
            ids.append(book.id)
        a, b = ids
        found = diff_experiments(a, b, store)
        told = [(each.name, each.verdict) for each in found.trials]
        assert told == [("a", "same"), ("b", "worse"), ("c", "only_b")]
        # A test answers nothing itself: what its program has answered is told.
        assert changes(found.trials[1], "answer") == [("", "answer"), ("answer", "answer")]
        assert found.trials[0].changes == ()

    def test_examples_that_tests_evaluate_stay_with_their_tests(
        self, store: Store, lm_of: Any, examples: Any, program: Any
    ) -> None:
        ids = []
        for tests in (("strict", "lax"), ("lax", "strict")):
            book = ExperimentWriter(store, "pytest")
            book.title(None)
            part = WorkerJournal(store.storage, book.id)
            for name in tests:
                trial = part.begin_test(name, {})
                with dspy.context(lm=lm_of()):
                    metric = {"strict": 0.0, "lax": 1.0}[name]
                    dspy.Evaluate(devset=examples(2), metric=lambda *_, m=metric: m)(program)
                part.end_test(trial, "done", None, {})
            part.close()
            book.close("done")
            ids.append(book.id)
        a, b = ids
        found = diff_experiments(a, b, store)
        assert len(found.trials) == 6
        assert {each.verdict for each in found.trials} == {"same"}

    def test_candidates_of_optimizers_go_together_by_what_they_are_made_of(
        self, store: Store, lm: Any, program: Any, examples: Any
    ) -> None:
        def compiled(seed_metric: Any) -> str:
            search = dspy.BootstrapFewShotWithRandomSearch(
                seed_metric, num_candidate_programs=1, max_labeled_demos=1
            )
            with dspy.context(num_threads=1), record("search", store=store) as exp:
                search.compile(program, trainset=examples(3))
            return exp.id

        a = compiled(lambda *_: 1)
        b = compiled(lambda example, *_: example.question != "question 0")
        found = diff_experiments(a, b, store)
        candidates = [each for each in found.trials if each.kind == "candidate"]
        shared = [each for each in candidates if each.a is not None and each.b is not None]
        assert len(shared) >= 2  # none and labeled, at least
        assert {each.verdict for each in shared} == {"worse"}
        of_shared = [
            each for each in found.trials if each.kind == "example" and each.verdict == "worse"
        ]
        assert {each.inputs["question"] for each in of_shared} == {"question 0"}
        # Two means over the same examples would be one counted twice.
        assert found.common is not None
        assert found.common[0] == 1.0
        assert found.common[1] == pytest.approx(2 / 3)

    def test_an_experiment_differs_in_nothing_from_itself(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a = evaluated({"France": "Paris"})
        found = diff_experiments(a, a, store)
        assert {each.verdict for each in found.trials} == {"same"}
        assert all(not each.changes for each in found.trials)

    def test_one_that_is_not_there_is_said(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        with pytest.raises(ExperimentNotFound, match="not found in"):
            diff_experiments(evaluated(), "0" * 26, store)


NOW = moment("2026-11-21T12:00:00Z")


def between(a: float | None, b: float | None, **of_b: Any) -> ExperimentDiff:
    one = Experiment("a", "x", None, None, None, "done", NOW, NOW, score=a)
    return ExperimentDiff(one, replace(one, id="b", score=b, **of_b), (), ())


class TestTheGate:
    @pytest.mark.parametrize(
        ("a", "b", "max_drop", "is_passed", "reason"),
        [
            (0.8, 0.9, 0.0, True, "the score rose by 0.1, from 0.8 to 0.9; it may fall by 0"),
            (0.8, 0.8, 0.0, True, "the score stayed, from 0.8 to 0.8; it may fall by 0"),
            (
                0.8,
                0.75,
                0.05,
                True,
                "the score fell by 0.05, from 0.8 to 0.75; it may fall by 0.05",
            ),
            (0.8, 0.7, 0.05, False, "the score fell by 0.1, from 0.8 to 0.7; it may fall by 0.05"),
            (0.8, None, 1.0, False, "the score of B is unknown"),
            (None, 0.8, 1.0, False, "the score of A is unknown"),
            (float("nan"), 0.8, 1.0, False, "the score of A is unknown"),
        ],
    )
    def test_it_holds_back_what_fell_by_more_or_is_not_known(
        self, a: float | None, b: float | None, max_drop: float, is_passed: bool, reason: str
    ) -> None:
        found = check_gate(between(a, b), max_drop)
        assert (found.is_passed, found.reason) == (is_passed, reason)

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            ("running", "B is still running: its score does not include all trials"),
            ("interrupted", "B is interrupted: its score does not include all trials"),
        ],
    )
    def test_it_holds_back_what_is_not_whole(self, status: str, reason: str) -> None:
        found = check_gate(between(0.5, 0.9, status=status), 1.0)
        assert found.to_json() == {"max_drop": 1.0, "passed": False, "reason": reason}

    def test_an_experiment_that_failed_at_its_end_has_the_score_of_its_trials(self) -> None:
        assert check_gate(between(0.5, 0.9, status="failed"), 0.0).is_passed

    def test_it_sees_a_run_that_is_still_under_way(
        self, store: Store, evaluated: Callable[..., str], lm: Any, program: Any
    ) -> None:
        a = evaluated()
        with record("capitals", store=store) as exp:
            program(question="Why?")
            exp.score("accuracy", 1)
            assert not check_gate(diff_experiments(a, exp.id, store), 1.0).is_passed
        assert check_gate(diff_experiments(a, exp.id, store), 1.0).is_passed


class TestJson:
    def test_all_of_it_is_json_data_with_the_names_of_the_model(
        self, store: Store, evaluated: Callable[..., str]
    ) -> None:
        a, b = evaluated(), evaluated({**CAPITALS, "Peru": "Cusco"})
        said = orjson.loads(orjson.dumps(diff_experiments(a, b, store).to_json()))
        assert (said["a"]["id"], said["b"]["id"]) == (a, b)
        assert said["score"] == {"a": 1.0, "b": 0.75, "difference": -0.25}
        assert said["common"] == {"a": 1.0, "b": 0.75, "difference": -0.25}
        (peru,) = [each for each in said["trials"] if each["verdict"] == "worse"]
        assert peru["inputs"] == {"question": "What is the capital of Peru?"}
        assert peru["changes"][0] == {
            "what": "answer",
            "path": "",
            "field": "answer",
            "words": [["removed", "Lima"], ["added", "Cusco"]],
        }

    def test_of_very_many_changes_the_last_are_counted_and_not_worked_out(self) -> None:
        one = between(1.0, 1.0)
        change = Change("answer", "", "answer", "a b", "a c")
        trial = TrialDiff("example", "example 0", {}, "same", None, None, changes=(change,) * 300)
        said = replace(one, trials=(trial,) * 3).to_json()["trials"]
        assert said[0]["changes"][0]["words"] == [["same", "a"], ["removed", " b"], ["added", " c"]]
        assert said[2]["changes"][0]["words"] is None
        assert len(said[2]["changes"]) == 300


WORDS = st.lists(st.sampled_from(["a", "b", "c", " ", "\n", "東", "京", "…", "é"]), max_size=60)


class TestWordByWord:
    @given(WORDS.map("".join), WORDS.map("".join))
    def test_it_gives_both_texts_back(self, before: str, after: str) -> None:
        pieces = word_diff(before, after)
        assert (pieces == ()) == (before == after)
        if pieces and not any(kind == "cut" for kind, _ in pieces):
            assert "".join(t for kind, t in pieces if kind != "added") == before
            assert "".join(t for kind, t in pieces if kind != "removed") == after

    def test_what_is_far_from_a_change_is_left_out_and_counted(self) -> None:
        same = " ".join(f"w{n}" for n in range(100))
        pieces = word_diff(f"{same} red {same}", f"{same} blue {same}")
        assert pieces == (
            ("cut", "94"),
            ("same", " w94 w95 w96 w97 w98 w99"),
            ("removed", " red"),
            ("added", " blue"),
            ("same", " w0 w1 w2 w3 w4 w5"),
            ("cut", "94"),
        )

    def test_a_text_without_spaces_is_compared_sign_by_sign(self) -> None:
        assert word_diff("首都は東京", "首都は京都") == (
            ("same", "首都は"),
            ("removed", "東"),
            ("same", "京"),
            ("added", "都"),
        )

    def test_texts_of_a_megabyte_are_compared_as_far_as_anybody_reads(self) -> None:
        a = " ".join(f"a{n}" for n in range(150_000))
        b = " ".join(f"b{n}" for n in range(150_000))
        pieces = word_diff(a, b)
        assert sum(len(text) for _, text in pieces) < 10_000
        assert ("removed", " … 149,600 words more") in pieces
