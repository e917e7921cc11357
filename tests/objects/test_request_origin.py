"""Finding the adapter and the signature behind a request: what is relied on in DSPy."""

import asyncio
import inspect
from typing import Any

import dspy
import pytest
from dspy.clients import execution
from tests.shapes import lm15

from dspy_profiles.objects.engines.mock import MockEngine
from dspy_profiles.objects.engines.mock import _engine as mock_room
from dspy_profiles.objects.engines.mock._origin import RequestOrigin, origin_of


class Signed(dspy.Signature):  # type: ignore[misc]
    """Answer."""

    question: str = dspy.InputField()
    tools: list[dspy.Tool] = dspy.InputField()
    answer: str = dspy.OutputField()
    calls: dspy.ToolCalls = dspy.OutputField()


class Watching(MockEngine):
    """A mock that keeps where its requests came from."""

    def __init__(self) -> None:
        super().__init__()
        self.origins: list[Any] = []

    def _ask(self, request: Any) -> Any:
        self.origins.append(origin_of(request))
        return super()._ask(request)


@pytest.fixture
def watching() -> Any:
    return Watching()


def locals_of(function: Any) -> Any:
    return inspect.unwrap(function).__code__.co_varnames


# Each of these names is private to DSPy. Where one is gone, `request_origin` says what breaks.


@pytest.mark.parametrize("method", ["__call__", "acall"])
def test_adapters_are_called_with_a_signature_and_inputs_and_keep_the_processed_one(
    method: Any,
) -> None:
    names = locals_of(getattr(dspy.Adapter, method))
    assert names[0] == "self"
    assert {"signature", "inputs", "processed_signature"} <= set(names)


@pytest.mark.parametrize("function", [execution.execute, execution.aexecute])
def test_an_execution_keeps_its_call_and_the_results_so_far(function: Any) -> None:
    assert {"call", "results"} <= set(locals_of(function))
    assert function.__module__ == "dspy.clients.execution"
    fields = execution.PreparedCall.__dataclass_fields__
    assert {"prompt", "legacy"} <= set(fields)


@pytest.mark.parametrize("method", [dspy.Predict.forward, dspy.Predict.aforward])
def test_predict_keeps_its_inputs(method: Any) -> None:
    assert "kwargs" in locals_of(method)


@pytest.mark.asyncio
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_native_features_are_left_out_of_the_signature(
    watching: Any, mock_lm: Any, asynchronous: Any
) -> None:
    predict = dspy.Predict(Signed)
    inputs = {"question": "hi", "tools": [dspy.Tool(lambda: "x", name="look")]}
    with dspy.context(lm=mock_lm(watching), adapter=dspy.JSONAdapter()):
        await predict.acall(**inputs) if asynchronous else predict(**inputs)
    (origin,) = watching.origins
    assert isinstance(origin.adapter, dspy.JSONAdapter)
    assert list(origin.signature.output_fields) == ["answer"]
    assert list(origin.declared.output_fields) == ["answer", "calls"]
    assert origin.inputs == inputs


def test_native_features_are_guessed_where_the_adapter_does_not_tell(
    watching: Any, mock_lm: Any
) -> None:
    class Own(dspy.ChatAdapter):  # type: ignore[misc]
        def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
            schema = {"type": "object", "properties": {}}
            tool = {"type": "function", "function": {"name": "look", "parameters": schema}}
            message = {"role": "user", "content": "hi"}
            with dspy.clients._deprecation.adapter_message_call(lm, messages := [message]):
                (said,) = lm(messages=messages, tools=[tool])
            return [{"answer": said["text"], "calls": said["tool_calls"]}]

    with dspy.context(lm=mock_lm(watching), adapter=Own()):
        dspy.Predict(Signed)(question="hi", tools=[])
    assert list(watching.origins[0].signature.output_fields) == ["answer"]


def test_a_prompt_given_as_it_is_is_nobodys_even_inside_an_adapter(
    watching: Any, mock_lm: Any
) -> None:
    class Asking(dspy.ChatAdapter):  # type: ignore[misc]
        def parse(self, signature: Any, completion: Any) -> Any:
            assert dspy.settings.lm("is this right?")[0].startswith("mock reply ")
            return super().parse(signature, completion)

    with dspy.context(lm=mock_lm(watching), adapter=Asking()):
        dspy.Predict("question -> answer")(question="hi")
    assert [origin.adapter is None for origin in watching.origins] == [False, True]


@pytest.mark.asyncio
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_both_steps_of_a_two_step_adapter_are_told_apart(
    watching: Any, mock_lm: Any, asynchronous: Any
) -> None:
    lm = mock_lm(watching)
    predict = dspy.Predict("question -> answer")
    with dspy.context(lm=lm, adapter=dspy.TwoStepAdapter(lm)):
        await predict.acall(question="hi") if asynchronous else predict(question="hi")
    first, second = watching.origins
    assert first.inputs == {"question": "hi"}
    assert (first.extracting, second.extracting) == (False, True)
    assert second.inputs == {"text": watching.calls[0].reply}


def test_several_answers_and_rollouts_are_told_apart(watching: Any, mock_lm: Any) -> None:
    with dspy.context(lm=mock_lm(watching)):
        dspy.Predict("question -> answer", n=2)(question="hi")
        rollout = {"rollout_id": 7, "temperature": 1.0}
        dspy.Predict("question -> answer")(question="hi", config=rollout)
    assert [origin.sample for origin in watching.origins] == [
        "",
        "rollout None, answer 1",
        "rollout 7, answer 0",
    ]


def test_a_request_from_nowhere_has_no_origin() -> None:
    request = lm15.Request(model="mock", messages=(lm15.Message.user("hi"),))
    assert origin_of(request) == RequestOrigin()


def test_without_what_is_private_every_call_is_still_answered(
    mock_lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mock_room, "origin_of", lambda request: RequestOrigin())
    assert mock_lm()("hi")[0].startswith("mock reply ")


@pytest.mark.asyncio
async def test_many_at_once_are_not_mixed_up(watching: Any, mock_lm: Any) -> None:
    lm = mock_lm(watching)
    adapters = [dspy.ChatAdapter(), dspy.JSONAdapter(), dspy.XMLAdapter()] * 5

    async def ask(number: Any, adapter: Any) -> Any:
        with dspy.context(lm=lm, adapter=adapter):
            return await dspy.Predict("question -> answer").acall(question=str(number))

    await asyncio.gather(*(ask(number, adapter) for number, adapter in enumerate(adapters)))
    for origin in watching.origins:
        assert origin.adapter is adapters[int(origin.inputs["question"])]
