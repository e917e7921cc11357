"""A program that keeps an LM of its own says so when it is called under a profile."""

import asyncio
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import ProfileWarning, lm, profile

PROFILES = """
[own]
provider = { class = "mock", answers = { answer = "own" } }
lms.teacher = { model = "mock" }

[other]
provider = { class = "mock", answers = { answer = "other" } }

[threads.settings]
num_threads = 2
"""


@pytest.fixture(autouse=True)
def profiles(write: Callable[..., Any], project: Any) -> None:
    write(project / "profiles.toml", PROFILES)


@pytest.fixture
def pinned() -> dspy.Predict:
    program = dspy.Predict("question -> answer")
    program.set_lm(lm("other"))
    return program


def test_it_is_told_once_with_the_line_of_the_call(pinned: dspy.Predict) -> None:
    with profile("own"), pytest.warns(ProfileWarning) as told:
        for _ in range(3):
            assert pinned(question="?").answer == "other"

    (warning,) = told
    assert str(warning.message) == (
        'profile "own" does not change this program: it has its own LM, mock; '
        "set_lm(None) removes it"
    )
    assert warning.filename == __file__


def test_an_inner_predictor_a_task_and_a_thread_are_seen(pinned: dspy.Predict) -> None:
    program = dspy.ChainOfThought("question -> answer")
    program.set_lm(lm("other"))
    with profile("own"):
        with pytest.warns(ProfileWarning, match="has its own LM"):
            asyncio.run(program.acall(question="?"))
        with pytest.warns(ProfileWarning, match="has its own LM"):
            dspy.Parallel(num_threads=2, disable_progress_bar=True)(
                [(pinned, {"question": "?"})] * 2
            )


def test_it_is_told_also_where_the_cache_answers(
    engine: Callable[..., Any], lm_of: Callable[..., Any], cache_in_memory: None
) -> None:
    asked = engine()
    program = dspy.Predict("question -> answer")
    program.set_lm(lm_of(asked, cache=True))
    program(question="?")
    with profile("own"), pytest.warns(ProfileWarning, match="own LM, own/model;"):
        program(question="?")
    assert asked.made == 1


def test_a_loaded_program_is_told_of_before_its_lm_fails(tmp_path: Path) -> None:
    program = dspy.Predict("question -> answer")
    program.set_lm(dspy.LM("nobody/model", api_key="none", num_retries=0))
    program.save(tmp_path / "program.json")
    loaded = dspy.Predict("question -> answer")
    loaded.load(tmp_path / "program.json")

    told = pytest.warns(ProfileWarning, match="own LM, nobody/model;")
    with profile("own"), told, pytest.raises(Exception, match="nobody"):
        loaded(question="?")


@pytest.mark.parametrize("outer", ["own", "threads"])
def test_what_is_meant_is_not_told_of(outer: str, pinned: dspy.Predict) -> None:
    free = dspy.Predict("question -> answer")
    teacher = dspy.Predict("question -> answer")
    teacher.set_lm(lm("own", role="teacher"))

    with warnings.catch_warnings(action="error"):
        pinned(question="no profile is active")
        with profile(outer), dspy.context(lm=lm("other")):
            free(question="?")
            free(question="?", lm=lm("own"))
            dspy.settings.lm("?")
            lm("own")("?")
        with profile("own"):
            teacher(question="?")
        with profile("threads"):
            pinned(question="this profile says nothing of an LM")
