"""`provider.class = "replay"`: a profile that answers from a cassette."""

import asyncio
from typing import Any

import dspy
import pytest

from dspy_profiles import profile
from dspy_profiles.calls import Refused
from dspy_profiles.calls.cassettes._engine import ReplayEngine
from dspy_profiles.errors import CassetteMiss, InvalidProfile

PROFILE = """
    [shown.lm]
    model = "own/model"

    [shown.provider]
    class = "replay"
    cassette = "cassettes/x.jsonl"

    [bare.provider]
    class = "replay"
"""


@pytest.fixture(autouse=True)
def recorded(write: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    """Two answers to one question, and one to another."""
    write("profiles.toml", PROFILE)
    with playing("once", lm_of("Paris", "Lyon", "Rome")):
        ask(), ask(rollout_id=1, temperature=1.0), ask("Where is the Colosseum?")


def test_it_says_what_was_recorded_and_asks_nobody(ask: Any) -> None:
    with profile("shown"):
        assert ask("Where is the Colosseum?") == "Rome"
        assert ask() == "Paris"


def test_it_says_the_same_to_async_programs() -> None:
    async def answered() -> Any:
        predict = dspy.Predict("question -> answer")
        return (await predict.acall(question="Why?")).answer

    with profile("shown"):
        assert asyncio.run(answered()) == "Paris"


def test_what_is_not_on_it_is_a_miss_that_names_the_file(ask: Any, path: Any) -> None:
    with pytest.raises(CassetteMiss, match=path.name) as miss, profile("shown"):
        ask("What else?")
    assert str(miss.value).count("record it") == 1


def test_a_miss_passes_what_would_make_a_failed_example_of_it(path: Any) -> None:
    examples = [dspy.Example(question="What else?").with_inputs("question")]
    evaluate = dspy.Evaluate(devset=examples, metric=lambda *_: 1.0, num_threads=1)
    with pytest.raises(CassetteMiss, match=path.name), profile("shown"):
        evaluate(dspy.Predict("question -> answer"))


def test_a_block_in_another_leaves_the_miss_to_the_outer_one(ask: Any) -> None:
    with profile("shown"), pytest.raises(Refused), profile("shown"):
        ask("What else?")


def test_it_needs_a_cassette(ask: Any) -> None:
    with pytest.raises(InvalidProfile, match="provider replay has no cassette"), profile("bare"):
        ask()


def test_a_saved_engine_is_loaded_as_it_was(path: Any) -> None:
    engine = ReplayEngine(cassette="cassettes/x.jsonl", match=["messages"])
    again = ReplayEngine.load_state(engine.dump_state())
    assert again.dump_state() == {"cassette": str(path), "match": ["messages"]}
