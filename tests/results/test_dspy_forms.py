"""Each thing that we know of DSPy's objects; the test says what breaks when DSPy changes it."""

from typing import Any

import dspy
import pytest

from dspy_profiles import _dspy
from dspy_profiles.results.recording import _dspy_objects as dspy_forms


def test_a_call_is_found_in_the_history_by_its_outputs(lm: Any) -> None:
    outputs = [lm(f"question {n}") for n in range(5)]
    for entry, said in zip(lm.history, outputs, strict=True):
        assert dspy_forms.history_entry(lm, said) is entry, "usage and cost are of another call"
    assert dspy_forms.history_entry(lm, list(outputs[0])) == {}


def test_an_entry_has_usage_cost_and_model(lm: Any) -> None:
    entry = dspy_forms.history_entry(lm, lm("Why?"))
    assert {"usage", "cost", "response_model"} <= entry.keys(), "no call has a price"


def test_the_enclosing_call_is_known_in_a_callback(lm: Any, program: Any) -> None:
    seen: list[tuple[str, str | None]] = []

    class Listening(dspy_forms.BaseCallback):
        def on_module_start(self, call_id: str, **_: Any) -> None:
            seen.append((call_id, dspy_forms.active_call()))

    with dspy.context(callbacks=[Listening()]):
        program(question="Why?")
    (outer, around), (_, parent) = seen
    assert around is None
    assert parent == outer, "no event has a parent"
    assert dspy_forms.active_call() is None


def test_who_asks_nobody_is_known(lm: Any) -> None:
    assert _dspy.shape().is_offline(dspy.utils.DummyLM([{"answer": "x"}]))
    assert not _dspy.shape().is_offline(lm)
    assert not _dspy.shape().is_offline(dspy.LM("openai/gpt-4o-mini"))


def test_arguments_are_those_that_change_the_answer() -> None:
    lm = dspy.LM("openai/gpt-4o-mini", temperature=0.5, api_key="x", api_base="http://localhost")
    found = dspy_forms.lm_arguments(lm, {"top_p": 0.1, "extra_headers": {}, "auth_token": "x"})
    assert found == {"temperature": 0.5, "top_p": 0.1}


@pytest.mark.parametrize("given", [None, "question -> answer", object()])
def test_a_signature_that_is_none_is_not_known(given: Any) -> None:
    assert dspy_forms.written_signature(given) is None


def test_a_signature_is_shown_as_it_is_written() -> None:
    predict = dspy.Predict("question, hint: int -> answer")
    assert dspy_forms.written_signature(predict.signature) == "question, hint -> answer"


def test_predictors_have_instructions_and_demos(program: Any) -> None:
    program.answer.demos = [dspy.Example(question="a", answer="b")]
    ((name, instructions, demos),) = dspy_forms.predictors(program)
    assert (name, demos) == ("answer", program.answer.demos)
    assert "`question`" in instructions


def test_modules_have_paths(program: Any) -> None:
    assert [name for name, _ in dspy_forms.named_modules(program)] == ["", "answer"]
