"""After a test DSPy is as it was before: settings, overrides, owner, histories, cache, pins."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest

from dspy_profiles import _dspy, configure, current_profile, lm, profile
from dspy_profiles.activation import CACHE, Configuration, Isolation, set_process_stages
from dspy_profiles.activation import _session as session
from dspy_profiles.calls import STAGES, Stage
from dspy_profiles.profiles import ACTIVE


@pytest.fixture(autouse=True)
def no_history(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # prices come with DSPy
    yield
    _dspy.history().clear()


@pytest.fixture
def pin() -> Iterator[Callable[..., session.Pin]]:
    pins: list[session.Pin] = []

    def pin(**overrides: Any) -> session.Pin:
        pins.append(session.pin_session(CACHE.get("mock", overrides), lambda *_: None))
        return pins[-1]

    yield pin
    for made in reversed(pins):
        made.release()


class Listener(dspy.utils.callback.BaseCallback):  # type: ignore[misc]
    pass


def config() -> dict[str, Any]:
    found = dict(dspy.settings.config)
    found.pop(session.IN_FORCE, None)  # written again with equal values
    return found


def ask() -> None:
    dspy.Predict("question -> answer")(question="Why?")


def test_a_setting_is_what_it_was() -> None:
    before = dspy.LM("openai/before")
    dspy.configure(lm=before, num_threads=3)
    isolation = Isolation()
    dspy.configure(lm=dspy.LM("openai/meanwhile"), num_threads=5)
    isolation.end()
    assert dspy.settings.lm is before
    assert dspy.settings.num_threads == 3


def test_a_new_setting_goes_again() -> None:
    before = config()
    isolation = Isolation()
    dspy.configure(of_a_plugin=1)
    isolation.end()
    assert "of_a_plugin" not in dspy.settings
    assert config() == before


def test_a_callback_that_is_appended_beside_one_that_hears_goes_again() -> None:
    hears, added = Listener(), Listener()
    session.add_listener(hears)
    try:
        isolation = Isolation()
        dspy.settings.callbacks.append(added)
        isolation.end()
        assert dspy.settings.callbacks == [hears]
    finally:
        session.remove_listener(hears)


def test_a_setting_that_was_removed_is_back() -> None:
    dspy.configure(of_a_plugin=1)
    isolation = Isolation()
    base = _dspy.base_config()
    assert base is not None
    del base["of_a_plugin"]
    isolation.end()
    assert dspy.settings.of_a_plugin == 1


def test_a_list_that_was_changed_in_place_holds_what_it_held() -> None:
    mine = Listener()
    callbacks = [mine]
    dspy.configure(callbacks=callbacks)
    isolation = Isolation()
    dspy.settings.callbacks.append(Listener())
    isolation.end()
    assert dspy.settings.callbacks is callbacks
    assert callbacks == [mine]


def test_a_table_that_was_changed_in_place_holds_what_it_held() -> None:
    table = {"kept": 1, "changed": 2}
    dspy.configure(of_a_plugin=table)
    isolation = Isolation()
    dspy.settings.of_a_plugin.update(changed=3, new=4)
    del dspy.settings.of_a_plugin["kept"]
    isolation.end()
    assert dspy.settings.of_a_plugin is table
    assert table == {"kept": 1, "changed": 2}


def test_an_equal_object_is_not_taken_for_the_one_that_was_there() -> None:
    class Equal:
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        __hash__ = None  # type: ignore[assignment]

    in_a_list, in_a_table = Equal(), Equal()
    dspy.configure(a_list=[in_a_list], a_table={"key": in_a_table})
    isolation = Isolation()
    dspy.settings.a_list[0] = Equal()
    dspy.settings.a_table["key"] = Equal()
    isolation.end()
    assert dspy.settings.a_list[0] is in_a_list
    assert dspy.settings.a_table["key"] is in_a_table


def test_what_cannot_be_compared_is_put_back_as_well() -> None:
    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError("the truth value of an array is ambiguous")

        __hash__ = None  # type: ignore[assignment]

    first = Array()
    dspy.configure(a_list=[first], a_table={"key": first})
    isolation = Isolation()
    before = Configuration()
    dspy.settings.a_list[0] = Array()
    dspy.settings.a_table["key"] = Array()
    isolation.keep(before)
    isolation.end()
    assert dspy.settings.a_list[0] is not first  # it was kept
    isolation = Isolation()
    kept = dspy.settings.a_list[0]
    dspy.settings.a_list[0] = Array()
    isolation.end()
    assert dspy.settings.a_list[0] is kept


def test_a_context_that_was_never_left_is_gone() -> None:
    isolation = Isolation()
    leaked = dspy.context(num_threads=3)
    leaked.__enter__()
    isolation.end()
    assert dspy.settings.num_threads == 8
    variable = _dspy.block_overrides()
    assert variable is not None
    assert "num_threads" not in variable.get()
    leaked.__exit__(None, None, None)


def test_a_context_around_the_test_stays() -> None:
    with dspy.context(num_threads=3):
        isolation = Isolation()
        isolation.end()
        assert dspy.settings.num_threads == 3
    assert dspy.settings.num_threads == 8


def test_a_task_that_configured_is_not_the_only_one_that_may() -> None:
    async def set_threads(number: int) -> None:
        dspy.configure(num_threads=number)

    isolation = Isolation()
    asyncio.run(set_threads(3))
    isolation.end()
    asyncio.run(set_threads(4))
    assert dspy.settings.num_threads == 4


def test_a_thread_that_configured_is_not_the_only_one_that_may() -> None:
    isolation = Isolation()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(dspy.configure, num_threads=3).result()
    isolation.end()
    dspy.configure(num_threads=4)
    assert dspy.settings.num_threads == 4


def test_the_histories_hold_what_they_held() -> None:
    with profile("mock"):
        kept = dspy.settings.lm
        ask()
        entries = list(kept.history)
        shown = list(_dspy.history())
        isolation = Isolation()
        ask()
        assert len(kept.history) == len(entries) + 1
        isolation.end()
    assert kept.history == entries
    assert _dspy.history() == shown
    assert len(shown) == 1


def test_an_lm_that_is_kept_for_others_forgets_the_test_that_it_was_made_in() -> None:
    isolation = Isolation()
    with profile("mock"):
        ask()
    isolation.end()
    assert lm("mock").history == []
    assert _dspy.history() == []


def test_the_history_of_an_lm_that_is_configured_beneath_a_pin_is_put_back(pin: Any) -> None:
    mine = dspy.utils.DummyLM([{"answer": "1"}])
    dspy.configure(lm=mine)
    pin()
    isolation = Isolation()
    mine("Why?")
    assert len(mine.history) == 1
    isolation.end()
    assert mine.history == []


def test_the_history_of_an_lm_of_a_context_around_the_test_is_put_back() -> None:
    mine = dspy.utils.DummyLM([{"answer": "1"}, {"answer": "2"}])
    with dspy.context(lm=mine):
        mine("Why?")
        isolation = Isolation()
        mine("Why?")
        assert len(mine.history) == 2
        isolation.end()
    assert len(mine.history) == 1


def test_full_histories_hold_what_they_held() -> None:
    shown = [{"number": n} for n in range(10_000)]
    _dspy.history()[:] = shown
    with profile("mock"):
        kept = dspy.settings.lm
        kept.history[:] = shown
        isolation = Isolation()
        ask()
        assert _dspy.history()[0]["number"] == kept.history[0]["number"] == 1
        isolation.end()
    assert all(map(same, _dspy.history(), shown))
    assert all(map(same, kept.history, shown))
    assert len(kept.history) == len(_dspy.history()) == 10_000


def same(one: object, other: object) -> bool:
    return one is other


def test_the_history_is_still_the_list_that_others_hold() -> None:
    with profile("mock"):
        kept = dspy.settings.lm
        held, shown = kept.history, _dspy.history()
        isolation = Isolation()
        ask()
        isolation.end()
    assert kept.history is held
    assert _dspy.history() is shown


def test_the_cache_is_empty_and_in_memory_alone() -> None:
    outer = Isolation()
    dspy.cache.put({"key": 1}, "outer")
    isolation = Isolation()
    assert dspy.cache.get({"key": 1}) is None
    assert dspy.cache.enable_memory_cache
    assert not dspy.cache.enable_disk_cache
    isolation.end()
    assert dspy.cache.get({"key": 1}) == "outer"
    outer.end()


def test_the_cache_that_was_there_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = object()
    monkeypatch.setitem(vars(dspy), "cache", before)
    isolation = Isolation()
    assert dspy.cache is not before
    isolation.end()
    assert dspy.cache is before


def test_a_cache_that_was_never_built_is_unbuilt_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(dspy), "cache", raising=False)
    isolation = Isolation()
    assert "cache" in vars(dspy)
    isolation.end()
    assert "cache" not in vars(dspy)


def test_a_cache_that_the_test_configured_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = object()
    monkeypatch.setitem(vars(dspy), "cache", before)
    isolation = Isolation()
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    isolation.end()
    assert dspy.cache is before


def test_what_mocks_were_told_is_forgotten_when_a_test_begins() -> None:
    program = dspy.Predict("question -> answer")
    with profile("mock"):
        made_up = program(question="Why?").answer
        engine = dspy.settings.lm.engine
        engine.answer(answer="of the test before")
        isolation = Isolation()
        assert engine.calls == []
        assert program(question="Why?").answer == made_up
        isolation.end()


def test_what_a_test_pinned_is_released_and_what_was_pinned_stays(pin: Any) -> None:
    outer = pin(lm={"model": "outer"})
    isolation = Isolation()
    configure("mock", lm={"model": "meanwhile"})
    configure("mock", lm={"model": "and again"})
    assert dspy.settings.lm.model == "and again"
    isolation.end()
    assert session.SESSION.pins == (outer,)
    assert dspy.settings.lm.model == "outer"


def test_one_more_pin_may_be_kept(pin: Any) -> None:
    outer = pin(lm={"model": "outer"})
    isolation = Isolation()
    later = pin(lm={"model": "later"})
    configure("mock", lm={"model": "meanwhile"})
    isolation.end(keep=later)
    assert session.SESSION.pins == (outer, later)
    assert dspy.settings.lm.model == "later"


def test_what_was_configured_beneath_a_pin_is_put_back(pin: Any) -> None:
    before, callback = dspy.LM("openai/before"), Listener()
    callbacks = [callback]
    dspy.configure(lm=before, callbacks=callbacks)
    outer = pin(settings={"callbacks": [Listener()]})
    isolation = Isolation()
    dspy.configure(lm=dspy.LM("openai/meanwhile"), num_threads=3)
    dspy.configure(callbacks=[*dspy.settings.callbacks, Listener()])
    isolation.end()
    assert dspy.settings.lm.model == "mock"
    assert dspy.settings.num_threads == 8
    assert len(dspy.settings.callbacks) == 2
    outer.release()
    assert dspy.settings.lm is before
    assert dspy.settings.callbacks is callbacks
    assert callbacks == [callback]


def test_what_is_nobodys_but_the_pins_goes_with_it(pin: Any) -> None:
    outer = pin()
    isolation = Isolation()
    assert ACTIVE not in session.SESSION.unpinned_settings()
    isolation.end()
    assert current_profile() is outer.profile
    outer.release()
    assert ACTIVE not in dspy.settings


def test_stages_are_no_business_of_it() -> None:
    before, meanwhile = Stage(), Stage()
    set_process_stages([before])
    isolation = Isolation()
    assert tuple(set_process_stages([meanwhile])) == (before,)
    isolation.end()
    assert tuple(set_process_stages(())) == (meanwhile,)
    isolation = Isolation()
    isolation.end()
    assert STAGES not in dspy.settings


def test_a_second_end_does_nothing() -> None:
    isolation = Isolation()
    isolation.end()
    dspy.configure(num_threads=3)
    isolation.end()
    assert dspy.settings.num_threads == 3


def test_nothing_changes_where_a_test_changes_nothing(pin: Any) -> None:
    dspy.configure(lm=dspy.LM("openai/mine"), num_threads=3)
    pin()
    before, beneath, owner = config(), session.SESSION.unpinned_settings(), _dspy.owner()
    isolation = Isolation()
    isolation.end()
    assert config() == before
    assert session.SESSION.unpinned_settings() == beneath
    assert _dspy.owner() == owner


def test_what_a_wider_fixture_configured_is_kept() -> None:
    mine = dspy.LM("openai/of-the-module")
    dspy.configure(gone=1, callbacks=[])
    isolation = Isolation()
    dspy.configure(max_errors=1)
    fixture = Configuration()
    dspy.configure(lm=mine, new=2)
    dspy.settings.callbacks.append("of the module")
    base = _dspy.base_config()
    assert base is not None
    del base["gone"]
    isolation.keep(fixture)
    dspy.configure(lm=dspy.LM("openai/of-the-test"), new=3, num_threads=2)
    dspy.settings.callbacks.append("of the test")
    isolation.end()
    assert dspy.settings.lm is mine
    assert dspy.settings.new == 2
    assert dspy.settings.callbacks == ["of the module"]
    assert "gone" not in dspy.settings
    assert (dspy.settings.num_threads, dspy.settings.max_errors) == (8, 10)


def test_what_a_wider_fixture_configured_beneath_a_pin_is_kept(pin: Any) -> None:
    mine = dspy.LM("openai/of-the-module")
    outer = pin()
    isolation = Isolation()
    fixture = Configuration()
    dspy.configure(lm=mine)
    isolation.keep(fixture)
    isolation.end()
    assert dspy.settings.lm.model == "mock"
    outer.release()
    assert dspy.settings.lm is mine


def test_a_context_that_a_wider_fixture_entered_is_kept() -> None:
    isolation = Isolation()
    fixture = Configuration()
    entered = dspy.context(num_threads=3)
    entered.__enter__()
    isolation.keep(fixture)
    leaked = dspy.context(num_threads=5)
    leaked.__enter__()
    isolation.end()
    assert dspy.settings.num_threads == 3
    entered.__exit__(None, None, None)
    assert dspy.settings.num_threads == 8
    with pytest.raises(RuntimeError):  # it is told to go on after its end
        leaked.gen.throw(RuntimeError)
    variable = _dspy.block_overrides()
    assert variable is not None
    variable.set(type(variable.get())())


def test_what_a_test_leaked_before_a_wider_fixture_came_is_not_kept_with_it() -> None:
    isolation = Isolation()
    leaked = dspy.context(num_threads=3)
    leaked.__enter__()
    fixture = Configuration()
    isolation.keep(fixture)
    isolation.end()
    assert dspy.settings.num_threads == 8
    leaked.__exit__(None, None, None)


def test_a_wider_fixture_that_configures_stays_the_owner() -> None:
    isolation = Isolation()
    fixture = Configuration()
    dspy.configure(num_threads=3)
    owner = _dspy.owner()
    isolation.keep(fixture)
    isolation.end()
    assert _dspy.owner() == owner
    assert owner[0] is not None


def test_stages_are_not_kept_as_if_they_were_settings() -> None:
    isolation = Isolation()
    fixture = Configuration()
    set_process_stages([Stage()])
    isolation.keep(fixture)
    set_process_stages(())
    isolation.end()
    assert STAGES not in dspy.settings
