"""What the mock is told to say, it says."""

import json
from typing import Any

import dspy
import pytest
from tests.shapes import lm15

from dspy_profiles.errors import InvalidProfile
from dspy_profiles.objects.engines.mock import MockEngine


def ask(lm: Any, question: Any, signature: str = "question -> answer", **settings: Any) -> Any:
    with dspy.context(lm=lm, **settings):
        return dspy.Predict(signature)(question=question)


def test_a_table_of_fields_answers_every_call(mock_lm: Any) -> None:
    lm = mock_lm(answers={"answer": "Paris"})
    assert [ask(lm, "one").answer, ask(lm, "two").answer] == ["Paris", "Paris"]
    assert ask(lm, "one", "question -> place").place.startswith("mock place ")


def test_fields_that_are_left_out_are_made_up(mock_lm: Any) -> None:
    said = ask(mock_lm(answers={"answer": "Paris"}), "one", "question -> answer, score: float")
    assert said.answer == "Paris"
    assert isinstance(said.score, float)


def test_a_list_is_said_in_order_and_then_made_up(mock_lm: Any) -> None:
    lm = mock_lm(answers=[{"answer": "one"}, {"answer": "two"}])
    assert [ask(lm, "q").answer, ask(lm, "q").answer] == ["one", "two"]
    assert ask(lm, "q").answer.startswith("mock answer ")


def test_a_condition_answers_every_call_whose_input_holds_its_text(mock_lm: Any) -> None:
    lm = mock_lm(answers=[{"when": "France", "answer": "Paris"}, {"answer": "once"}])
    asked = ["France", "Spain", "old France", "france"]
    said = [ask(lm, f"capital of {country}").answer for country in asked]
    assert said[:3] == ["Paris", "once", "Paris"]
    assert said[3].startswith("mock answer ")


def test_a_condition_is_not_looked_for_in_the_instructions(mock_lm: Any) -> None:
    lm = mock_lm(answers=[{"when": "question", "answer": "no"}])
    assert ask(lm, "hello").answer != "no"


def test_a_condition_looks_into_structured_inputs(mock_lm: Any) -> None:
    with dspy.context(lm=mock_lm(answers={"when": "needle", "answer": "found"})):
        predict = dspy.Predict("notes: dict[str, list[str]] -> answer")
        assert predict(notes={"a": ["hay", "a needle"]}).answer == "found"


def test_a_plain_text_is_the_whole_completion(mock_lm: Any) -> None:
    lm = mock_lm(answers=["this is no answer of any format"])
    with pytest.raises(dspy.utils.exceptions.AdapterParseError, match="no answer of any format"):
        ask(lm, "q", adapter=dspy.ChatAdapter(use_json_adapter_fallback=False))


def test_a_completion_may_be_empty(mock: Any, mock_lm: Any) -> None:
    mock.answer("")
    assert mock_lm(mock)("hi") == [""]
    mock.answer("")
    request = lm15.Request(model="mock", messages=(lm15.Message.user("hi"),))
    streamed = lm15.materialize_response(mock.stream(request), request)
    assert streamed.message == mock_lm(answers=[""])(request).message


def test_a_value_of_a_wrong_type_reaches_the_adapter(mock_lm: Any) -> None:
    lm = mock_lm(answers={"score": "many"})
    with pytest.raises(dspy.utils.exceptions.AdapterParseError, match="many"):
        ask(lm, "q", "question -> score: int")


def test_a_test_scripts_the_next_call_and_calls_on_condition(mocked: Any) -> None:
    predict = dspy.Predict("question -> answer")
    mocked.answer(when="France", answer="Lyon")
    mocked.answer(answer="next")
    mocked.answer(when="France", answer="Paris")
    said = [predict(question=q).answer for q in ("France?", "else", "France!")]
    assert said == ["Paris", "next", "Paris"]


def test_the_next_call_is_the_next_that_has_one_of_the_fields(mocked: Any) -> None:
    mocked.answer(answer="Paris")
    assert dspy.Predict("question -> place")(question="q").place.startswith("mock place ")
    assert dspy.Predict("question -> answer")(question="q").answer == "Paris"


def test_a_two_step_adapter_uses_up_one_scripted_answer(mocked: Any, mock_lm: Any) -> None:
    mocked.answer(answer="first", score=1)
    mocked.answer(answer="second", score=2)
    with dspy.context(adapter=dspy.TwoStepAdapter(mock_lm(mocked))):
        predict = dspy.Predict("question -> answer, score: int")
        said = [(one.answer, one.score) for one in (predict(question="a"), predict(question="b"))]
    assert said == [("first", 1), ("second", 2)]


def test_a_direct_call_is_scripted_too(mock_lm: Any) -> None:
    lm = mock_lm(answers=["hello", {"answer": "Paris"}, {"a": 1, "b": [2]}])
    assert lm("hi") == ["hello"]
    assert lm("hi") == ["Paris"]
    assert json.loads(lm("hi")[0]) == {"a": 1, "b": [2]}
    assert lm("hi")[0].startswith("mock reply ")


def test_a_direct_call_is_matched_by_its_prompt(mock_lm: Any) -> None:
    lm = mock_lm(answers={"when": "capital", "answer": "Paris"})
    assert lm("the capital?") == ["Paris"]


@pytest.mark.parametrize(
    "answers",
    [3, "Paris", [3], [["answer"]], {3: "x"}, [{"when": 3, "answer": "x"}], [{"when": "x"}], [{}]],
    ids=str,
)
def test_what_is_no_script_is_refused_with_a_hint(answers: Any) -> None:
    with pytest.raises(InvalidProfile) as caught:
        MockEngine(answers=answers)
    assert "mock" in caught.value.message
    assert caught.value.hint is not None
    assert "answer" in caught.value.hint or "when" in caught.value.hint


def test_an_answer_that_says_nothing_is_refused(mock: Any) -> None:
    with pytest.raises(InvalidProfile, match="needs either fields or a text"):
        mock.answer()
    with pytest.raises(InvalidProfile, match="either fields or a text"):
        mock.answer("text", answer="x")
    with pytest.raises(InvalidProfile, match="when"):
        mock.answer(when=3, answer="x")


def test_an_answer_that_is_no_text_is_refused_where_it_is_given(mock: Any) -> None:
    with pytest.raises(InvalidProfile, match="answer must be a string or fields, not 3") as caught:
        mock.answer(3)
    assert caught.value.hint is not None
    assert "answer = 3" in caught.value.hint
    with pytest.raises(InvalidProfile, match="invalid answer of the mock: 5"):
        MockEngine(answers=5)
