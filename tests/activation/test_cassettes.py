"""`profile("x", cassette=…)`: a block that is recorded, and replayed."""

import threading
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import profile, with_profile
from dspy_profiles.calls import STAGES
from dspy_profiles.calls.cassettes import describe
from dspy_profiles.errors import CassetteMiss, InvalidFile, InvalidProfile


@pytest.fixture(autouse=True)
def profiles(write: Any, cache_in_memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    write("profiles.toml", '[dev.provider]\nclass = "mock"\nanswers = [{ answer = "Paris" }]\n')


def ask(question: str = "Why?") -> str:
    answer: str = dspy.Predict("question -> answer")(question=question).answer
    return answer


def test_what_was_recorded_is_replayed_by_another_model_of_that_name() -> None:
    with profile("dev", cassette="x.jsonl", cassettes="once"):
        first = ask()
    other = {"answers": [{"answer": "Rome"}]}
    with profile("dev", cassette="x.jsonl", provider=other):
        assert ask() == first == "Paris"
    assert STAGES not in dspy.settings


def test_a_miss_comes_out_of_the_block_as_itself_and_says_what_records() -> None:
    with pytest.raises(CassetteMiss, match="does not exist; blocked a call") as raised:  # noqa: SIM117 - the block is what is left
        with profile("dev", cassette="x.jsonl"):
            dspy.Evaluate(
                devset=[dspy.Example(question="Why?").with_inputs("question")],
                metric=lambda *_: 1.0,
                max_errors=99,
                display_progress=False,
            )(dspy.Predict("question -> answer"))
    assert raised.value.hint is not None
    assert 'cassettes="new"' in raised.value.hint
    assert not Path("x.jsonl").exists()


@pytest.mark.parametrize(("mode", "kept"), [("once", 1), ("all", 1), ("new", 2)])
def test_an_exception_leaves_the_file_as_it_was_unless_it_is_added_to(mode: str, kept: int) -> None:
    with profile("dev", cassette="x.jsonl", cassettes="once"):
        ask("before")
    held = Path("x.jsonl").read_bytes()
    path = "x.jsonl" if mode != "once" else "absent.jsonl"
    with pytest.raises(ZeroDivisionError), profile("dev", cassette=path, cassettes=mode):
        assert ask("half") == str(1 / 0)
    assert describe(Path("x.jsonl")).requests == kept
    assert (Path("x.jsonl").read_bytes() == held) is (mode != "new")
    assert not Path("absent.jsonl").exists()


def test_an_inner_cassette_stands_in_place_of_the_outer_one() -> None:
    with profile("dev", cassette="outer.jsonl", cassettes="once"):
        ask("outer")
        with profile("dev", cassette="inner.jsonl", cassettes="once"):
            ask("inner")
        ask("outer again")
    assert describe(Path("outer.jsonl")).requests == 2
    assert describe(Path("inner.jsonl")).requests == 1
    assert "inner" not in Path("outer.jsonl").read_text()


def test_an_inner_block_without_one_is_on_the_outer_one_and_one_that_is_off_is_too() -> None:
    with profile("dev", cassette="x.jsonl", cassettes="once"):
        with profile("dev"):
            ask("plain")
        with profile("dev", cassette="y.jsonl", cassettes="off"):
            ask("off")
    assert describe(Path("x.jsonl")).requests == 2
    assert not Path("y.jsonl").exists()


def test_threads_have_a_file_each_and_one_may_be_shared() -> None:
    def run(number: int) -> None:
        for name in (f"{number}.jsonl", "shared.jsonl"):
            with profile("dev", cassette=name, cassettes="new"):
                ask(f"of thread {number}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        assert describe(Path(f"{number}.jsonl")).requests == 1
        assert f"of thread {number}" in Path(f"{number}.jsonl").read_text()
    assert describe(Path("shared.jsonl")).requests == 6


def test_what_dspys_threads_ask_is_on_it() -> None:
    pairs = [(dspy.Predict("question -> answer"), {"question": f"number {n}"}) for n in range(8)]
    with profile("dev", cassette="x.jsonl", cassettes="once"):
        first = dspy.Parallel(num_threads=4, disable_progress_bar=True)(pairs)
    assert describe(Path("x.jsonl")).requests == 8
    with profile("dev", cassette="x.jsonl"):
        found = dspy.Parallel(num_threads=4, disable_progress_bar=True)(pairs)
    assert [each.answer for each in found] == [each.answer for each in first]


def test_as_a_decorator_each_call_begins_at_the_beginning() -> None:
    @with_profile("dev", cassette="x.jsonl", cassettes="new")
    def asked() -> str:
        return ask()

    assert [asked(), asked()] == ["Paris", "Paris"]
    assert describe(Path("x.jsonl")).responses == 1


def test_what_cannot_be_opened_is_an_error_of_the_block_and_leaves_nothing_behind() -> None:
    Path("x.jsonl").write_text("no cassette\n")
    with pytest.raises(InvalidFile, match=r"x\.jsonl:1"), profile("dev", cassette="x.jsonl"):
        pytest.fail("the block was entered")
    with (
        pytest.raises(InvalidProfile, match='did you mean "once"'),
        profile("dev", cassette="y.jsonl", cassettes="onse"),
    ):
        pytest.fail("the block was entered")
    assert STAGES not in dspy.settings
    assert dspy.settings.lm is None


def test_a_mode_without_a_cassette_is_refused() -> None:
    with pytest.raises(InvalidProfile, match="cassettes= needs a cassette="):
        profile("mock", cassettes="once")
