"""In a pinned session an unnamed profile is the session's; a named one passes the pin."""

from collections.abc import Callable, Iterator
from typing import Any

import dspy
import pytest

from dspy_profiles import ProfileError, configure, current_profile, lm, profile, with_profile
from dspy_profiles.activation import CACHE
from dspy_profiles.activation import _session as session


@pytest.fixture
def pin() -> Iterator[Callable[..., session.Pin]]:
    pins: list[session.Pin] = []

    def pin(name: str = "mock", **overrides: Any) -> session.Pin:
        pins.append(session.pin_session(CACHE.get(name, overrides), lambda *_: None))
        return pins[-1]

    yield pin
    for made in reversed(pins):
        made.release()


@pytest.fixture
def files(write: Any) -> None:
    """A default profile, and another that a session may run on."""
    write(
        "profiles.toml",
        """
        [default.lm]
        model = "openai/default"
        [other]
        settings.num_threads = 5
        [other.lm]
        model = "openai/other"
        temperature = 0.5
        """,
    )


def test_a_block_is_the_sessions(pin: Any, files: Any) -> None:
    pinned = pin("other")
    with profile() as found:
        assert found is pinned.profile
        assert dspy.settings.lm is lm()
        assert dspy.settings.lm.model == "openai/other"


def test_a_decorated_function_runs_on_the_sessions(pin: Any, files: Any) -> None:
    @with_profile()
    def model() -> Any:
        return dspy.settings.lm.model

    assert model() == "openai/default"
    pinned = pin("other")
    assert model() == "openai/other"
    pinned.release()
    assert model() == "openai/default"


def test_overrides_are_laid_over_the_sessions(pin: Any, files: Any) -> None:
    pinned = pin("other", lm={"max_tokens": 77})
    with profile(lm={"temperature": 0.9}) as found:
        assert current_profile() is found
        assert found.name == "other"
        assert dspy.settings.lm.model == "openai/other"
        assert dspy.settings.lm.kwargs["temperature"] == 0.9
        assert dspy.settings.lm.kwargs["max_tokens"] == 77
        assert dspy.settings.num_threads == 5
    assert current_profile() is pinned.profile
    assert dspy.settings.lm.kwargs["temperature"] == 0.5


def test_the_same_overrides_give_the_same_objects(pin: Any, files: Any) -> None:
    pin("other")
    with profile(lm={"temperature": 0.9}) as first:
        made = dspy.settings.lm
    with profile(lm={"temperature": 0.9}) as second:
        assert dspy.settings.lm is made
    assert second is first


def test_the_same_overrides_in_another_session_are_laid_over_that_one(pin: Any, files: Any) -> None:
    pin("other", lm={"max_tokens": 77}).release()
    first = pin("other", lm={"max_tokens": 77})
    with profile(lm={"temperature": 0.9}):
        pass
    first.release()
    pin("other", lm={"max_tokens": 88})
    with profile(lm={"temperature": 0.9}):
        assert dspy.settings.lm.kwargs["max_tokens"] == 88


def test_a_name_passes_the_pin(pin: Any, files: Any) -> None:
    pin("other")
    with profile("default"):
        assert dspy.settings.lm.model == "openai/default"
    with profile("mock", lm={"model": "named"}):
        assert dspy.settings.lm.model == "named"
    with pytest.raises(ProfileError, match='profile "nowhere" not found'):
        profile("nowhere").__enter__()


def test_a_name_that_the_program_puts_into_the_environment_since_counts(
    pin: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin("other")
    monkeypatch.setenv("DSPY_PROFILE", "default")
    with profile():
        assert dspy.settings.lm.model == "openai/default"


def test_a_name_that_was_put_there_counts_whatever_is_pinned_after_it(
    pin: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin("other")
    monkeypatch.setenv("DSPY_PROFILE", "default")
    pin("mock")
    with profile():
        assert dspy.settings.lm.model == "openai/default"


def test_the_name_that_the_session_was_started_with_does_not_count_against_it(
    pin: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPY_PROFILE", "default")
    pin("other")
    with profile():
        assert dspy.settings.lm.model == "openai/other"
    monkeypatch.delenv("DSPY_PROFILE")
    with profile():
        assert dspy.settings.lm.model == "openai/default"


def test_of_pins_in_pins_it_is_the_outermost_that_is_the_session(pin: Any, files: Any) -> None:
    outer = pin("other")
    inner = pin("mock")
    with profile() as found:
        assert found is outer.profile
    outer.release()
    with profile() as found:
        assert found is inner.profile


def test_configuring_nothing_in_particular_changes_nothing(pin: Any, files: Any) -> None:
    pinned = pin("other")
    handle = configure()
    assert session.SESSION.pins == (pinned,)
    assert dspy.settings.lm.model == "openai/other"
    handle.restore()
    assert session.SESSION.pins == (pinned,)


def test_configuring_overrides_pins_them_until_they_are_restored(pin: Any, files: Any) -> None:
    pinned = pin("other")
    handle = configure(lm={"temperature": 0.9})
    assert dspy.settings.lm.model == "openai/other"
    assert dspy.settings.lm.kwargs["temperature"] == 0.9
    handle.restore()
    assert session.SESSION.pins == (pinned,)
    assert dspy.settings.lm.kwargs["temperature"] == 0.5


def test_forced_overrides_are_the_sessions_too(
    pin: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = pin("other")
    monkeypatch.setenv("DSPY_PROFILE_FORCE", "1")
    with profile("default", lm={"temperature": 0.9}) as found:
        assert found is pinned.profile


def test_when_the_session_has_ended_an_unnamed_profile_is_the_default_again(
    pin: Any, files: Any
) -> None:
    pin("other").release()
    with profile():
        assert dspy.settings.lm.model == "openai/default"
    with profile(lm={"temperature": 0.9}):
        assert dspy.settings.lm.model == "openai/default"


def test_the_program_s_own_settings_are_known_beneath_the_pin(pin: Any) -> None:
    mine = dspy.LM("openai/mine")
    dspy.configure(lm=mine, num_threads=3)
    pinned = pin(settings={"num_threads": 5})
    beneath = session.SESSION.unpinned_settings()
    assert (beneath["lm"], beneath["num_threads"]) == (mine, 3)
    assert dspy.settings.num_threads == 5
    pinned.release()
    assert session.SESSION.unpinned_settings() == beneath
