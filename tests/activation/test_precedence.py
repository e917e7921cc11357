"""The four levels against each other: context, block, dspy.configure, default profile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest

from dspy_profiles import (
    ProfileError,
    configure,
    current_profile,
    lm,
    plugins,
    profile,
    with_profile,
)
from dspy_profiles.errors import ProviderError

PROFILES = """
[block.settings]
num_threads = 2

[default.settings]
num_threads = 4
max_errors = 44
"""


@pytest.fixture(autouse=True)
def profiles(write: Callable[..., Any], project: Any) -> None:
    write(project / "profiles.toml", PROFILES)


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], None]], None]:
    """Runs a body plainly, or in a task of an event loop that other tasks use as well."""
    if request.param == "sync":
        return lambda body: body()

    async def among_others(body: Callable[[], None]) -> None:
        async def busy() -> None:
            for _ in range(10):
                with profile("mock"):
                    await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(busy())
            await asyncio.sleep(0)
            body()

    return lambda body: asyncio.run(among_others(body))


def threads() -> int:
    value: int = dspy.settings.num_threads
    return value


def test_a_context_wins_over_the_block_around_it(run: Any) -> None:
    def body() -> None:
        with profile("block"):
            with dspy.context(num_threads=1):
                assert threads() == 1
            assert threads() == 2
        assert threads() == 8

    run(body)


def test_a_block_inside_of_a_context_is_the_inner_one(run: Any) -> None:
    def body() -> None:
        with dspy.context(num_threads=1):
            with profile("block"):
                assert threads() == 2
            assert threads() == 1
        assert threads() == 8

    run(body)


def test_a_context_wins_over_configure_before_and_inside(run: Any) -> None:
    def body() -> None:
        dspy.configure(num_threads=3)
        with dspy.context(num_threads=1):
            dspy.configure(num_threads=33)
            assert threads() == 1
        assert threads() == 33

    run(body)


def test_a_context_wins_over_the_default_profile(run: Any) -> None:
    def body() -> None:
        configure()
        with dspy.context(num_threads=1):
            assert threads() == 1
        assert threads() == 4

    run(body)


def test_a_block_wins_over_configure_before_inside_and_after(run: Any) -> None:
    def body() -> None:
        dspy.configure(num_threads=3)
        with profile("block"):
            assert threads() == 2
            dspy.configure(num_threads=33)
            assert threads() == 2
        assert threads() == 33
        dspy.configure(num_threads=333)
        with profile("block"):
            assert threads() == 2

    run(body)


def test_a_block_wins_over_the_default_profile(run: Any) -> None:
    def body() -> None:
        configure()
        with profile("block"):
            assert threads() == 2
            configure()
            assert threads() == 2
        assert threads() == 4

    run(body)


def test_configure_wins_over_the_default_profile_that_comes_later(run: Any) -> None:
    def body() -> None:
        dspy.configure(num_threads=3)
        configure()
        assert threads() == 3
        assert dspy.settings.max_errors == 44  # nobody had touched that one

    run(body)


def test_configure_wins_over_the_default_profile_that_came_before(run: Any) -> None:
    def body() -> None:
        configure()
        assert threads() == 4
        dspy.configure(num_threads=3)
        assert threads() == 3

    run(body)


def test_a_named_profile_is_configured_at_the_level_of_configure(run: Any) -> None:
    def body() -> None:
        dspy.configure(num_threads=3)
        configure("block")
        assert threads() == 2  # the later statement wins
        dspy.configure(num_threads=3)
        assert threads() == 3

    run(body)


def test_dspy_profile_is_configured_at_that_level_too(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPY_PROFILE", "block")

    def body() -> None:
        dspy.configure(num_threads=3)
        configure()
        assert threads() == 2

    run(body)


def test_a_block_leaves_alone_what_it_does_not_set(run: Any) -> None:
    def body() -> None:
        dspy.configure(max_errors=5)
        with profile("block"):
            assert dspy.settings.max_errors == 5
            dspy.configure(max_errors=6)
            assert dspy.settings.max_errors == 6
            with dspy.context(max_errors=7):
                assert (dspy.settings.max_errors, threads()) == (7, 2)
        assert dspy.settings.max_errors == 6

    run(body)


def test_a_block_in_a_block_adds_its_keys_to_the_outer_ones(run: Any) -> None:
    def body() -> None:
        with profile("default"), profile("block"):
            assert (threads(), dspy.settings.max_errors) == (2, 44)

    run(body)


def test_a_configured_lm_serves_a_block_that_sets_none(run: Any) -> None:
    def body() -> None:
        lm = dspy.LM("openai/mine")
        with profile("block"):
            dspy.configure(lm=lm)
            assert dspy.settings.lm is lm

    run(body)


def test_leaving_puts_everything_back_after_an_exception_too(run: Any) -> None:
    def body() -> None:
        before = dict(dspy.settings.config)
        with pytest.raises(ZeroDivisionError), profile("block"):
            _ = 1 / 0
        assert dict(dspy.settings.config) == before
        assert current_profile() is None

    run(body)


def test_a_decorated_function_is_a_block(run: Any) -> None:
    @with_profile("block")
    def inside() -> tuple[int, str]:
        active = current_profile()
        assert active is not None
        return threads(), active.name

    def body() -> None:
        dspy.configure(num_threads=3)
        assert inside() == (2, "block")
        with dspy.context(num_threads=1):
            assert inside() == (2, "block")
            assert threads() == 1
        assert threads() == 3

    run(body)


def test_overrides_win_over_the_profile_they_come_with(run: Any) -> None:
    def body() -> None:
        with profile("block", settings={"num_threads": 9, "max_errors": 1}) as p:
            assert (threads(), dspy.settings.max_errors) == (9, 1)
            assert p.origin("settings.num_threads").layer == "override"
        with profile("block"):
            assert threads() == 2

    run(body)


class Listener(dspy.utils.callback.BaseCallback):  # type: ignore[misc]
    pass


def test_callbacks_add_up_and_go_again(run: Any) -> None:
    def body() -> None:
        mine, blocks, contexts = Listener(), Listener(), Listener()
        dspy.configure(callbacks=[mine])
        with profile("block", settings={"callbacks": [blocks]}):
            assert dspy.settings.callbacks == [mine, blocks]
            with profile("block", settings={"callbacks": [blocks]}):
                assert dspy.settings.callbacks == [mine, blocks]
        assert dspy.settings.callbacks == [mine]
        with dspy.context(callbacks=[contexts]), profile("mock", settings={"callbacks": [blocks]}):
            assert dspy.settings.callbacks == [contexts, blocks]

    run(body)


def test_callbacks_of_a_configured_profile_add_up_until_it_is_restored() -> None:
    mine, profiles = Listener(), Listener()
    dspy.configure(callbacks=[mine])
    handle = configure("block", settings={"callbacks": [profiles, mine]})
    assert dspy.settings.callbacks == [mine, profiles]
    handle.restore()
    assert dspy.settings.callbacks == [mine]


def test_profile_never_calls_configure_and_so_works_in_any_thread_and_task() -> None:
    dspy.configure(num_threads=3)  # this thread owns the settings now

    async def other_task() -> int:
        with profile("block"):
            return threads()

    async def main() -> list[int]:
        inner = await asyncio.gather(*(asyncio.create_task(other_task()) for _ in range(5)))
        return [*inner, await asyncio.to_thread(asyncio.run, other_task())]

    assert asyncio.run(main()) == [2] * 6


def test_restore_puts_back_what_configure_displaced() -> None:
    lm = dspy.LM("openai/mine")
    dspy.configure(lm=lm, num_threads=3)
    before = dict(dspy.settings.config)

    handle = configure("mock", settings={"num_threads": 5})
    assert dspy.settings.lm is not lm
    handle.restore()

    assert dict(dspy.settings.config) == before
    handle.restore()  # a second time does nothing
    assert dspy.settings.lm is lm


def test_restore_keeps_what_was_configured_since() -> None:
    handle = configure("block", settings={"max_errors": 5})
    dspy.configure(num_threads=77)
    handle.restore()
    assert (threads(), dspy.settings.max_errors) == (77, 10)


def test_the_current_profile_is_the_innermost_one() -> None:
    configure("block")
    assert current_profile().name == "block"  # type: ignore[union-attr]
    with profile("mock") as p:
        assert current_profile() is p
        with dspy.context(num_threads=1):
            assert current_profile() is p
    assert current_profile().name == "block"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("overrides", "advice"),
    [
        ({"temperature": 0}, 'lm={"temperature"'),
        ({"lm": "openai/x"}, "write lm={…}"),
        ({"lm": dspy.LM("openai/x")}, "dspy.context(lm=…)"),
        ({"setings": {}}, 'did you mean "settings"'),
        ({"extends": "p"}, "set it in a profiles file"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_overrides_that_are_no_sections_are_refused_at_once(overrides: Any, advice: str) -> None:
    for refuse in (profile, with_profile):
        with pytest.raises(ProfileError) as error:
            refuse("block", **overrides)
        assert advice in str(error.value).replace("'", '"')


@pytest.mark.parametrize("name", [3, ["block"], None.__class__])
def test_a_name_that_is_no_string_is_refused_in_words(name: Any) -> None:
    with pytest.raises(ProfileError, match="must be a string"), profile(name):
        pass


def test_lm_takes_arguments_and_says_so_when_it_is_given_sections() -> None:
    with pytest.raises(ProfileError, match="not the section lm"):
        lm("block", lm={"temperature": 0})


def test_the_default_profile_fills_its_own_values_anew(write: Any, project: Any) -> None:
    configure()
    write(project / "profiles.toml", PROFILES.replace("= 44", "= 55"))
    configure()
    assert dspy.settings.max_errors == 55


def test_the_default_profile_leaves_a_configured_one_the_active_one() -> None:
    configure("block")
    configure()
    assert current_profile().name == "block"  # type: ignore[union-attr]


def test_a_default_profile_with_nothing_to_fill_changes_nothing() -> None:
    configure("mock")
    dspy.configure(num_threads=3, max_errors=5)
    before = dict(dspy.settings.config)
    handle = configure()
    assert dict(dspy.settings.config) == before
    handle.restore()
    assert dict(dspy.settings.config) == before


def test_handles_restored_in_the_order_of_their_making_leave_nothing() -> None:
    before = dict(dspy.settings.config)
    first = configure("mock", settings={"num_threads": 4})
    second = configure("mock", lm={"model": "second"}, settings={"num_threads": 4})
    first.restore()
    assert dspy.settings.lm.model == "second"
    assert threads() == 4
    second.restore()
    assert dict(dspy.settings.config) == before


def test_a_restore_that_fails_in_another_thread_can_be_done_in_the_right_one() -> None:
    handle = configure("mock")
    with ThreadPoolExecutor(1) as pool, pytest.raises(ProfileError, match="with profile"):
        pool.submit(handle.restore).result()
    assert dspy.settings.lm.model == "mock"
    handle.restore()
    assert dspy.settings.lm is None


def test_a_listener_that_fails_leaves_no_profile_behind() -> None:
    class Failing:
        @plugins.hookimpl
        def dspy_profiles_activated(self, profile: Any) -> None:
            raise ZeroDivisionError

    plugin = Failing()
    plugins.manager().register(plugin)
    try:
        with pytest.raises(ProviderError, match='"Failing" failed in'), profile("block"):
            pass
        assert threads() == 8
    finally:
        plugins.manager().unregister(plugin)
