"""An error that DSPy must not swallow: where it comes out as what it is."""

from collections.abc import Iterator
from typing import Any

import dspy
import pytest

from dspy_profiles import _dspy, configure, profile, with_profile
from dspy_profiles.activation import CACHE
from dspy_profiles.activation import _block as block
from dspy_profiles.activation import _session as session
from dspy_profiles.calls import Refused
from dspy_profiles.errors import CassetteMiss


@pytest.fixture(autouse=True)
def profiles(write: Any) -> None:
    """A profile that misses whatever it is asked."""
    write("profiles.toml", '[gone]\nprovider = { class = "replay", cassette = "gone.jsonl" }\n')


@pytest.fixture
def pinned() -> Iterator[None]:
    pin = session.pin_session(CACHE.get("gone", {}))
    yield
    pin.release()


@pytest.fixture
def without_the_variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A DSPy that keeps the overrides of blocks elsewhere."""
    monkeypatch.setattr(_dspy, "block_overrides", lambda: None)
    block._variable.cache_clear()
    yield
    block._variable.cache_clear()


def ask() -> None:
    dspy.Predict("question -> answer")(question="Why?")


def ask_in_a_block_after_another_in_it() -> None:
    with profile("gone"):
        with pytest.raises(Refused), profile("gone"):
            ask()
        ask()


def test_it_comes_out_of_the_outermost_block_alone() -> None:
    with pytest.raises(CassetteMiss):
        ask_in_a_block_after_another_in_it()


def test_what_was_configured_has_no_end_so_it_comes_out_of_a_block_under_that() -> None:
    configure("gone")
    with pytest.raises(CassetteMiss), profile("gone"):
        ask()


def evaluated(program: Any) -> float:
    examples = [dspy.Example(question="Why?").with_inputs("question")] * 2
    score: float = dspy.Evaluate(
        devset=examples, metric=lambda *_: 1.0, max_errors=99, display_progress=False
    )(program).score
    return score


@pytest.mark.parametrize("configured", [False, True])
@pytest.mark.parametrize("cassette", [None, "other.jsonl"])
def test_it_passes_a_block_that_dspy_runs_and_would_take_it_for_a_failed_example(
    cassette: str | None, configured: bool
) -> None:
    if configured:
        configure("gone")
    program = with_profile("gone", cassette=cassette)(dspy.Predict("question -> answer"))
    with pytest.raises(Refused):
        evaluated(program)
    with pytest.raises(CassetteMiss), profile("gone"):
        evaluated(program)


def test_a_program_that_only_hands_it_on_is_not_in_its_way() -> None:
    class Program(dspy.Module):  # type: ignore[misc]
        def forward(self) -> None:
            with profile("gone"):
                ask()

    with pytest.raises(CassetteMiss):
        Program()()


@pytest.mark.usefixtures("pinned")
def test_a_block_in_a_session_leaves_it_to_the_session() -> None:
    with pytest.raises(Refused), profile("gone"):
        ask()


@pytest.mark.usefixtures("without_the_variable")
def test_it_comes_out_of_the_outermost_block_of_a_dspy_that_has_moved_its_overrides() -> None:
    with pytest.raises(CassetteMiss):
        ask_in_a_block_after_another_in_it()


def test_where_no_block_is_around_it_says_what_it_is_and_how_to_catch_it() -> None:
    configure("gone")
    with pytest.raises(Refused, match="does not exist; blocked a call") as raised:
        ask()
    (note,) = raised.value.__notes__
    assert "CassetteMiss" in note
    assert "with profile(…)" in note
