"""Good trials become rows, and rows become examples that an optimizer learns from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import orjson
import pytest

from dspy_profiles.errors import InvalidFile, ProfileError
from dspy_profiles.results import Store, load_examples, open_store, record
from dspy_profiles.results.export import extract, parse_where
from dspy_profiles.results.export._examples import Extract
from dspy_profiles.results.recording import ExperimentWriter, WorkerJournal
from dspy_profiles.secrets import _redaction as redaction

CANARY = "sk-canary-4711"


@pytest.fixture
def store(memory: Store) -> Store:
    return memory


@pytest.fixture
def rows(store: Store) -> Callable[..., Extract]:
    """What is taken out of the experiment that was recorded last."""

    def rows(where: str = "", drop: tuple[str, ...] = ()) -> Extract:
        (experiment,) = store.query_experiments(limit=1)
        return extract(experiment, store, parse_where(where) if where else (), drop)

    return rows


def evaluate(store: Store, program: Any, devset: list[Any], metric: Any) -> str:
    with record("a run", store=store) as exp:
        dspy.Evaluate(devset=devset, metric=metric, num_threads=1, max_errors=99)(program)
    return exp.id


def is_even(example: Any, *_: Any) -> float:
    return 1.0 if int(example.question.split()[-1]) % 2 == 0 else 0.25


class TestWhatIsGood:
    def test_is_what_meets_the_bar(
        self, store: Store, lm: Any, program: Any, examples: Any, rows: Callable[..., Extract]
    ) -> None:
        evaluate(store, program, examples(6), is_even)
        found = rows("score>=0.8").rows
        assert [row["inputs"]["question"] for row in found] == [
            "question 0",
            "question 2",
            "question 4",
        ]
        assert {row["score"] for row in found} == {1.0}
        assert len(rows("score>=0.2").rows) == 6
        assert rows("score>1").rows == []

    def test_is_what_ended_without_an_error_where_there_is_no_bar(
        self,
        store: Store,
        lm_of: Any,
        program: Any,
        examples: Any,
        rows: Callable[..., Extract],
    ) -> None:
        def answer(request: Any) -> str:
            if "question 1" in str(request):
                raise ValueError("broken")
            return "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"

        with dspy.context(lm=lm_of(answer, num_retries=0)):
            evaluate(store, program, examples(3), lambda *_: 0)
        assert [row["inputs"]["question"] for row in rows().rows] == ["question 0", "question 2"]

    def test_is_never_a_candidate_of_an_optimizer(
        self, store: Store, lm: Any, program: Any, examples: Any, rows: Callable[..., Extract]
    ) -> None:
        search = dspy.BootstrapFewShotWithRandomSearch(lambda *_: 1, num_candidate_programs=1)
        with dspy.context(num_threads=1), record("search", store=store):
            search.compile(program, trainset=examples(3))
        found = rows("score>=1")
        assert {row["source"]["kind"] for row in found.rows} == {"example"}
        assert len(found.rows) == 3  # each was tried with every candidate
        assert found.left_out["are equal to another one"] >= 6


class TestARow:
    def test_has_the_labels_of_the_example_and_what_was_answered_beside_them(
        self, store: Store, lm: Any, program: Any, rows: Callable[..., Extract]
    ) -> None:
        example = dspy.Example(question="Where?", answer="in Paris").with_inputs("question")
        evaluate(store, program, [example], lambda *_: 0.5)
        (row,) = rows().rows
        assert row["inputs"] == {"question": "Where?"}
        assert row["labels"] == {"answer": "in Paris"}
        assert row["outputs"] == {"answer": "Paris"}
        assert row["labels_from"] == "example"

    def test_has_what_the_program_answered_where_there_are_no_labels(
        self, store: Store, lm: Any, program: Any, rows: Callable[..., Extract]
    ) -> None:
        with record("calls", store=store):
            program(question="Where?")
        (row,) = rows().rows
        assert (row["labels"], row["labels_from"]) == ({"answer": "Paris"}, "outputs")
        assert row["score"] is None

    def test_says_where_it_comes_from(
        self, store: Store, program: Any, examples: Any, rows: Callable[..., Extract]
    ) -> None:
        from dspy_profiles import profile

        with profile("mock"):
            evaluate(store, program, examples(1), lambda *_: True)
        (row,) = rows().rows
        (experiment,) = store.query_experiments()
        (trial,) = store.query_trials(experiment.id)
        source = row["source"]
        assert (source["experiment"], source["trial"]) == (experiment.id, trial.id)
        assert (source["experiment_name"], source["trial_name"]) == ("a run", "example 0")
        assert (source["kind"], source["profile"]) == ("example", "mock")
        assert source["fingerprint"] == experiment.details["profile"]["fingerprint"]
        assert source["started"].endswith("Z")

    def test_says_the_profile_of_its_own_call(
        self, store: Store, program: Any, rows: Callable[..., Extract]
    ) -> None:
        from dspy_profiles import profile

        with profile("mock", lm={"model": "outer"}), record("calls", store=store):
            program(question="Where?")
            Path("profiles.toml").write_text('[inner.provider]\nclass = "mock"\n')
            with profile("inner"):
                program(question="Who?")
        sources = [row["source"] for row in rows().rows]
        assert [each["profile"] for each in sources] == ["mock", "inner"]
        assert sources[0]["fingerprint"]
        assert sources[1]["fingerprint"] is None

    def test_is_one_line_of_json(
        self, store: Store, lm: Any, program: Any, rows: Callable[..., Extract]
    ) -> None:
        with record("calls", store=store):
            program(question="two\nlines\u2028and three")
            program(question="é")
        lines = rows().text.split(b"\n")
        assert lines.pop() == b""
        assert [orjson.loads(line)["inputs"]["question"] for line in lines] == [
            "two\nlines\u2028and three",
            "é",
        ]

    def test_of_a_test_is_each_program_that_it_called_itself(
        self, store: Store, lm_of: Any, program: Any, rows: Callable[..., Extract]
    ) -> None:
        book = ExperimentWriter(store, "pytest")
        book.title(None)
        part = WorkerJournal(store.storage, book.id)
        for name, status, questions in (
            ("test_two", "done", ("Where?", "Who?")),
            ("test_bad", "failed", ("Why?",)),
            ("test_none", "done", ()),
        ):
            trial = part.begin_test(name, {})
            with dspy.context(lm=lm_of()):
                for question in questions:
                    program(question=question)
            part.end_test(trial, status, None, {})
        part.close()
        book.close("failed")
        found = rows()
        assert [row["inputs"]["question"] for row in found.rows] == ["Where?", "Who?"]
        assert {row["source"]["trial_name"] for row in found.rows} == {"test_two"}
        events = store.events(book.id, found.rows[0]["source"]["trial"])
        assert found.rows[0]["source"]["event"] in {each.id for each in events}
        assert found.left_out == {"have no fields to learn from": 1}


class TestRowsThatSayTheSame:
    def test_are_one_and_it_is_the_best_of_them(
        self, store: Store, lm: Any, program: Any, examples: Any, rows: Callable[..., Extract]
    ) -> None:
        scores = iter((0.5, 0.9, 0.9, 0.7))
        with record("a run", store=store):
            for _ in range(4):
                dspy.Evaluate(devset=examples(1), metric=lambda *_: next(scores))(program)
        found = rows()
        (row,) = found.rows
        assert row["score"] == 0.9
        (experiment,) = store.query_experiments()
        second = store.query_trials(experiment.id)[1]
        assert row["source"]["trial"] == second.id  # of equals the first
        assert found.left_out == {"are equal to another one": 3}

    def test_are_not_those_with_other_labels(
        self, store: Store, lm: Any, program: Any, rows: Callable[..., Extract]
    ) -> None:
        both = [dspy.Example(question="q", answer=a).with_inputs("question") for a in ("a", "b")]
        evaluate(store, program, both, lambda *_: 1)
        assert [row["labels"]["answer"] for row in rows().rows] == ["a", "b"]


class TestWhatIsLeftOut:
    def test_is_a_field_that_is_named_at_any_depth(
        self, store: Store, lm: Any, rows: Callable[..., Extract]
    ) -> None:
        class Lookup(dspy.Module):
            def forward(self, question: str, user: dict[str, Any]) -> Any:
                return dspy.Prediction(answer="Paris", seen=[{"email": "a@b.c", "id": 1}])

        with record("calls", store=store):
            Lookup()(question="Where?", user={"name": "Ann", "email": "a@b.c"})
        (row,) = rows(drop=("email", "seen")).rows
        assert row["inputs"] == {"question": "Where?", "user": {"name": "Ann"}}
        assert row["labels"] == row["outputs"] == {"answer": "Paris"}
        assert "a@b.c" not in str(rows(drop=("email",)).rows)

    def test_is_not_a_field_that_is_misspelt_and_that_is_an_error(
        self, store: Store, lm: Any, program: Any, rows: Callable[..., Extract]
    ) -> None:
        with record("calls", store=store):
            program(question="Where?")
        with pytest.raises(ProfileError, match='unknown field "qestion"') as caught:
            rows(drop=("qestion",))
        assert caught.value.hint == 'did you mean "question"?'
        with pytest.raises(ProfileError, match='unknown field "email"') as caught:
            rows(drop=("email",))
        assert "answer, question" in str(caught.value.hint)

    def test_is_a_trial_of_which_nothing_is_left(
        self, store: Store, lm: Any, program: Any, rows: Callable[..., Extract]
    ) -> None:
        with record("calls", store=store):
            program(question="Where?")
            lm("Where?")
        found = rows(drop=("answer",))
        assert found.rows == []
        assert found.left_out == {"have no fields to learn from": 2}

    def test_is_what_was_not_recorded_whole(
        self,
        store: Store,
        lm: Any,
        program: Any,
        rows: Callable[..., Extract],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("dspy_profiles.results.recording._json.LONGEST", 50)
        monkeypatch.setattr("dspy_profiles.results.recording._json.FOLD", 40)
        with record("calls", store=store):
            program(question="x" * 45)  # kept whole, in a place of its own
            program(question="x" * 60)
            program(question=object())
        found = rows()
        assert [row["inputs"]["question"] for row in found.rows] == ["x" * 45]
        assert found.left_out == {"contain values that were not recorded completely": 2}

    def test_is_a_text_that_is_gone_from_the_store(
        self, project: Path, lm: Any, program: Any
    ) -> None:
        store = open_store(f"file:{project / 'results'}")
        with record("calls", store=store) as exp:
            program(question="x" * 5000)
            program(question="short")
        for blob in (project / "results" / "blobs").rglob("*"):
            if blob.is_file():
                blob.unlink()
        found = extract(store.get_experiment(exp.id), store)
        assert [row["inputs"]["question"] for row in found.rows] == ["short"]
        assert found.left_out == {"contain values that were not recorded completely": 1}

    def test_is_not_a_table_that_only_looks_like_a_form_of_ours(
        self, store: Store, lm: Any, rows: Callable[..., Extract], project: Path
    ) -> None:
        class Echo(dspy.Module):
            def forward(self, table: Any, **_: Any) -> Any:
                return dspy.Prediction(answer=table)

        given = {"$cut": [1, 2], "$repr": "x"}
        with record("calls", store=store):
            Echo()(table=given)
            Echo()(table={"$lost": 3})
            Echo()(table=1, **{"$cut": 2})
            Echo()(**{"$cut": 3, "table": 4})
        found = rows()
        assert not found.left_out
        (project / "rows.jsonl").write_bytes(found.text)
        made = [dict(each.inputs()) for each in load_examples("rows.jsonl")]
        assert made == [
            {"table": given},
            {"table": {"$lost": 3}},
            {"table": 1, "$cut": 2},
            {"table": 4, "$cut": 3},
        ]


class TestSecrets:
    def test_one_that_is_known_only_after_the_recording_is_in_no_row(
        self, store: Store, lm: Any, program: Any, rows: Callable[..., Extract]
    ) -> None:
        example = dspy.Example(question=f"Is {CANARY} a key?", answer=CANARY)
        evaluate(store, program, [example.with_inputs("question")], lambda *_: 1)
        assert CANARY in rows().text.decode()
        redaction.remember(CANARY, "${KEY}")
        found = rows().text.decode()
        assert CANARY not in found
        assert "Is ${KEY} a key?" in found


class TestLoading:
    def test_gives_examples_that_an_optimizer_learns_from(
        self, store: Store, lm: Any, program: Any, examples: Any, rows: Callable[..., Extract]
    ) -> None:
        evaluate(store, program, examples(4), is_even)
        Path("train.jsonl").write_bytes(rows("score>=0.8").text)
        trainset = load_examples("train.jsonl")
        assert [type(each) for each in trainset] == [dspy.Example, dspy.Example]
        assert [dict(each.inputs()) for each in trainset] == [
            {"question": "question 0"},
            {"question": "question 2"},
        ]
        assert [dict(each.labels()) for each in trainset] == [{"answer": "Paris"}] * 2
        teach = dspy.BootstrapFewShot(
            metric=lambda example, prediction, *_: example.answer == prediction.answer,
            max_bootstrapped_demos=2,
        )
        taught = teach.compile(program, trainset=trainset)
        demos = taught.answer.demos
        assert {demo.question for demo in demos} == {"question 0", "question 2"}
        assert {demo.answer for demo in demos} == {"Paris"}

    def test_gives_values_as_they_were(
        self, store: Store, lm: Any, rows: Callable[..., Extract], project: Path
    ) -> None:
        class Echo(dspy.Module):
            def forward(self, **given: Any) -> Any:
                return dspy.Prediction(answer="Paris")

        given = {
            "number": 2**80,
            "infinite": float("-inf"),
            "raw": b"\xff\x00",
            "pairs": {1: "a", "1": "b"},
            "deep": [{"a": [1, 2.5, None, True]}],
            "signs": "é 東 🙂 \x00",
        }
        with record("calls", store=store):
            Echo()(**given)
        (project / "rows.jsonl").write_bytes(rows().text)
        (example,) = load_examples("rows.jsonl")
        assert dict(example.inputs()) == given

    def test_passes_over_empty_lines(
        self, store: Store, lm: Any, program: Any, rows: Callable[..., Extract], project: Path
    ) -> None:
        with record("calls", store=store):
            program(question="Where?")
        (project / "rows.jsonl").write_bytes(b"\n" + rows().text.replace(b"\n", b"\r\n") + b"\n\n")
        assert len(load_examples(project / "rows.jsonl")) == 1

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ('{"v": 1, "inputs"', "not a row of examples"),
            ('{"question": "Why?"}', "the version is not 1"),
            ('{"v": 2, "inputs": {"a": 1}, "labels": {"b": 1}}', "the version is not 1"),
            ("[]", "the version is not 1"),
            ('{"v": 1, "inputs": {}, "labels": {"b": 1}}', "inputs is missing"),
            ('{"v": 1, "inputs": {"a": 1}, "labels": null}', "labels is missing"),
            ('{"v": 1, "inputs": {"a": {"$bytes": "x"}}, "labels": {"b": 1}}', "not a row of"),
            ('{"v": 1, "inputs": {"a": {"$pairs": [1]}}, "labels": {"b": 1}}', "not a row of"),
            (
                '{"v": 1, "inputs": {"a": {"$pairs": [[[], 1]]}}, "labels": {"b": 1}}',
                "not a row of",
            ),
            ("\x00", "not a row of examples"),
        ],
    )
    def test_says_which_line_is_no_row(
        self, line: str, said: str, write: Callable[[str, str], Path]
    ) -> None:
        good = '{"v": 1, "inputs": {"a": 1}, "labels": {"b": 1}}'
        file = write("rows.jsonl", f"{good}\n{line}\n")
        with pytest.raises(InvalidFile, match=said) as caught:
            load_examples(file)
        assert str(caught.value.where) == f"{file}:2"

    def test_says_which_file_cannot_be_read(self, project: Path) -> None:
        with pytest.raises(InvalidFile, match=r"cannot be read: No such file"):
            load_examples("rows.jsonl")
        with pytest.raises(InvalidFile, match=r"cannot be read: Is a directory"):
            load_examples(project)
