"""Several who write one cassette: nothing is torn, and nothing is lost."""

import os
import subprocess
import sys
import threading
from textwrap import dedent
from typing import Any

import dspy
import pytest
from tests.shapes import lm15

from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls.cassettes import Cassette, describe, stages_for
from dspy_profiles.errors import WriteFailed

WRITER = """
import sys
import dspy
from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls.cassettes import Cassette, stages_for
from dspy_profiles.objects.engines.mock import MockEngine

path, name = sys.argv[1:]
predict = dspy.Predict("question -> answer")
with dspy.context(lm=dspy.LM("mock", engine=MockEngine(), cache=False)):
    for turn in range(10):
        cassette = Cassette(path, "new")
        stages.set_process_stages(stages_for(cassette))
        predict(question=f"{name} {turn}")
        predict(question=f"shared {turn}")
        stages.set_process_stages(())
        cassette.save()
"""


def test_two_processes_write_one_cassette_and_nothing_is_lost(path: Any, tmp_path: Any) -> None:
    script = tmp_path / "write.py"
    script.write_text(dedent(WRITER))
    running = [subprocess.Popen([sys.executable, script, path, name]) for name in ("a", "b")]
    assert [each.wait() for each in running] == [0, 0]
    found = describe(path)
    assert (found.requests, found.responses) == (30, 30)
    assert [each.name for each in path.parent.iterdir()] == ["x.jsonl"]


def play(path: Any, mode: Any, lm: Any, *questions: Any, **more: Any) -> Any:
    """A cassette on which these were asked, and which is not saved yet."""
    cassette = Cassette(path, mode, **more)
    stages.set_process_stages(stages_for(cassette))
    try:
        with dspy.context(lm=lm):
            for question in questions:
                dspy.Predict("question -> answer")(question=question)
    finally:
        stages.set_process_stages(())
    return cassette


def said(path: Any, silent: Any, *questions: Any) -> Any:
    cassette = Cassette(path, "none")
    stages.set_process_stages(stages_for(cassette))
    try:
        with dspy.context(lm=silent):
            predict = dspy.Predict("question -> answer")
            return [predict(question=question).answer for question in questions]
    finally:
        stages.set_process_stages(())


@pytest.mark.parametrize("mode", ["once", "new", "all"])
def test_what_another_has_written_meanwhile_stays(
    mode: Any, path: Any, lm_of: Any, silent: Any
) -> None:
    ours = play(path, mode, lm_of("one"), "ours")
    theirs = play(path, mode, lm_of("two"), "theirs")
    theirs.save()
    ours.save()
    assert said(path, silent, "ours", "theirs") == ["one", "two"]


@pytest.mark.parametrize("mode", ["once", "new"])
def test_of_the_same_request_the_answer_that_was_written_first_stays(
    mode: Any, path: Any, lm_of: Any, silent: Any
) -> None:
    ours = play(path, mode, lm_of("ours", "more"), "a", "a")
    play(path, mode, lm_of("theirs"), "a").save()
    ours.save()
    assert said(path, silent, "a", "a") == ["theirs", "more"]
    assert describe(path).responses == 2


def test_recorded_afresh_the_answer_of_the_last_stays(path: Any, lm_of: Any, silent: Any) -> None:
    ours = play(path, "all", lm_of("ours"), "a")
    play(path, "all", lm_of("theirs"), "a").save()
    ours.save()
    assert said(path, silent, "a") == ["ours"]


def test_what_was_recorded_afresh_in_this_session_is_kept_and_what_is_older_is_not(
    path: Any, lm_of: Any, silent: Any
) -> None:
    play(path, "once", lm_of("old", "older"), "a", "b").save()
    os.utime(path, (1000, 1000))
    play(path, "all", lm_of("new"), "a", since=2000.0).save()
    os.utime(path, (3000, 3000))
    play(path, "all", lm_of("newer"), "c", since=2000.0).save()
    assert said(path, silent, "a", "c") == ["new", "newer"]
    assert describe(path).requests == 2


def test_one_that_was_deleted_meanwhile_is_made_again(path: Any, lm_of: Any, silent: Any) -> None:
    play(path, "once", lm_of("old"), "old").save()
    ours = play(path, "new", lm_of("new"), "new")
    path.unlink()
    ours.save()
    assert said(path, silent, "new") == ["new"]


def test_many_threads_record_and_replay_one_cassette(path: Any, lm_of: Any, silent: Any) -> None:
    answers = {str(n): f"answer {n}" for n in range(200)}

    def answer(request: Any) -> Any:
        from_prompt = request.messages[-1].text.partition("]]\n")[2].partition("\n")[0]
        return response(answers[from_prompt])

    def response(text: Any) -> Any:
        message = lm15.Message.assistant([lm15.TextPart(f"[[ ## answer ## ]]\n{text}")])
        return lm15.Response(
            id=None,
            model="m",
            message=message,
            finish_reason="stop",
            usage=lm15.Usage(),
        )

    for mode, lm in (("once", lm_of(answer)), ("none", silent)):
        cassette = Cassette(path, mode)
        stages.set_process_stages(stages_for(cassette))
        found: dict[str, Any] = {}

        def run(numbers: Any, lm: Any = lm, found: Any = found) -> None:
            with dspy.context(lm=lm):
                for number in numbers:
                    found[number] = dspy.Predict("question -> answer")(question=number).answer

        numbers = list(answers)
        threads = [threading.Thread(target=run, args=(numbers[n::8],)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stages.set_process_stages(())
        cassette.save()
        assert found == answers


def test_of_equal_requests_made_at_once_each_gets_one_of_the_answers(
    path: Any, lm_of: Any, silent: Any
) -> None:
    lm = lm_of(*[f"answer {n}" for n in range(40)])
    questions = ["same"] * 40
    play(path, "once", lm, *questions).save()
    cassette = Cassette(path, "none")
    stages.set_process_stages(stages_for(cassette))
    found: list[Any] = []

    def run() -> None:
        with dspy.context(lm=silent):
            found.extend(
                dspy.Predict("question -> answer")(question="same").answer for _ in "12345"
            )

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stages.set_process_stages(())
    assert sorted(found) == sorted(f"answer {n}" for n in range(40))


def test_one_that_cannot_be_written_is_an_error_that_says_why(path: Any, lm_of: Any) -> None:
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(WriteFailed, match="cannot be created"):
        play(path, "all", lm_of("a"), "a").save()


def test_a_save_that_fails_leaves_what_was_there(
    path: Any, lm_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(path, "once", lm_of("old"), "old").save()
    before = path.read_bytes()
    ours = play(path, "new", lm_of("new"), "new")

    def full(_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WriteFailed, match="No space left"):
        ours.save()
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["x.jsonl"]
