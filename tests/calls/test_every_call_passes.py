"""Every kind of call to a model passes the stages that stand, once for each attempt."""

import asyncio
import sys
from typing import Any

import dspy
import pytest
from tests.shapes import engine_lm, lm15, lm_error

from dspy_profiles import profile

LEGACY = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
ONE = ["before", "after", "priced"]


def question() -> Any:
    return dspy.Predict("question -> answer")


def test_a_call_passes(heard: Any) -> None:
    with profile("mock"):
        question()(question="Why?")
    (call,) = heard.calls
    assert heard.log == ONE
    assert (call.kind, call.model, call.offline) == ("lm", "mock", True)
    assert (call.streamed, call.replayed) == (False, False)
    assert "Why?" in str(call.request)
    assert heard.answers[0].tokens > 0


def test_an_asynchronous_call_passes(heard: Any) -> None:
    async def main() -> None:
        with profile("mock"):
            await question().acall(question="Why?")

    asyncio.run(main())
    assert heard.log == ONE


async def chunks_of(program: Any, **how: Any) -> list[Any]:
    with profile("mock"):
        return [each async for each in dspy.streamify(program, **how)(question="Why?")]


def test_a_streamed_call_passes(heard: Any) -> None:
    chunks = asyncio.run(chunks_of(question()))
    assert isinstance(chunks[-1], dspy.Prediction)
    assert heard.log == ONE
    assert heard.calls[0].streamed
    assert heard.answers[0].tokens > 0
    assert [e.type for e in heard.answers[0].events][:: len(heard.answers[0].events) - 1] == [
        "start",
        "end",
    ]


def test_a_call_streamed_by_an_asynchronous_program_passes(heard: Any) -> None:
    class Program(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.ask = question()

        async def aforward(self, question: str) -> Any:
            return await self.ask.acall(question=question)

    chunks = asyncio.run(chunks_of(Program(), is_async_program=True))
    assert isinstance(chunks[-1], dspy.Prediction)
    assert heard.log == ONE
    assert heard.calls[0].streamed


def test_each_of_several_candidates_is_a_call_and_all_have_one_price(
    heard: Any, engine: Any, lm_of: Any
) -> None:
    own = engine()
    assert len(lm_of(own)("Why?", n=2)) == 2
    assert own.made == 2
    assert heard.log == ["before", "after", "before", "after", "priced"]


def test_each_of_dspys_retries_is_a_call(heard: Any, engine: Any, lm_of: Any) -> None:
    down = [lm15.ServerError("down", retry_after=0) for _ in range(2)]
    own = engine(*down)
    lm_of(own, num_retries=2)("Why?")
    assert own.made == 3
    assert heard.log == ["before", "failed", "before", "failed", "before", "after", "priced"]
    assert heard.errors == down
    assert len(set(map(id, heard.calls))) == 3
    assert heard.paid == [heard.calls[-1]]


def test_a_provider_that_is_busy_once_is_called_twice(heard: Any, server: Any, openai: Any) -> None:
    server.statuses = [503]
    openai(num_retries=1)("Why?")
    assert len(server.asked) == 2
    assert heard.log == ["before", "failed", "before", "after", "priced"]


def test_a_call_that_fails_for_good_is_never_priced(heard: Any, engine: Any, lm_of: Any) -> None:
    with pytest.raises(lm_error("LMError")):
        lm_of(engine(ValueError("broken")), num_retries=0)("Why?")
    assert heard.log == ["before", "failed"]


def test_an_asynchronous_call_that_is_cancelled_has_failed(heard: Any, engine: Any) -> None:
    started = asyncio.Event()

    class Waits:
        async def complete(self, request: Any) -> Any:
            started.set()
            await asyncio.Event().wait()

    lm = engine_lm("own/model", engine=engine(), async_engine=Waits(), cache=False)

    async def main() -> None:
        task = asyncio.create_task(lm.acall("Why?"))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert heard.log == ["before", "failed"]


def test_an_explicit_request_passes_as_it_is(heard: Any, engine: Any, lm_of: Any) -> None:
    request = lm15.Request(model="own/model", messages=(lm15.Message.user("explicitly"),))
    response = lm_of(engine())(request)
    assert isinstance(response, lm15.Response)
    assert heard.log == ONE
    assert "explicitly" in str(heard.calls[0].request)


def test_dspys_dummy_passes_and_asks_nobody(heard: Any) -> None:
    dummy = dspy.utils.DummyLM([{"answer": "1"}, {"answer": "2"}])
    dummy("Why?")
    asyncio.run(dummy.acall("Why?"))
    assert heard.log == ONE * 2
    assert [call.offline for call in heard.calls] == [True, True]


def legacy_answer(text: str = "said") -> Any:
    message = {"content": text, "tool_calls": None}
    attributes = dspy.clients.call_result.attributes
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    choices = [{"message": message, "finish_reason": "stop"}]
    return attributes({"choices": choices, "usage": usage, "model": "legacy"})


class Legacy(dspy.BaseLM):  # type: ignore[misc]
    made = 0

    def forward(self, prompt: Any = None, messages: Any = None, **more: Any) -> Any:
        self.made += 1
        return legacy_answer()

    async def aforward(self, prompt: Any = None, messages: Any = None, **more: Any) -> Any:
        return self.forward(prompt, messages, **more)


@LEGACY
def test_an_lm_with_a_forward_of_its_own_passes(heard: Any) -> None:
    lm = Legacy("legacy")

    async def twice() -> None:
        assert await lm.acall("Why?") == ["said"]
        assert await lm.acall("Why?") == ["said"]

    assert lm("Why?") == ["said"]
    asyncio.run(twice())
    assert lm.made == 3
    assert heard.log == ONE * 3
    assert [answer.tokens for answer in heard.answers] == [7, 7, 7]
    assert all(call.request is None for call in heard.calls)
    assert "Why?" in str(heard.calls[0].legacy["messages"])
    assert not heard.calls[0].offline


@LEGACY
def test_an_lm_that_says_that_it_asks_nobody_is_believed(heard: Any) -> None:
    lm = Legacy("legacy")
    lm.offline = True
    lm("Why?")
    assert heard.calls[0].offline


@LEGACY
def test_an_lm_that_only_adds_to_dspys_forward_passes_once(
    heard: Any, server: Any, openai: Any
) -> None:
    class Adds(dspy.LM):  # type: ignore[misc]
        def forward(self, *given: Any, **more: Any) -> Any:
            return super().forward(*given, **more)

        async def aforward(self, *given: Any, **more: Any) -> Any:
            return await super().aforward(*given, **more)

    plain = openai()
    lm = Adds(plain.model, api_base=f"{server.url}/v1", api_key="x", cache=False)
    lm("Why?")
    asyncio.run(lm.acall("Why?"))
    assert len(server.asked) == 2
    assert heard.log == ONE * 2


@LEGACY
def test_an_lm_that_hands_on_to_another_is_left_after_its_call(
    heard: Any, engine: Any, lm_of: Any
) -> None:
    other = lm_of(engine())

    class Hands(dspy.BaseLM):  # type: ignore[misc]
        def forward(self, prompt: Any = None, messages: Any = None, **more: Any) -> Any:
            return legacy_answer(other(prompt)[0])

    lm = Hands("hands")
    lm("Why?")
    assert [call.model for call in heard.calls] == ["hands", "own/model"]
    lm("Why?")
    assert [call.model for call in heard.calls] == ["hands", "own/model"] * 2


@LEGACY
def test_after_a_forward_has_failed_the_next_call_passes_again(heard: Any) -> None:
    class Fails(dspy.BaseLM):  # type: ignore[misc]
        def forward(self, prompt: Any = None, messages: Any = None, **more: Any) -> Any:
            raise ValueError("broken")

    lm = Fails("fails")
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            lm("Why?")
    assert heard.log == ["before", "failed"] * 2


def test_a_call_over_litellm_passes(heard: Any, server: Any, openai: Any) -> None:
    lm = openai(engine="litellm")
    lm("Why?")
    asyncio.run(lm.acall("Why?"))
    assert len(server.asked) == 2
    assert heard.log == ONE * 2
    assert heard.answers[0].tokens == 1100
    assert heard.costs[0] == pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_each_batch_of_an_embedder_passes_and_what_is_cached_does_not(
    asynchronous: Any, heard: Any, server: Any, without_numpy: None
) -> None:
    embedder = dspy.Embedder(
        "openai/text-embedding-3-small", api_base=f"{server.url}/v1", api_key="x", batch_size=2
    )

    def ask() -> Any:
        texts = ["a", "b", "c"]
        return asyncio.run(embedder.acall(texts)) if asynchronous else embedder(texts)

    assert ask() == [[1.0, 2.0]] * 3
    assert heard.log == ["before", "after"] * 2
    assert [(call.kind, call.offline) for call in heard.calls] == [("embedder", False)] * 2
    assert [call.request for call in heard.calls] == [["a", "b"], ["c"]]
    assert len(server.asked) == 2
    ask()
    assert len(heard.calls) == len(server.asked) == 2


def test_a_function_that_embeds_passes_as_the_programs_own(heard: Any, without_numpy: None) -> None:
    def count_letters(texts: list[str]) -> list[list[int]]:
        return [[len(text)] for text in texts]

    assert dspy.Embedder(count_letters, caching=False)(["a", "bc"]) == [[1], [2]]
    (call,) = heard.calls
    assert (call.kind, call.model, call.offline) == ("embedder", "count_letters", True)


@pytest.mark.parametrize("post", [False, True], ids=["get", "post"])
def test_a_retriever_passes_and_what_is_cached_does_not(post: Any, heard: Any, server: Any) -> None:
    retriever = dspy.ColBERTv2(url=f"{server.url}/search", post_requests=post)
    found = retriever("capital", k=3)
    assert found[0]["text"] == "a passage"
    assert heard.log == ["before", "after"]
    (call,) = heard.calls
    assert (call.kind, call.request, call.legacy) == ("retriever", "capital", {"k": 3})
    assert call.model == f"{server.url}/search"
    assert len(server.asked) == 1
    assert retriever("capital", k=3) == found
    name = f"colbertv2_{'post' if post else 'get'}_request_v2"  # where DSPy caches once more
    getattr(sys.modules["dspy.dsp.colbertv2"], name)(f"{server.url}/search", "capital", 3)
    assert len(heard.calls) == len(server.asked) == 1


def test_without_stages_dspy_gets_the_engine_itself(stand: Any, engine: Any, lm_of: Any) -> None:
    stand()  # taps DSPy, and stands nothing
    own = engine()
    lm = lm_of(own)
    execution = dspy.clients.execution
    call = execution.prepare(lm, "Why?", None, {})
    assert execution._select_engine(lm, call, False)[0] is own
    assert execution._select_engine(lm, call, True)[0] is lm._async_engine_spec


def test_a_stage_that_comes_while_a_call_is_under_way_hears_nothing_of_it(
    stand: Any, listener: Any, engine: Any, lm_of: Any
) -> None:
    stand()
    late, own = listener(), engine()
    answers = own.complete

    def complete(request: Any) -> Any:
        stand(late)
        return answers(request)

    own.complete = complete
    lm_of(own)("Why?")
    assert late.log == []


def test_without_stages_an_answer_is_the_very_object_that_came(
    stand: Any, engine: Any, lm_of: Any
) -> None:
    stand()
    own = engine()
    request = lm15.Request(model="own/model", messages=(lm15.Message.user("Why?"),))
    assert lm_of(own)(request) is own.answer


def test_with_stages_an_answer_is_still_the_very_object_that_came(
    heard: Any, engine: Any, lm_of: Any
) -> None:
    own = engine()
    request = lm15.Request(model="own/model", messages=(lm15.Message.user("Why?"),))
    assert lm_of(own)(request) is own.answer
    assert heard.answers[0].result is own.answer


def test_whatever_else_an_engine_offers_is_its_own(heard: Any, engine: Any, lm_of: Any) -> None:
    own = engine()
    own.plan = lambda: "mine"
    lm = lm_of(own)
    execution = dspy.clients.execution
    passage = execution._select_engine(lm, execution.prepare(lm, "Why?", None, {}), False)[0]
    assert passage is not own
    assert passage.plan() == "mine"


@pytest.mark.parametrize("kind", ["text", "object with a strange usage"])
def test_an_engine_that_answers_something_else_gets_dspys_own_words(
    kind: str, heard: Any, engine: Any, lm_of: Any
) -> None:
    class Strange:
        usage = object()

    own = engine(answer="text" if kind == "text" else Strange())
    with pytest.raises(lm_error("LMError"), match=r"must return dspy.lm15.Response"):
        lm_of(own, num_retries=0)("Why?")
    assert heard.log == ["before", "after"]
