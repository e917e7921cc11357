"""Stages stand for all threads, or are laid over what stands; they come and go without a trace."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dspy
import pytest

from dspy_profiles import _dspy, current_profile, profile
from dspy_profiles.activation import CACHE, set_process_stages, stages_for_block
from dspy_profiles.activation import _session as session
from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls import STAGES, Stage


@pytest.fixture(autouse=True)
def nothing_stands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # prices come with DSPy
    yield
    set_process_stages(())


@pytest.fixture
def pin() -> Iterator[Callable[..., session.Pin]]:
    pins: list[session.Pin] = []

    def pin(**overrides: Any) -> session.Pin:
        pins.append(session.pin_session(CACHE.get("mock", overrides), lambda *_: None))
        return pins[-1]

    yield pin
    for made in pins:
        made.release()


def standing() -> tuple[Stage, ...]:
    return tuple(dspy.settings.get(STAGES, ()))


def in_a_thread(see: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(see()))
    thread.start()
    thread.join()
    return found[0]


def test_those_that_stand_are_seen_by_every_thread() -> None:
    stage = Stage()
    set_process_stages([stage])
    assert in_a_thread(standing) == standing() == (stage,)


def test_what_stood_before_comes_back() -> None:
    first, second = Stage(), Stage()
    assert tuple(set_process_stages([first])) == ()
    assert tuple(set_process_stages([second])) == (first,)
    assert tuple(set_process_stages(())) == (second,)
    assert STAGES not in dspy.settings
    assert tuple(set_process_stages(())) == ()


def test_they_are_asked_by_rank_and_equals_as_they_were_given() -> None:
    class Late(Stage):
        rank = 20

    class Middle(Stage):
        rank = 10

    late, one, middle, other = Late(), Stage(), Middle(), Stage()
    set_process_stages([late, one, middle, other])
    assert standing() == (one, other, middle, late)
    with stages_for_block([middle, late, other]):
        assert standing() == (other, middle, late)


def test_those_that_are_laid_hold_here_and_those_that_stand_elsewhere() -> None:
    outer, inner = Stage(), Stage()
    set_process_stages([outer])
    with stages_for_block([inner]):
        assert standing() == (inner,)
        assert in_a_thread(standing) == (outer,)
    assert standing() == (outer,)


def test_none_may_be_laid_over_some() -> None:
    set_process_stages([Stage()])
    with stages_for_block(()):
        assert standing() == ()


def test_an_error_takes_them_away_as_well() -> None:
    with pytest.raises(KeyError), stages_for_block([Stage()]):
        raise KeyError
    assert STAGES not in dspy.settings


def test_they_follow_into_the_threads_of_dspy_and_into_tasks() -> None:
    stage = Stage()

    class Sees(dspy.Module):  # type: ignore[misc]
        def forward(self, n: int) -> Any:
            return standing()

    async def main() -> Any:
        return await asyncio.create_task(dspy.asyncify(Sees())(n=1))

    with stages_for_block([stage]):
        examples = [dspy.Example(n=n).with_inputs("n") for n in range(3)]
        found = dspy.Parallel(num_threads=2, disable_progress_bar=True)(
            [(Sees(), example) for example in examples]
        )
        assert found == [(stage,)] * 3
        assert asyncio.run(main()) == (stage,)


def test_only_over_others_lays_nothing_where_nothing_was_copied() -> None:
    outer, inner = Stage(), Stage()
    set_process_stages([outer])
    with stages_for_block([inner], only_over_others=True):
        assert standing() == (outer,)
    with dspy.context(num_threads=3), stages_for_block([inner], only_over_others=True):
        assert standing() == (inner,)  # the context had copied the outer one


def test_a_block_inside_keeps_them_and_one_around_them_keeps_its_own() -> None:
    stage = Stage()
    with stages_for_block([stage]), profile("mock"):
        assert standing() == (stage,)
    with profile("mock"):
        with stages_for_block([stage]):
            assert dspy.settings.lm.model == "mock"
        assert standing() == ()
        assert dspy.settings.lm.model == "mock"


def test_what_is_entered_inside_and_left_after_them_stays_as_it_is() -> None:
    variable = _dspy.block_overrides()
    assert variable is not None
    inner = dspy.context(num_threads=3)
    over = stages_for_block([Stage()])
    over.__enter__()
    inner.__enter__()
    over.__exit__(None, None, None)
    assert dspy.settings.num_threads == 3
    inner.__exit__(None, None, None)
    variable.set(type(variable.get())())


def test_they_may_be_left_in_a_copy_of_the_context_that_they_were_entered_in() -> None:
    stage = Stage()

    def here() -> None:
        over = stages_for_block([stage])
        over.__enter__()
        copied = contextvars.copy_context()

        def leave() -> tuple[Stage, ...]:
            over.__exit__(None, None, None)
            return standing()

        assert copied.run(leave) == ()

    contextvars.copy_context().run(here)


def test_calls_pass_them_where_they_are_laid_and_nowhere_else() -> None:
    class Counts(Stage):
        calls = 0

        def before(self, call: Any) -> None:
            self.calls += 1

    stage = Counts()
    program = dspy.Predict("question -> answer")
    with profile("mock"):
        with stages_for_block([stage]):
            program(question="Why?")
        program(question="Why?")
    assert stage.calls == 1


def test_they_stand_beneath_a_pinned_session_too(pin: Any) -> None:
    stage = Stage()
    pin()
    set_process_stages([stage])
    assert standing() == (stage,)
    set_process_stages(())
    assert STAGES not in dspy.settings


def test_a_pin_that_is_changed_inside_a_live_context_is_followed(pin: Any) -> None:
    first = pin(lm={"model": "first"})
    with dspy.context(num_threads=3):
        second = pin(lm={"model": "second"})
        first.release()
        assert dspy.settings.lm.model == "first"  # what the context has copied
        with stages_for_block([Stage()]):
            assert dspy.settings.lm.model == "second"
            assert current_profile() is second.profile
            assert dspy.settings.num_threads == 3
        assert dspy.settings.lm.model == "first"


def test_a_pin_that_goes_before_the_next_one_comes_is_followed_as_well(pin: Any) -> None:
    first = pin(lm={"model": "first"})
    with dspy.context(num_threads=3):
        first.release()
        pin(lm={"model": "second"})
        with stages_for_block([Stage()]):
            assert dspy.settings.lm.model == "second"


def test_a_pin_that_is_made_inside_a_live_context_is_followed(pin: Any) -> None:
    with dspy.context(num_threads=3):
        pin()
        outer: Any = dspy.settings.lm
        assert outer is None
        with stages_for_block([Stage()]):
            assert dspy.settings.lm.model == "mock"


def test_where_a_pin_is_gone_since_what_is_beneath_it_is_followed(pin: Any) -> None:
    outer, inner = pin(), pin(lm={"model": "inner"})
    with dspy.context(max_errors=1):
        inner.release()
        assert dspy.settings.lm.model == "inner"  # what the context has copied
        with stages_for_block([Stage()]):
            assert dspy.settings.lm.model == "mock"
            assert current_profile() is outer.profile


def test_what_is_beneath_the_last_pin_is_followed_too(pin: Any) -> None:
    only = pin()
    with dspy.context(num_threads=3):
        only.release()
        assert dspy.settings.lm.model == "mock"  # what the context has copied
        with stages_for_block([Stage()]):
            assert dspy.settings.lm is None
            assert current_profile() is None
            assert dspy.settings.num_threads == 3


def test_a_block_of_the_profile_that_was_pinned_is_no_copy_of_the_pin(pin: Any) -> None:
    pin().release()
    with profile("mock"), stages_for_block([Stage()]):
        assert dspy.settings.lm.model == "mock"


def test_a_context_that_copied_one_pin_sees_the_next(pin: Any) -> None:
    pin()
    with dspy.context(num_threads=3):
        pin(lm={"model": "second"})
        with stages_for_block([Stage()]):
            assert dspy.settings.lm.model == "second"


def test_pins_and_listeners_that_come_and_go_leave_nothing_behind(pin: Any) -> None:
    def size() -> int:
        return sum(len(vars(session.SESSION)[name]) for name in ("_aside", "_before"))

    pin()
    before = size()
    for _ in range(5):
        listener = object()
        session.add_listener(listener)
        pin(lm={"model": "inner"}).release()
        session.remove_listener(listener)
    assert size() == before


def test_what_a_context_named_itself_stays(pin: Any) -> None:
    pin(lm={"model": "first"}, settings={"num_threads": 5})
    mine = dspy.LM("openai/mine")
    with dspy.context(lm=mine, num_threads=7):
        pin(lm={"model": "second"}, settings={"num_threads": 6})
        with stages_for_block([Stage()]):
            assert dspy.settings.lm is mine
            assert dspy.settings.num_threads == 7


def test_what_a_block_of_ours_named_stays(pin: Any) -> None:
    pin(lm={"model": "first"})
    with profile("mock", lm={"model": "block"}):
        pin(lm={"model": "second"})
        with stages_for_block([Stage()]):
            assert dspy.settings.lm.model == "block"


def test_what_a_block_on_the_sessions_own_profile_named_stays(pin: Any) -> None:
    pin()
    with profile("mock"):
        pin(lm={"model": "second"})
        with stages_for_block([Stage()]):
            assert dspy.settings.lm.model == "mock"


def test_what_a_context_named_stays_though_it_was_configured_before(pin: Any) -> None:
    mine = dspy.LM("openai/mine")
    dspy.configure(lm=mine)
    pin()
    with dspy.context(lm=mine), stages_for_block([Stage()]):
        assert dspy.settings.lm is mine


def test_without_the_variable_nothing_is_laid_and_what_stands_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    set_process_stages([stage])
    monkeypatch.setattr(_dspy, "block_overrides", lambda: None)
    with stages_for_block([Stage()]):
        assert standing() == (stage,)


def test_without_the_config_nothing_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(_dspy, "base_config", lambda: None)
        assert stages.set_process_stages([Stage()]) == ()
    assert STAGES not in dspy.settings
