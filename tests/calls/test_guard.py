"""The guard: nothing leaves, whichever way the program calls, and the error gets past DSPy."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest

from dspy_profiles import profile
from dspy_profiles.calls import Guard, Meter, Refused, refusal_in
from dspy_profiles.errors import LiveCallBlocked


@pytest.fixture
def meter(stand: Any) -> Meter:
    """Stands with a guard behind it."""
    made = Meter()
    stand(made, Guard("this test", "--dspy-live block", "use a mock"))
    return made


@pytest.fixture
def ask(openai: Any) -> Any:
    """A program on an LM whose calls would reach the server."""
    dspy.configure(lm=openai(num_retries=0))
    return dspy.Predict("question -> answer")


EXAMPLES = [dspy.Example(question=f"{n}", answer="x").with_inputs("question") for n in range(6)]


def evaluate(program: Any) -> Any:
    return dspy.Evaluate(
        devset=EXAMPLES, metric=lambda *_: 1.0, num_threads=2, max_errors=99, display_progress=False
    )(program)


def in_a_thread(call: Callable[[], Any]) -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is raised again, elsewhere
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    raise raised[0]


def in_a_pool(call: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


async def in_an_executor(program: Any) -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, lambda: program(question="Why?"))


async def in_a_group(program: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(program.acall(question="Why?"))


def best_of(kind: Any) -> Callable[[Any], Any]:
    return lambda program: kind(
        module=program, N=3, reward_fn=lambda *_: 1.0, threshold=1.0, fail_count=3
    )(question="Why?")


def react(_: Any) -> Any:
    return dspy.ReAct("question -> answer", tools=[lambda city: city], max_iters=2)(question="Why?")


WAYS: dict[str, Callable[[Any], Any]] = {
    "sync": lambda program: program(question="Why?"),
    "async": lambda program: asyncio.run(program.acall(question="Why?")),
    "bare thread": lambda program: in_a_thread(lambda: program(question="Why?")),
    "pool": lambda program: in_a_pool(lambda: program(question="Why?")),
    "run_in_executor": lambda program: asyncio.run(in_an_executor(program)),
    "asyncify": lambda program: asyncio.run(dspy.asyncify(program)(question="Why?")),
    "Parallel": lambda program: dspy.Parallel(
        num_threads=2, max_errors=99, disable_progress_bar=True
    )([(program, example) for example in EXAMPLES]),
    "batch": lambda program: program.batch(
        EXAMPLES, num_threads=2, max_errors=99, disable_progress_bar=True
    ),
    "Evaluate": evaluate,
    "BestOfN": best_of(dspy.BestOfN),
    "Refine": best_of(dspy.Refine),
    "ReAct": react,
    "ChainOfThought": lambda _: dspy.ChainOfThought("question -> answer")(question="Why?"),
    "TaskGroup": lambda program: asyncio.run(in_a_group(program)),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_leaves_and_the_error_gets_through(
    way: str, meter: Meter, ask: Any, server: Any
) -> None:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - a group of them, in one case
        WAYS[way](ask)
    held = refusal_in(raised.value)
    assert held is not None
    assert isinstance(held.error, LiveCallBlocked)
    assert server.asked == []
    assert held.error in meter.errors
    assert not meter.so_far


async def all_chunks(program: Any) -> list[Any]:
    return [each async for each in dspy.streamify(program)(question="Why?")]


def test_a_stream_is_held_back(meter: Meter, ask: Any, server: Any) -> None:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - a group of them
        asyncio.run(all_chunks(ask))
    assert refusal_in(raised.value) is not None
    assert server.asked == []


def test_where_a_program_gathers_errors_the_meter_knows_all_the_same(
    meter: Meter, ask: Any, server: Any
) -> None:
    async def main() -> Sequence[Any]:
        return await asyncio.gather(
            ask.acall(question="Why?"), ask.acall(question="When?"), return_exceptions=True
        )

    found = asyncio.run(main())
    assert [type(each) for each in found] == [Refused, Refused]
    assert {*map(id, meter.errors)} == {id(each.error) for each in found}
    assert server.asked == []


def test_an_lm_of_the_programs_own_is_held_back_as_well(
    meter: Meter, openai: Any, server: Any
) -> None:
    program = dspy.Predict("question -> answer")
    program.set_lm(openai())
    with profile("mock"), pytest.raises(Refused):
        program(question="Why?")
    assert server.asked == []


def test_it_says_who_would_have_called_what_and_what_to_do(meter: Meter, ask: Any) -> None:
    with pytest.raises(Refused) as raised:
        ask(question="Why?")
    error = raised.value.error
    assert error.message == (
        "blocked a live call to openai/gpt-4o-mini in this test (--dspy-live block)"
    )
    assert error.hint == "use a mock"
    assert str(error.where).startswith(f"{__file__}:")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_no_embedder_is_asked(
    asynchronous: Any, meter: Meter, server: Any, without_numpy: None
) -> None:
    embedder = dspy.Embedder(
        "openai/text-embedding-3-small", api_base=f"{server.url}/v1", api_key="x"
    )
    with pytest.raises(
        Refused, match="a live call to the embedder openai/text-embedding-3-small in"
    ):
        asyncio.run(embedder.acall("a")) if asynchronous else embedder("a")
    assert server.asked == []
    assert len(meter.errors) == 1


@pytest.mark.parametrize("post", [False, True], ids=["get", "post"])
def test_no_retriever_is_asked(post: Any, meter: Meter, server: Any) -> None:
    with pytest.raises(Refused, match=f"blocked a live call to the retriever {server.url}"):
        dspy.ColBERTv2(url=server.url, post_requests=post)("q")
    assert server.asked == []
    assert len(meter.errors) == 1


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_an_lm_with_a_forward_of_its_own_never_runs_it(meter: Meter) -> None:
    ran: list[bool] = []

    class Own(dspy.BaseLM):  # type: ignore[misc]
        def forward(self, prompt: Any = None, messages: Any = None, **more: Any) -> Any:
            ran.append(True)

    with pytest.raises(Refused):
        Own("own")("Why?")
    assert ran == []


def test_who_asks_nobody_goes_on(
    meter: Meter, engine: Any, lm_of: Any, without_numpy: None
) -> None:
    with profile("mock"):
        dspy.Predict("question -> answer")(question="Why?")
    dspy.utils.DummyLM([{"answer": "1"}])("Why?")
    offline = lm_of(engine(offline=True))
    offline("Why?")
    asyncio.run(offline.acall("Why?"))  # its asynchronous side says nothing of itself
    dspy.Embedder(lambda texts: [[1] for _ in texts], caching=False)("a")
    assert meter.so_far.calls == 4
    assert meter.errors == []


@pytest.mark.parametrize("said", ["yes", 1, None, object()])
def test_only_true_says_that_an_engine_asks_nobody(
    said: Any, meter: Meter, engine: Any, lm_of: Any
) -> None:
    own = engine(offline=said)
    with pytest.raises(Refused):
        lm_of(own)("Why?")
    assert own.made == 0


def test_what_is_in_dspys_cache_may_be_read(meter: Meter, stand: Any, openai: Any) -> None:
    lm = openai(cache=True)
    stand()
    answer = lm("Why?")
    stand(meter, Guard("this test", "--dspy-live block", "use a mock"))
    assert lm("Why?") == answer
    assert (meter.so_far.calls, meter.so_far.cached) == (0, 1)
    assert meter.errors == []
