"""The mock as an engine: failures, delays, usage, determinism, copies."""

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from typing import Any

import dspy
import pytest
from pydantic import BaseModel
from tests.shapes import engine_lm, lm15, lm_error

from dspy_profiles.errors import InvalidProfile
from dspy_profiles.objects.engines.mock import MockEngine
from dspy_profiles.objects.engines.mock._engine import MockCall


def ask(lm: Any, question: str = "hi", signature: str = "question -> answer") -> Any:
    with dspy.context(lm=lm, adapter=None):
        return dspy.Predict(signature)(question=question)


def test_a_plain_prompt_gets_a_short_text_that_stays_the_same(mock_lm: Any) -> None:
    lm = mock_lm()
    assert lm("hello") == mock_lm()("hello")
    assert lm("hello") != lm("bye")
    assert lm("hello")[0].startswith("mock reply ")


def test_a_request_gets_a_response(mock_lm: Any) -> None:
    request = lm15.Request(model="mock", messages=(lm15.Message.user("hello"),), system="be brief")
    response = mock_lm()(request)
    assert response.message.parts[0].text.startswith("mock reply ")
    assert response.finish_reason == "stop"


def test_a_response_format_is_kept_to(mock_lm: Any) -> None:
    class City(BaseModel):
        name: str
        people: int

    (text,) = mock_lm()("a city", response_format=City)
    assert City.model_validate_json(text).name.startswith("mock name ")
    (text,) = mock_lm()("a city", response_format={"type": "json_object"})
    assert text.startswith("{")


WEATHER = lm15.FunctionTool(
    "weather",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
        "required": ["city", "days"],
    },
)
OTHER = lm15.FunctionTool("other")
FINISH = lm15.FunctionTool("finish")


def tool_calls(lm: Any, *messages: Any, tools: Any = (WEATHER, OTHER), choice: Any = None) -> Any:
    config = lm15.Config(tool_choice=choice)
    response = lm(lm15.Request(model="mock", messages=messages, tools=tools, config=config))
    return [part for part in response.message.parts if part.type == "tool_call"]


USER = lm15.Message.user("how is the weather?")


def test_a_tool_is_called_with_arguments_after_its_schema(mock_lm: Any) -> None:
    (call,) = tool_calls(mock_lm(), USER)
    assert call.name == "weather"
    assert call.input["city"].startswith("mock city ")
    assert call.input["days"] <= 7


def test_the_tool_that_ends_is_called_before_others(mock_lm: Any) -> None:
    assert [call.name for call in tool_calls(mock_lm(), USER, tools=(WEATHER, FINISH))] == [
        "finish"
    ]


def test_the_choice_of_tools_is_respected(mock_lm: Any) -> None:
    none = lm15.ToolChoice(mode="none")
    other = lm15.ToolChoice(mode="required", allowed=("other",))
    assert tool_calls(mock_lm(), USER, choice=none) == []
    assert [call.name for call in tool_calls(mock_lm(), USER, choice=other)] == ["other"]


def test_after_a_tools_result_comes_a_text_and_after_a_new_question_a_call(mock_lm: Any) -> None:
    lm = mock_lm()
    calls = tool_calls(lm, USER)
    answered = (
        USER,
        lm15.Message(role="assistant", parts=tuple(calls)),
        lm15.Message(role="tool", parts=(lm15.tool_result(calls[0].id, "sunny"),)),
    )
    assert tool_calls(lm, *answered) == []
    assert len(tool_calls(lm, *answered, USER)) == 1


FAILURES = {
    "server": lm_error("LMServerError"),
    "rate_limit": lm_error("LMRateLimitError"),
    "timeout": lm_error("LMTimeoutError"),
    "auth": lm_error("LMAuthError"),
    "connection": lm_error("LMTransportError"),
    "invalid_request": lm_error("LMInvalidRequestError"),
    "context_length": lm_error("ContextWindowExceededError"),
    "billing": lm_error("LMBillingError"),
    "unsupported_model": lm_error("LMUnsupportedModelError"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_dspys_own_error_and_says_whose_doing_it_is(kind: Any, mock_lm: Any) -> None:
    engine = MockEngine(failure_rate=1, failure=kind)
    with pytest.raises(FAILURES[kind], match="the mock failed on purpose") as caught:
        ask(mock_lm(engine))
    assert type(caught.value) is FAILURES[kind]
    with pytest.raises(FAILURES[kind]), dspy.context(lm=mock_lm(engine)):
        asyncio.run(dspy.Predict("question -> answer").acall(question="hi"))
    assert [call.outputs for call in engine.calls] == [None, None]
    assert all("on purpose" in (call.error or "") for call in engine.calls)


def outcomes(lm: Any, count: int = 40) -> Any:
    def outcome(number: Any) -> Any:
        try:
            return ask(lm, f"q{number}").answer
        except lm_error("LMServerError"):
            return None

    return [outcome(number) for number in range(count)]


def test_the_same_part_of_the_calls_fails_every_time(mock_lm: Any) -> None:
    first = outcomes(mock_lm(failure_rate=0.5))
    assert first == outcomes(mock_lm(failure_rate=0.5))
    assert 8 < first.count(None) < 32
    assert first != outcomes(mock_lm(failure_rate=0.5, seed=1))


def test_a_retry_may_succeed_and_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    engine = MockEngine(failure_rate=0.5, failure="rate_limit")
    lm = engine_lm("mock", engine=engine, cache=False, num_retries=20)
    assert all(ask(lm, f"q{n}").answer.startswith("mock answer ") for n in range(20))
    assert any(call.error for call in engine.calls)
    assert slept
    assert not any(slept)


def test_a_failing_call_does_not_use_up_the_script(mock_lm: Any) -> None:
    engine = MockEngine(failure_rate=0.5)
    engine.answer(answer="Paris")
    assert next(said for said in outcomes(mock_lm(engine)) if said) == "Paris"


def test_the_latency_is_waited_for_once_in_each_call(
    mock_lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = []
    yielded = asyncio.sleep

    async def asleep(seconds: Any) -> None:
        slept.append(("async", seconds))
        await yielded(0)

    monkeypatch.setattr("time.sleep", lambda seconds: slept.append(("sync", seconds)))
    monkeypatch.setattr("asyncio.sleep", asleep)
    lm = mock_lm(latency=2.5)
    ask(lm)
    with dspy.context(lm=lm):
        asyncio.run(dspy.Predict("question -> answer").acall(question="hi"))
    assert [entry for entry in slept if entry[1]] == [("sync", 2.5), ("async", 2.5)]


def test_a_stream_waits_before_its_first_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    request = lm15.Request(model="mock", messages=(USER,), tools=(WEATHER,))
    events = MockEngine(latency=2.5).stream(request)
    assert (next(events).type, slept) == ("start", [])
    assert (next(events).type, slept) == ("delta", [2.5])
    assert [event.type for event in events] == ["end"]


def test_tokens_are_counted_or_given(mock_lm: Any) -> None:
    counted, given = mock_lm(), mock_lm(input_tokens=7, output_tokens=0)
    counted("x" * 400)
    given("x")
    usage = counted.history[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (100, 4)
    usage = given.history[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (7, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"latency": -1},
        {"latency": "fast"},
        {"latency": float("inf")},
        {"failure_rate": 1.1},
        {"failure_rate": True},
        {"failure": "sevrer"},
        {"failure": ["server"]},
        {"input_tokens": -1},
        {"output_tokens": 1.5},
        {"seed": [1]},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_when_the_mock_is_made(settings: Any) -> None:
    with pytest.raises(InvalidProfile) as caught:
        MockEngine(**settings)
    assert next(iter(settings)).partition("_")[0][:4] in str(caught.value)
    assert caught.value.hint


def test_a_misspelt_failure_is_recognised() -> None:
    with pytest.raises(InvalidProfile, match='did you mean "server"'):
        MockEngine(failure="sevrer")


def test_calls_are_kept_with_what_went_in_and_out(mock_lm: Any, mock: Any) -> None:
    lm = mock_lm(mock)
    said = ask(lm, "hi", "question -> answer, score: int")
    lm("plain")
    first, second = mock.calls
    assert first.inputs == {"question": "hi"}
    assert first.outputs == {"answer": said.answer, "score": said.score}
    assert "hi" in first.prompt
    assert "question" in first.prompt
    assert said.answer in first.reply
    assert second == MockCall({}, None, "plain", reply=lm.history[-1]["outputs"][0])


PROGRAM = """
import enum, dspy
from dspy_profiles.objects.engines.mock import MockEngine
class Shape(dspy.Signature):
    words: set[str] = dspy.InputField()
    thing: object = dspy.InputField()
    answer: str = dspy.OutputField()
    kind: set[str] = dspy.OutputField()
    table: dict[str, float] = dspy.OutputField()
class Thing: pass
lm = dspy.LM("mock", engine=MockEngine(failure_rate=0.3), cache=False, num_retries=9)
with dspy.context(lm=lm):
    for n in range(5):
        said = dspy.Predict(Shape, n=2)(words={"a", "b", "c", str(n)}, thing=Thing())
        print(said.completions.answer, [sorted(kind) for kind in said.completions.kind], said.table)
"""


def test_another_process_gets_the_same_answers(tmp_path: Any) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "HOME": str(tmp_path), "PYTHONWARNINGS": "error"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert said[0].count("mock answer") == 10


def test_a_saved_program_brings_its_mock_along(mock_lm: Any, tmp_path: Any) -> None:
    predict = dspy.Predict("question -> answer")
    predict.set_lm(mock_lm(answers=[{"when": "France", "answer": "Paris"}], seed=3))
    predict.save(tmp_path / "program.json")
    loaded = dspy.Predict("question -> answer")
    loaded.load(tmp_path / "program.json", allow_unsafe_lm_state=True)
    for question in ("France?", "Spain?"):
        expected = predict(question=question).answer
        assert loaded(question=question).answer == expected
        assert asyncio.run(loaded.acall(question=question)).answer == expected


def test_a_mock_with_values_that_json_cannot_hold_is_saved_all_the_same(mock_lm: Any) -> None:
    lm = mock_lm(answers={"answer": object()})
    assert dspy.LM.load_state(lm.dump_state(), allow_custom_lm_class=True)("hi")


def test_a_copy_is_the_mock_itself(mocked: Any) -> None:
    program = dspy.Predict("question -> answer")
    program.set_lm(dspy.settings.lm)
    copied = copy.deepcopy(program)
    mocked.answer(answer="Paris")
    assert copied(question="q").answer == "Paris"
    assert dspy.settings.lm.copy(temperature=1.0).engine is mocked
    assert copy.copy(mocked) is mocked
    assert len(mocked.calls) == 1


def test_a_pickled_mock_answers_as_it_was_told(mock_lm: Any) -> None:
    engine = MockEngine(seed=5, latency=0)
    engine.answer(answer="Paris")
    engine.answer(when="Spain", answer="Madrid")
    ask(mock_lm(engine), "Spain")
    lm = pickle.loads(pickle.dumps(mock_lm(engine)))
    assert lm.engine.calls == []
    assert [ask(lm, "Spain").answer, ask(lm).answer] == ["Madrid", "Paris"]
    engine.answer(answer="only here")
    assert ask(lm, "x").answer == ask(mock_lm(seed=5), "x").answer


def test_sixteen_threads_lose_no_script_and_no_call(mock: Any, mock_lm: Any) -> None:
    lm, rounds = mock_lm(mock), 25
    ready = threading.Barrier(16)
    said = []

    def work(number: Any) -> None:
        ready.wait()
        for step in range(rounds):
            mock.answer(answer=f"{number}/{step}")
            said.append(ask(lm).answer)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == sorted(f"{n}/{step}" for n in range(16) for step in range(rounds))
    assert len(mock.calls) == 16 * rounds


def test_the_mock_shows_what_it_was_made_with() -> None:
    assert repr(MockEngine()) == "MockEngine()"
    assert repr(MockEngine(seed=3, answers={"a": 1})) == "MockEngine(answers={'a': 1}, seed=3)"
