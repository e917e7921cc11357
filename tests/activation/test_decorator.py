import asyncio
import contextvars
import functools
import gc
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import dspy
import pytest

from dspy_profiles import ProfileError, bind, current_profile, profile, with_profile


def active() -> str | None:
    found = current_profile()
    return found.name if found else None


@with_profile("mock")
def function(a: int, *, b: str = "x") -> tuple[int, str, str | None]:
    """Says what it does."""
    return a, b, active()


@with_profile("mock")
async def coroutine(a: int) -> tuple[int, str | None]:
    await asyncio.sleep(0)
    return a, active()


@with_profile("mock")
def generator(n: int) -> Iterator[str | None]:
    for _ in range(n):
        got = yield active()
        if got is not None:
            yield got
    return "done"  # type: ignore[return-value]


@with_profile("mock")
async def stream(n: int) -> AsyncGenerator[str | None, None]:
    for _ in range(n):
        await asyncio.sleep(0)
        yield active()


def test_a_function_keeps_its_name_signature_and_docstring() -> None:
    assert function(1, b="y") == (1, "y", "mock")
    assert function.__name__ == "function"
    assert function.__doc__ == "Says what it does."
    assert list(inspect.signature(function).parameters) == ["a", "b"]
    assert active() is None


def test_tools_still_see_which_kind_of_function_it_is() -> None:
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(stream)


def test_a_coroutine_runs_under_the_profile() -> None:
    assert asyncio.run(coroutine(1)) == (1, "mock")


def test_the_one_who_iterates_never_sees_a_generators_profile() -> None:
    seen = [(inside, active()) for inside in generator(3)]
    assert seen == [("mock", None)] * 3


def test_a_generator_takes_what_is_sent_thrown_and_returned() -> None:
    @with_profile("mock")
    def talk() -> Any:
        try:
            got = yield "first"
            yield got
        except KeyError as error:
            yield f"caught {error}"
        return "returned"

    steps = talk()
    assert next(steps) == "first"
    assert steps.send("echo") == "echo"
    assert steps.throw(KeyError("k")) == "caught 'k'"
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "returned"


def test_a_generator_that_is_broken_out_of_cleans_up_and_leaks_nothing() -> None:
    closed = []

    @with_profile("mock")
    def steps() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(active())

    for n in steps():
        if n == 2:
            break
    gc.collect()
    assert closed == ["mock"]
    assert active() is None


def test_a_generator_may_open_a_context_between_its_steps() -> None:
    @with_profile("mock")
    def steps() -> Iterator[int]:
        with dspy.context(num_threads=1):
            yield dspy.settings.num_threads
            yield dspy.settings.num_threads
        yield dspy.settings.num_threads

    found = [(inside, dspy.settings.num_threads) for inside in steps()]
    assert found == [(1, 8), (1, 8), (8, 8)]


def test_each_step_of_a_generator_may_come_from_another_thread() -> None:
    @with_profile("mock")
    def steps() -> Iterator[str | None]:
        with dspy.context(num_threads=1):
            yield active()
            yield active()

    iterator, found = steps(), []

    def step() -> None:
        found.append(next(iterator, "end"))

    for _ in range(3):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(step,))
        thread.start()
        thread.join()
    assert found == ["mock", "mock", "end"]


def test_two_generators_interleaved_keep_to_themselves() -> None:
    @with_profile("mock", lm={"model": "other"})
    def other() -> Iterator[str]:
        while True:
            yield dspy.settings.lm.model

    @with_profile("mock")
    def mine() -> Iterator[str]:
        for model in other():
            yield f"{dspy.settings.lm.model} {model}"

    one, two = mine(), mine()
    assert [next(g) for g in (one, two, one, two)] == ["mock other"] * 4
    assert dspy.settings.lm is None


def test_the_one_who_iterates_never_sees_an_async_generators_profile() -> None:
    async def main() -> list[tuple[str | None, str | None]]:
        return [(inside, active()) async for inside in stream(3)]

    assert asyncio.run(main()) == [("mock", None)] * 3


def test_an_async_generator_broken_out_of_leaks_nothing() -> None:
    closed = []

    @with_profile("mock")
    async def steps() -> AsyncIterator[int]:
        try:
            for n in range(10):
                with dspy.context(num_threads=1):
                    await asyncio.sleep(0)
                    yield n
        finally:
            await asyncio.sleep(0)
            closed.append(active())

    async def main() -> None:
        async for n in steps():
            if n == 1:
                break
        assert active() is None
        gc.collect()
        for _ in range(5):  # the event loop closes it in a task of its own
            await asyncio.sleep(0)

    asyncio.run(main())
    assert closed == ["mock"]


def test_an_async_generator_stepped_and_closed_in_other_tasks_leaks_nothing() -> None:
    async def main() -> None:
        steps = stream(5)
        for _ in range(2):
            assert await asyncio.create_task(anext(steps)) == "mock"
            assert active() is None
        with profile("mock", lm={"model": "callers"}):
            assert await anext(steps) == "mock"
            assert dspy.settings.lm.model == "callers"
        await asyncio.create_task(steps.aclose())
        assert active() is None

    asyncio.run(main())


def test_cancelling_reaches_the_inside_of_an_async_generator() -> None:
    seen = []

    @with_profile("mock")
    async def steps() -> AsyncIterator[int]:
        try:
            yield 0
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(active())
            raise

    async def main() -> None:
        async def consume() -> None:
            async for _ in steps():
                started.set()

        started = asyncio.Event()
        task = asyncio.create_task(consume())
        await started.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["mock"]


def test_asend_and_athrow_reach_an_async_generator() -> None:
    @with_profile("mock")
    async def talk() -> Any:
        try:
            got = yield "first"
            yield got
        except KeyError:
            yield "caught"

    async def main() -> None:
        steps = talk()
        assert await anext(steps) == "first"
        assert await steps.asend("echo") == "echo"
        assert await steps.athrow(KeyError()) == "caught"
        with pytest.raises(StopAsyncIteration):
            await anext(steps)

    asyncio.run(main())


class Service:
    @with_profile("mock")
    def method(self) -> tuple[object, str | None]:
        return self, active()

    @with_profile("mock")
    @classmethod
    def outer_class(cls) -> tuple[object, str | None]:
        return cls, active()

    @classmethod
    @with_profile("mock")
    def inner_class(cls) -> tuple[object, str | None]:
        return cls, active()

    @with_profile("mock")
    @staticmethod
    def outer_static(a: int) -> tuple[object, str | None]:
        return a, active()

    @staticmethod
    @with_profile("mock")
    def inner_static(a: int) -> tuple[object, str | None]:
        return a, active()


def test_methods_of_every_kind_run_under_the_profile() -> None:
    service = Service()
    assert service.method() == (service, "mock")
    assert service.outer_class() == service.inner_class() == (Service, "mock")
    assert service.outer_static(1) == Service.inner_static(1) == (1, "mock")


def test_a_partial_and_a_callable_object_can_be_decorated() -> None:
    class Callee:
        def __call__(self, a: int) -> tuple[int, str | None]:
            return a, active()

    assert with_profile("mock")(functools.partial(function, 1))() == (1, "x", "mock")
    assert with_profile("mock")(Callee())(1) == (1, "mock")


@with_profile("mock", settings={"track_usage": True})
class Program(dspy.Module):  # type: ignore[misc]
    """A program."""

    def __init__(self) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        assert active() == "mock"
        return self.predict(question=question)

    async def aforward(self, question: str) -> Any:
        assert active() == "mock"
        return await self.predict.acall(question=question)


def test_a_module_class_stays_the_class_and_its_calls_run_under_the_profile() -> None:
    program = Program()
    said = program(question="Why?")
    assert said.answer
    assert said.get_lm_usage()  # tracking begins at the call, and the profile turned it on
    assert asyncio.run(program.acall(question="Why?")).answer == said.answer
    assert (Program.__name__, Program.__doc__) == ("Program", "A program.")
    assert [name for name, _ in program.named_predictors()] == ["predict"]
    assert active() is None


def test_a_module_saved_and_batched_still_works() -> None:
    examples = [dspy.Example(question=str(n)).with_inputs("question") for n in range(4)]
    found = Program().batch(examples, num_threads=2, disable_progress_bar=True)
    assert len({p.answer for p in found}) == 4


def test_other_classes_are_refused_with_a_word_of_advice() -> None:
    with pytest.raises(ProfileError, match="decorate the methods"):
        with_profile("mock")(Service)
    with pytest.raises(ProfileError, match="cannot decorate"):
        with_profile("mock")(3)  # type: ignore[type-var]


def test_without_parentheses_and_without_a_name_the_default_applies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DSPY_PROFILE", "mock")
    bare: Callable[[], str | None] = with_profile(active)
    assert bare() == with_profile()(active)() == "mock"


def test_a_name_is_looked_up_at_the_call_not_at_the_decoration(
    write: Callable[..., Any], project: Any
) -> None:
    late = with_profile("late")(active)
    with pytest.raises(ProfileError, match='profile "late" not found'):
        late()
    write(project / "profiles.toml", '[late.provider]\nclass = "mock"\n')
    assert late() == "late"


def test_objects_whose_call_is_of_another_kind_run_under_the_profile() -> None:
    class Coroutine:
        async def __call__(self) -> str | None:
            await asyncio.sleep(0)
            return active()

    class Steps:
        def __call__(self) -> Iterator[str | None]:
            yield active()

    class Stream:
        async def __call__(self) -> AsyncIterator[str | None]:
            yield active()

    async def streamed() -> list[str | None]:
        return [inside async for inside in with_profile("mock")(Stream())()]

    assert asyncio.run(with_profile("mock")(Coroutine())()) == "mock"
    assert asyncio.run(with_profile("mock")(functools.partial(Coroutine()))()) == "mock"
    assert list(with_profile("mock")(Steps())()) == ["mock"]
    assert asyncio.run(streamed()) == ["mock"]


def test_generators_can_be_bound() -> None:
    def steps() -> Iterator[str | None]:
        yield active()
        yield active()

    async def stream() -> AsyncIterator[str | None]:
        yield active()

    async def streamed() -> list[str | None]:
        return [inside async for inside in bound_stream()]

    with profile("mock"):
        bound, bound_stream = bind(steps), bind(stream)
    assert [(inside, active()) for inside in bound()] == [("mock", None)] * 2
    assert asyncio.run(streamed()) == ["mock"]


def test_a_subclass_that_is_decorated_runs_under_its_own_profile() -> None:
    @with_profile("mock", lm={"model": "parents"})
    class Parent(dspy.Module):  # type: ignore[misc]
        def forward(self) -> str:
            return str(dspy.settings.lm.model)

    @with_profile("mock", lm={"model": "childs"})
    class Child(Parent):
        pass

    assert (Parent()(), Child()()) == ("parents", "childs")
