"""Many threads and tasks, each under a profile of its own: nobody sees another's LM."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import dspy
import pytest

from dspy_profiles import bind, current_profile, profile, with_profile

NAMES = [f"p{n}" for n in range(10)]


@pytest.fixture(autouse=True)
def profiles(write: Callable[..., Any], project: Any) -> None:
    text = "".join(
        f'[{name}.provider]\nclass = "mock"\nanswers = {{ answer = "{name}" }}\n'
        f'[{name}.lm]\nmodel = "{name}"\n[{name}.settings]\nnum_threads = 8\n'
        for name in NAMES
    )
    write(project / "profiles.toml", text)


def seen() -> tuple[str, str]:
    """The LM and the profile in force here."""
    active = current_profile()
    return dspy.settings.lm.model, active.name if active else "none"


def answer(question: str = "?") -> str:
    text: str = dspy.Predict("question -> answer")(question=question).answer
    return text


def test_32_threads_interleaved() -> None:
    start = threading.Barrier(32)

    def work(n: int) -> list[tuple[str, str]]:
        start.wait()
        found = []
        for turn in range(20):
            name = NAMES[(n + turn) % 10]
            with profile(name):
                assert seen() == (name, name)
                with profile(NAMES[turn % 10]):
                    assert seen() == (NAMES[turn % 10],) * 2
                found.append((name, answer(f"{n} {turn}")))
        return found

    with ThreadPoolExecutor(32) as pool:
        for pairs in pool.map(work, range(32)):
            assert all(name == said for name, said in pairs)
    assert dspy.settings.lm is None


def test_200_tasks_interleaved() -> None:
    async def work(n: int) -> None:
        name = NAMES[n % 10]
        with profile(name):
            for _ in range(5):
                await asyncio.sleep(0)
                assert seen() == (name, name)
            said = await dspy.Predict("question -> answer").acall(question=str(n))
            assert said.answer == name
            child = asyncio.create_task(asyncio.to_thread(seen))
        assert await child == (name, name)

    async def main() -> None:
        await asyncio.gather(*(work(n) for n in range(200)))
        assert dspy.settings.lm is None

    asyncio.run(main())


def test_parallel_asyncify_and_evaluate_carry_the_profile_into_their_threads() -> None:
    class Program(dspy.Module):  # type: ignore[misc]
        def forward(self, question: str) -> Any:
            assert seen() == (question, question)
            return dspy.Prediction(answer=answer(question))

    def parallel(name: str) -> list[str]:
        with profile(name):
            jobs = [(Program(), {"question": name})] * 8
            run = dspy.Parallel(num_threads=4, disable_progress_bar=True)
            return [p.answer for p in run(jobs)]

    def evaluate(name: str) -> float:
        examples = [dspy.Example(question=name, answer=name).with_inputs("question")] * 16
        with profile(name):
            score: float = dspy.Evaluate(
                devset=examples,
                metric=lambda example, p, _trace=None: example.answer == p.answer,
                num_threads=8,
                display_progress=False,
            )(Program()).score
            return score

    async def asyncified(name: str) -> str:
        with profile(name):
            said: Any = await dspy.asyncify(Program())(question=name)
            return str(said.answer)

    async def all_asyncified() -> list[str]:
        return await asyncio.gather(*map(asyncified, NAMES))

    assert asyncio.run(all_asyncified()) == NAMES
    for name in NAMES[:3]:
        assert parallel(name) == [name] * 8
        assert evaluate(name) == 100.0
    assert dspy.settings.lm is None


def test_parallel_from_several_threads_at_once() -> None:
    def work(name: str) -> list[str]:
        with profile(name):
            run = dspy.Parallel(num_threads=4, disable_progress_bar=True)
            return [
                p.answer for p in run([(dspy.Predict("question -> answer"), {"question": "?"})] * 6)
            ]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, NAMES)) == [[name] * 6 for name in NAMES]


def test_a_bare_thread_sees_the_profile_only_when_it_is_bound() -> None:
    found: dict[str, object] = {}

    def look(key: str) -> None:
        found[key] = dspy.settings.lm and dspy.settings.lm.model

    with profile("p3"):
        bare = threading.Thread(target=look, args=("bare",))
        bound = threading.Thread(target=bind(look), args=("bound",))
    for thread in (bare, bound):
        thread.start()
        thread.join()
    assert found == {"bare": None, "bound": "p3"}


def test_one_bound_function_runs_in_many_threads_at_once() -> None:
    with profile("p4"):
        bound = bind(answer)
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(bound, map(str, range(64)))) == {"p4"}


def test_a_bound_coroutine_function_runs_under_the_profile_in_another_loop() -> None:
    async def ask() -> tuple[str, str]:
        await asyncio.sleep(0)
        return seen()

    with profile("p5"):
        bound = bind(ask)
    assert asyncio.run(bound()) == ("p5", "p5")


def test_one_profile_object_serves_several_threads() -> None:
    shared = profile("p6")
    inside, leave = threading.Barrier(2), threading.Barrier(2)
    found: list[object] = []

    def work() -> None:
        with shared:
            inside.wait()
            found.append(seen())
            leave.wait()
        found.append(dspy.settings.lm)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == sorted([("p6", "p6")] * 2 + [None] * 2, key=str)


def test_a_task_that_outlives_the_block_keeps_its_profile() -> None:
    async def later(go: asyncio.Event) -> tuple[str, str]:
        await go.wait()
        return seen()

    async def main() -> tuple[str, str]:
        go = asyncio.Event()
        with profile("p7"):
            task = asyncio.create_task(later(go))
        assert dspy.settings.lm is None
        go.set()
        return await task

    assert asyncio.run(main()) == ("p7", "p7")


def test_blocks_that_end_out_of_order_leave_nothing_behind() -> None:
    first, second = profile("p1"), profile("p2")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert seen() == ("p2", "p2")
    second.__exit__(None, None, None)
    assert dspy.settings.lm is None
    assert current_profile() is None


def test_a_block_that_is_left_in_a_copy_of_its_context_is_over_in_both() -> None:
    def body() -> None:
        block = profile("p1")
        block.__enter__()
        copy = copy_context()
        copy.run(block.__exit__, None, None, None)
        assert copy.run(current_profile) is None
        assert copy.run(lambda: dspy.settings.lm) is None
        assert current_profile() is None
        assert dspy.settings.lm is None

    copy_context().run(body)


@pytest.mark.parametrize("decorated", [True, False])
def test_a_coroutine_that_is_dropped_half_way_leaves_nothing(decorated: bool) -> None:
    async def inside() -> None:
        if decorated:
            await asyncio.sleep(0)
            return
        with profile("p1"):
            await asyncio.sleep(0)

    coroutine = (with_profile("p1")(inside) if decorated else inside)()
    coroutine.send(None)
    coroutine.close()
    assert dspy.settings.lm is None
