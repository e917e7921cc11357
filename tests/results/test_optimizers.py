"""Optimizers: each candidate is a trial, with what it was made of and what is most like it."""

from collections.abc import Iterator
from typing import Any

import dspy
import pytest

from dspy_profiles.results import Candidate, Store, record


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    with dspy.context(num_threads=2):
        yield


def metric(example: Any, prediction: Any, *_: Any) -> bool:
    return bool(prediction.answer == example.answer)


def test_candidates_of_a_random_search(
    file_store: Store, lm: Any, program: Any, examples: Any
) -> None:
    search = dspy.BootstrapFewShotWithRandomSearch(
        metric, max_bootstrapped_demos=2, max_labeled_demos=2, num_candidate_programs=2
    )
    with record("search", store=file_store) as exp:
        best = search.compile(program, trainset=examples(6))
    trials = file_store.query_trials(exp.id, kind="candidate")
    candidates = [Candidate.of(trial) for trial in trials]
    assert len(candidates) == 5  # none, labeled, bootstrapped, two by chance
    assert all(list(each.predictors) == ["answer"] for each in candidates)
    assert all(each.inferred == (each.parent is not None) for each in candidates)
    hashes = [each.hash for each in candidates]
    assert all(each.parent in (None, *hashes[:n]) for n, each in enumerate(candidates))
    assert any(each.predictors["answer"]["demos"] for each in candidates)
    assert {trial.score for trial in trials} == {1.0}
    events = file_store.events(exp.id)
    compiled = next(e for e in events if e.kind == "compile" and e.parent_id is None)
    assert compiled.name == "BootstrapFewShotWithRandomSearch"
    assert compiled.attributes["student"] == hashes[0]
    assert compiled.attributes["candidate"] in hashes
    demos = compiled.attributes["predictors"]["answer"]["demos"]
    assert [demo["question"] for demo in demos] == [demo.question for demo in best.answer.demos]


def test_the_examples_of_a_candidate_are_its_own(
    file_store: Store, lm: Any, program: Any, examples: Any
) -> None:
    search = dspy.BootstrapFewShotWithRandomSearch(metric, num_candidate_programs=1)
    with record("search", store=file_store) as exp:
        search.compile(program, trainset=examples(4))
    for candidate in file_store.query_trials(exp.id, kind="candidate"):
        tried = [t for t in file_store.query_trials(exp.id) if t.parent_id == candidate.id]
        assert len(tried) == 4
        assert {t.kind for t in tried} == {"example"}
        (evaluate,) = [e for e in file_store.events(exp.id, candidate.id) if e.kind == "evaluate"]
        assert evaluate.attributes["candidate"] == candidate.details["candidate"]


def test_an_experiments_score_is_that_of_its_examples_not_of_its_candidates_too(
    file_store: Store, lm: Any, program: Any, examples: Any
) -> None:
    search = dspy.BootstrapFewShotWithRandomSearch(
        lambda example, *_: example.question == "question 0", num_candidate_programs=1
    )
    with record("search", store=file_store) as exp:
        search.compile(program, trainset=examples(4))
    assert file_store.get_experiment(exp.id).score == 0.25


def test_new_instructions_make_a_new_candidate(
    file_store: Store, lm_of: Any, program: Any, examples: Any
) -> None:
    said = iter(range(1000))

    def answer(request: Any) -> str:
        if "proposed_instruction" in str(request):
            return (
                f"[[ ## proposed_instruction ## ]]\ninstruction {next(said)}\n\n"
                "[[ ## proposed_prefix_for_output_field ## ]]\nAnswer:\n\n[[ ## completed ## ]]"
            )
        return "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"

    optimizer = dspy.COPRO(metric=metric, breadth=2, depth=1)
    with dspy.context(lm=lm_of(answer)), record("copro", store=file_store) as exp:
        optimizer.compile(program, trainset=examples(2), eval_kwargs={"num_threads": 1})
    trials = file_store.query_trials(exp.id, kind="candidate")
    instructions = {Candidate.of(t).predictors["answer"]["instructions"] for t in trials}
    assert len(instructions) > 1
    assert len({Candidate.of(t).hash for t in trials}) == len(instructions)
    assert file_store.verify(exp.id) == []
    # What the optimizer asks for itself is recorded as well.
    assert file_store.query_trials(exp.id, kind="call")
