"""DSPy's modules and machinery on the mock: each comes to its end, offline."""

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest
from dspy.predict.react_v2 import ReActV2
from pydantic import BaseModel

QUESTION = {"question": "What is the capital of France?"}


def search(query: str, top: int = 3) -> str:
    """Look something up."""
    return f"found {query} {top}"


class Place(BaseModel):
    city: str


def lookup(term: str) -> str:
    """Look a term up."""
    return f"meaning of {term}"


def test_chain_of_thought_reasons_and_answers(mocked: Any) -> None:
    said = dspy.ChainOfThought("question -> answer: int")(**QUESTION)
    assert said.reasoning.startswith("mock reasoning ")
    assert isinstance(said.answer, int)


async def called(module: Any, asynchronous: Any, **inputs: Any) -> Any:
    return await module.acall(**inputs) if asynchronous else module(**inputs)


@pytest.mark.asyncio
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_react_finishes(mocked: Any, asynchronous: Any) -> None:
    said = await called(dspy.ReAct("question -> answer", tools=[search]), asynchronous, **QUESTION)
    assert said.trajectory["tool_name_0"] == "finish"
    assert said.answer.startswith("mock answer ")
    assert len(mocked.calls) == 2


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("adapter", [dspy.ChatAdapter, dspy.JSONAdapter])
@pytest.mark.asyncio
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_agent_submits_with_and_without_native_tools(
    mocked: Any, adapter: Any, native: Any, asynchronous: Any
) -> None:
    agent = ReActV2("question -> answer, score: float", tools=[search])
    with dspy.context(adapter=adapter(use_native_function_calling=native)):
        said = await called(agent, asynchronous, **QUESTION)
    assert said.termination_reason == "submit"
    assert said.answer.startswith("mock answer ")
    assert 0 <= said.score <= 1


def test_an_agents_result_is_scripted_by_its_own_fields(mocked: Any) -> None:
    mocked.answer(answer="Paris")
    with dspy.context(adapter=dspy.JSONAdapter()):
        assert ReActV2("question -> answer", tools=[search])(**QUESTION).answer == "Paris"


def test_an_agent_is_led_through_tools_by_a_script(mocked: Any) -> None:
    mocked.answer(next_thought="look", next_tool_name="search", next_tool_args={"query": "x"})
    mocked.answer(answer="Paris")
    said = dspy.ReAct("question -> answer", tools=[search])(**QUESTION)
    assert said.trajectory["observation_0"] == "found x 3"
    assert said.trajectory["tool_name_1"] == "finish"
    assert said.answer == "Paris"


def test_an_agents_scripted_result_may_be_an_object(mocked: Any) -> None:
    mocked.answer(place=Place(city="Paris"))
    agent = ReActV2(dspy.Signature("question -> place: Place", custom_types={"Place": Place}), [])
    with dspy.context(adapter=dspy.JSONAdapter()):
        assert agent(**QUESTION).place == Place(city="Paris")


class CallsTools(dspy.Signature):  # type: ignore[misc]
    question: str = dspy.InputField()
    tools: list[dspy.Tool] = dspy.InputField()
    calls: dspy.ToolCalls = dspy.OutputField()


@pytest.mark.parametrize("native", [False, True])
def test_the_first_tool_is_called_with_arguments_that_it_takes(mocked: Any, native: Any) -> None:
    tools = [dspy.Tool(search), dspy.Tool(lookup)]
    with dspy.context(adapter=dspy.ChatAdapter(use_native_function_calling=native)):
        (call,) = dspy.Predict(CallsTools)(tools=tools, **QUESTION).calls.tool_calls
    assert call.name == "search"
    assert call.execute(tools).startswith("found mock query ")


@pytest.mark.parametrize("native", [False, True])
def test_tool_calls_are_scripted(mocked: Any, native: Any) -> None:
    mocked.answer(calls=[{"name": "lookup", "args": {"term": "x"}}])
    with dspy.context(adapter=dspy.ChatAdapter(use_native_function_calling=native)):
        said = dspy.Predict(CallsTools)(tools=[dspy.Tool(search), dspy.Tool(lookup)], **QUESTION)
    assert [(call.name, call.args) for call in said.calls.tool_calls] == [("lookup", {"term": "x"})]


def test_code_that_is_to_be_run_can_be_run(mocked: Any) -> None:
    class Interpreter:
        def __init__(self) -> None:
            self.tools: dict[str, Any] = {}
            self.ran: list[Any] = []

        def start(self) -> None:
            pass

        def execute(self, code: Any, variables: Any = None) -> Any:
            compile(code, "generated", "exec")
            self.ran.append(code)
            return "output"

        def shutdown(self) -> None:
            pass

    interpreter = Interpreter()
    with warnings.catch_warnings():
        # Deprecated modules, which programs still use.
        warnings.simplefilter("ignore", DeprecationWarning)
        thought = dspy.ProgramOfThought("question -> answer")
        act = dspy.CodeAct("question -> answer", tools=[search])
    assert thought(interpreter, **QUESTION).answer.startswith("mock answer ")
    assert act(interpreter, **QUESTION).answer.startswith("mock answer ")
    assert len(interpreter.ran) == 3  # one program each, and CodeAct's tool


def test_a_batch_in_threads_gets_the_answers_that_it_gets_one_by_one(mocked: Any) -> None:
    predict = dspy.Predict("question -> answer")
    examples = [dspy.Example(question=f"q{n}").with_inputs("question") for n in range(40)]
    one_by_one = [predict(**example.inputs()).answer for example in examples]
    parallel = dspy.Parallel(num_threads=8, disable_progress_bar=True)
    batch = parallel([(predict, example) for example in examples])
    assert [said.answer for said in batch] == one_by_one
    assert len(set(one_by_one)) == 40


def test_evaluate_scores_on_eight_threads(mocked: Any) -> None:
    for number in range(40):
        mocked.answer(when=f"number {number}.", answer=str(number))
    devset = [
        dspy.Example(question=f"number {n}.", answer=str(n)).with_inputs("question")
        for n in range(40)
    ]
    evaluate = dspy.Evaluate(
        devset=devset,
        metric=lambda example, said, trace=None: example.answer == said.answer,
        num_threads=8,
        display_progress=False,
    )
    assert evaluate(dspy.Predict("question -> answer")).score == 100
    assert len(mocked.calls) == 40


@pytest.mark.asyncio
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_several_answers_to_one_request_differ_and_are_the_same_next_time(
    mocked: Any, asynchronous: Any
) -> None:
    predict = dspy.Predict("question -> answer", n=3)
    first = (await called(predict, asynchronous, **QUESTION)).completions.answer
    second = (await called(predict, asynchronous, **QUESTION)).completions.answer
    assert len(set(first)) == 3
    assert first == second
    alone = dspy.Predict("question -> answer")(**QUESTION)
    assert first[0] == alone.answer


def test_best_of_n_sees_another_answer_in_each_attempt(mocked: Any) -> None:
    best = dspy.BestOfN(
        module=dspy.Predict("question -> answer"),
        N=4,
        reward_fn=lambda args, said: 0.0,
        threshold=1.0,
    )
    best(**QUESTION)
    assert len({call.outputs["answer"] for call in mocked.calls}) == 4


@pytest.mark.asyncio
async def test_fifty_at_once_get_each_their_own_answer(mocked: Any) -> None:
    predict = dspy.Predict("question -> answer")
    said = await asyncio.gather(*(predict.acall(question=f"q{n}") for n in range(50)))
    assert [one.answer for one in said] == [predict(question=f"q{n}").answer for n in range(50)]


@pytest.mark.asyncio
async def test_a_program_made_async_is_answered(mocked: Any) -> None:
    said = await dspy.asyncify(dspy.ChainOfThought("question -> answer"))(**QUESTION)
    assert said.answer.startswith("mock answer ")


@pytest.mark.asyncio
@pytest.mark.parametrize("adapter", [dspy.ChatAdapter, dspy.JSONAdapter, dspy.XMLAdapter])
@pytest.mark.parametrize("is_async_program", [False, True])
async def test_a_field_is_streamed_in_pieces(
    mocked: Any, adapter: Any, is_async_program: Any
) -> None:
    mocked.answer(when="capital", answer="Paris is the capital, of course.", score=3)
    predict = dspy.Predict("question -> answer, score: int")
    with dspy.context(adapter=adapter()):
        streamed = dspy.streamify(
            predict,
            stream_listeners=[dspy.streaming.StreamListener(signature_field_name="answer")],
            is_async_program=is_async_program,
        )
        seen = [item async for item in streamed(**QUESTION)]
    *pieces, prediction = seen
    assert len(pieces) > 3
    said = "".join(piece.chunk for piece in pieces)
    if dspy.__version__ == "3.4.0":  # it streams the line breaks around a field, too
        said = said.strip("\n")
    # DSPy streams a JSON field as its source, quotes and what follows included.
    assert said.strip(' "').startswith("Paris is the capital, of course.")
    assert adapter is dspy.JSONAdapter or said == "Paris is the capital, of course."
    assert prediction.answer == "Paris is the capital, of course."
    assert prediction.score == 3


def test_usage_is_counted(mocked: Any) -> None:
    with dspy.track_usage() as usage:
        dspy.Predict("question -> answer")(**QUESTION)
    (entry,) = usage.get_total_tokens().values()
    assert entry["prompt_tokens"] > 50
    assert 5 < entry["completion_tokens"] < 50


def test_an_image_is_passed_on(mocked: Any) -> None:
    red = dspy.Image("data:image/png;base64,iVBORw0KGgo=")
    predict = dspy.Predict("picture: dspy.Image, question -> answer")
    said = predict(picture=red, **QUESTION).answer
    assert mocked.calls[0].inputs["picture"] is red
    assert "[image: iVBORw0KGgo=]" in mocked.calls[0].prompt
    other = predict(picture=dspy.Image("https://example.com/a.png"), **QUESTION).answer
    assert said != other


def test_the_lm_is_answered_on_a_bare_thread(mock: Any, mock_lm: Any) -> None:
    predict = dspy.Predict("question -> answer")
    predict.set_lm(mock_lm(mock))
    with ThreadPoolExecutor() as pool:
        assert pool.submit(predict, **QUESTION).result().answer.startswith("mock answer ")


def test_few_shot_examples_are_bootstrapped(mocked: Any) -> None:
    trainset = [dspy.Example(question=f"q{n}").with_inputs("question") for n in range(4)]
    optimizer = dspy.BootstrapFewShot(metric=lambda *_: True, max_bootstrapped_demos=2)
    compiled = optimizer.compile(dspy.Predict("question -> answer"), trainset=trainset)
    assert all(demo.answer.startswith("mock answer ") for demo in compiled.demos[:2])
