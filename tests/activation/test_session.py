"""A session's profile is pinned: every thread sees it, no spelling of configure displaces it."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest
from dspy import configure as early_bound

from dspy_profiles import ProfileError, _dspy, configure, current_profile, lm, profile, with_profile
from dspy_profiles.activation import CACHE, CallbackOverlay
from dspy_profiles.activation import _session as session


@pytest.fixture
def told() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
def pin(told: list[tuple[str, str, int]]) -> Iterator[Callable[..., session.Pin]]:
    pins: list[session.Pin] = []

    def pin(name: str = "mock", **overrides: Any) -> session.Pin:
        made = session.pin_session(CACHE.get(name, overrides), lambda _, *place: told.append(place))
        pins.append(made)
        return made

    yield pin
    for made in pins:
        made.release()


def model() -> str | None:
    return dspy.settings.lm.model if dspy.settings.lm else None


def test_every_kind_of_thread_and_task_sees_it(pin: Any) -> None:
    pin()
    found: list[object] = []
    bare = threading.Thread(target=lambda: found.append(model()))
    bare.start()
    bare.join()
    timer = threading.Timer(0, lambda: found.append(model()))
    timer.start()
    timer.join()
    with ThreadPoolExecutor(1) as pool:
        found.append(pool.submit(model).result())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        found.append(await loop.run_in_executor(None, model))
        found.append(await asyncio.to_thread(model))

        async def task() -> None:
            found.append(model())

        await asyncio.create_task(task())

    asyncio.run(main())
    assert found == ["mock"] * 6


@pytest.mark.parametrize(
    "spelling",
    [
        lambda lm: dspy.configure(lm=lm),
        lambda lm: early_bound(lm=lm),
        lambda lm: dspy.settings.configure(lm=lm),
        lambda lm: setattr(dspy.settings, "lm", lm),
        lambda lm: dspy.settings.__setitem__("lm", lm),
    ],
    ids=["configure", "early bound", "settings.configure", "attribute", "item"],
)
def test_no_spelling_of_configure_displaces_it(spelling: Any, pin: Any, told: Any) -> None:
    own, theirs = dspy.LM("openai/before"), dspy.LM("openai/meanwhile")
    dspy.configure(lm=own)
    session_pin = pin()

    spelling(theirs)
    assert model() == "mock"
    assert [(key, file) for key, file, _ in told] == [("lm", __file__)]

    session_pin.release()
    assert dspy.settings.lm is theirs  # what was put aside is put back


def test_what_the_program_does_not_touch_is_as_before(pin: Any) -> None:
    own = dspy.LM("openai/before")
    dspy.configure(lm=own, num_threads=3)
    before = dict(dspy.settings.config)
    pin(settings={"num_threads": 5, "max_errors": 1}).release()
    assert dict(dspy.settings.config) == before


def test_keys_that_the_profile_does_not_set_are_the_programs(pin: Any, told: Any) -> None:
    session_pin = pin()
    dspy.configure(num_threads=3)
    assert dspy.settings.num_threads == 3
    assert told == []
    session_pin.release()
    assert dspy.settings.num_threads == 3


def test_each_place_is_told_once(pin: Any, told: Any) -> None:
    pin()
    for _ in range(3):
        dspy.configure(lm=None)
    dspy.configure(lm=None)
    assert len(told) == 2
    assert len({line for _, _, line in told}) == 2


def test_the_terminal_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    made = session.pin_session(CACHE.get("mock", {}))
    dspy.configure(lm=None)
    made.release()
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{__file__}:" in line
    assert '"mock" (from the argument)' in line


def test_blocks_and_contexts_inside_of_it_win(pin: Any) -> None:
    pin()
    with profile("mock", lm={"model": "block"}):
        assert model() == "block"
    with dspy.context(lm=dspy.LM("openai/context")):
        assert model() == "openai/context"
    assert model() == "mock"


def test_our_own_configure_passes_it_and_restore_brings_it_back(pin: Any, told: Any) -> None:
    pin()
    handle = configure("mock", lm={"model": "configured"})
    assert model() == "configured"
    assert current_profile().lm["model"] == "configured"  # type: ignore[union-attr]
    handle.restore()
    assert model() == "mock"
    assert told == []


def test_a_pin_in_a_pin_wins_and_goes_again_in_any_order(pin: Any) -> None:
    outer = pin(lm={"model": "outer"}, settings={"num_threads": 5})
    inner = pin(lm={"model": "inner"})
    assert (model(), dspy.settings.num_threads) == ("inner", 5)
    outer.release()
    assert (model(), dspy.settings.num_threads) == ("inner", 8)
    inner.release()
    inner.release()
    assert model() is None


def test_callbacks_add_up_and_the_programs_own_stay(pin: Any) -> None:
    class Listener(dspy.utils.callback.BaseCallback):  # type: ignore[misc]
        pass

    ours, before, during = Listener(), Listener(), Listener()
    dspy.configure(callbacks=[before])
    session_pin = pin(settings={"callbacks": [ours]})
    assert dspy.settings.callbacks == [before, ours]
    dspy.configure(callbacks=[*dspy.settings.callbacks, during])
    assert dspy.settings.callbacks == [before, during, ours]
    session_pin.release()
    assert dspy.settings.callbacks == [before, during]


def test_a_session_knows_its_profile(pin: Any) -> None:
    session_pin = pin()
    assert current_profile() is session_pin.profile
    assert lm() is dspy.settings.lm
    session_pin.release()
    assert current_profile() is None


def test_dspys_rule_of_the_owning_thread_stays(pin: Any) -> None:
    dspy.configure(num_threads=3)
    pin()
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="thread"):
        pool.submit(dspy.configure, num_threads=4).result()


def test_force_makes_every_name_mean_the_sessions_profile(
    pin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_pin = pin(lm={"model": "sessions"})
    monkeypatch.setenv("DSPY_PROFILE_FORCE", "1")

    @with_profile("prod")
    def program() -> str | None:
        return model()

    assert program() == "sessions"
    assert lm("prod") is dspy.settings.lm
    with profile("prod", lm={"model": "openai/gpt-4o"}) as p:
        assert p is session_pin.profile
    handle = configure("prod")
    assert model() == "sessions"
    handle.restore()

    monkeypatch.setenv("DSPY_PROFILE_FORCE", "0")
    with pytest.raises(ProfileError, match='profile "prod" not found'):
        program()


def test_the_settings_are_of_their_own_class_again_afterwards(pin: Any) -> None:
    module = sys.modules["dspy.dsp.utils.settings"]
    plain = type(module.main_thread_config)
    pin().release()
    assert type(module.main_thread_config) is plain


def test_the_default_profile_never_displaces_a_session(pin: Any, write: Any, project: Any) -> None:
    write(project / "profiles.toml", '[default.lm]\nmodel = "openai/paid"\n')
    pin()
    configure()
    assert model() == "mock"


def test_a_profile_that_was_only_resolved_is_built_when_it_is_pinned() -> None:
    made = session.pin_session(CACHE.get("mock", {}, build=False))
    assert model() == "mock"
    made.release()


@pytest.mark.parametrize(
    "begin",
    [lambda: session.add_listener(object()), lambda: CallbackOverlay(object()).__enter__()],
    ids=["of the process", "of a block"],
)
def test_where_dspys_settings_are_out_of_reach_nothing_is_left_unrecorded_in_silence(
    begin: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_dspy, "base_config", lambda: None)
    with pytest.raises(ProfileError, match="nothing can be recorded"):
        begin()
