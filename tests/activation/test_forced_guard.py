"""DSPY_PROFILE_FORCE with an offline profile: what knows nothing of profiles asks nobody either."""

from collections.abc import Callable
from typing import Any

import dspy
import pytest
from tests.shapes import lm_error

from dspy_profiles import profile, with_profile
from dspy_profiles.errors import LiveCallBlocked

PROFILES = """
[prod.lm]
model = "openai/gpt-4o"
api_key = "none"

[offline]
provider = { class = "mock", answers = { answer = "mocked" } }
"""


@pytest.fixture(autouse=True)
def forced(write: Callable[..., Any], project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project / "profiles.toml", PROFILES)
    monkeypatch.setenv("DSPY_PROFILE", "offline")
    monkeypatch.setenv("DSPY_PROFILE_FORCE", "1")


@pytest.fixture
def own() -> Any:
    """An LM that code makes by itself. Nobody listens at its address."""
    return dspy.LM("openai/own", api_key="none", api_base="http://127.0.0.1:9", num_retries=0)


def test_an_lm_of_the_programs_own_is_held_back_in_a_block_and_in_blocks_in_it(own: Any) -> None:
    @with_profile("prod")
    def ask() -> str:
        with profile("prod"):
            own("?")
        raise AssertionError

    with pytest.raises(
        LiveCallBlocked, match="blocked a live call to openai/own.*DSPY_PROFILE_FORCE"
    ):
        ask()


def test_the_profile_itself_answers_and_outside_nothing_is_guarded(own: Any) -> None:
    with profile("prod"):
        assert dspy.Predict("question -> answer")(question="?").answer == "mocked"
    with pytest.raises(lm_error("LMError")):
        own("?")


def test_it_ends_with_the_variable(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with profile("offline"):
        pass
    monkeypatch.delenv("DSPY_PROFILE_FORCE")
    with profile("offline"), pytest.raises(lm_error("LMError")):
        own("?")
