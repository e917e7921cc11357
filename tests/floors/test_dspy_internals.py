"""Each private name of DSPy that we lean on; the test says what breaks without it."""

import asyncio
from contextvars import ContextVar

import dspy
import pytest

from dspy_profiles import current_profile, dspy_internals, profile, sections
from dspy_profiles.activation import block, session
from dspy_profiles.activation.prepared import prepared
from dspy_profiles.errors import ProfileError


def test_blocks_are_laid_over_the_variable_behind_dspy_context() -> None:
    variable = dspy_internals.block_overrides()
    assert isinstance(variable, ContextVar), "profile() falls back to dspy.context, a full copy"
    with dspy.context(num_threads=3):
        assert variable.get()["num_threads"] == 3


def test_sessions_are_pinned_in_what_configure_writes_to() -> None:
    config = dspy_internals.base_config()
    assert config is not None, "sessions cannot be pinned: run and pytest do not work"
    assert {"lm", "adapter", "rm", "callbacks"} <= config.keys()
    assert type(config).__setitem__ is dict.__setitem__


def test_the_default_profile_fills_what_stands_at_dspys_defaults() -> None:
    defaults = dspy_internals.own_defaults()
    assert defaults["lm"] is None, "the default profile fills nothing"
    assert defaults["num_threads"] == 8


def test_the_list_of_client_keys_is_dspys_own() -> None:
    assert dspy_internals.client_keys() == sections.CLIENT_KEYS


def test_without_the_variable_blocks_go_through_dspy_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dspy_internals, "block_overrides", lambda: None)
    block._variable.cache_clear()
    try:
        with profile("mock", settings={"callbacks": []}) as p:
            assert dspy.settings.lm.model == "mock"
            assert current_profile() is p
            with profile("mock", lm={"model": "inner"}):
                assert dspy.settings.lm.model == "inner"
            assert dspy.settings.lm.model == "mock"

        async def task() -> str:
            with profile("mock", lm={"model": "task"}):
                await asyncio.sleep(0)
                return str(dspy.settings.lm.model)

        assert asyncio.run(task()) == "task"
        assert dspy.settings.lm is None
    finally:
        block._variable.cache_clear()


def test_without_the_config_a_session_says_that_it_cannot_be_pinned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dspy_internals, "base_config", lambda: None)
    with pytest.raises(ProfileError, match="cannot be pinned"):
        session.pin(prepared("mock", {}))
