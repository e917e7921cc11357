"""A call that `run` has refused fails the program, whoever has caught that."""

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ASK = """
    import asyncio
    import os
    import sys
    import threading
    from concurrent.futures import ThreadPoolExecutor
    import dspy

    def ask(question="?"):
        return dspy.Predict("question -> answer")(question=question)

"""
WAYS = {
    "a thread": """
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    """,
    "a future": """
    with ThreadPoolExecutor() as pool:
        pool.submit(ask)
    """,
    "gather": """
    async def both():
        predict = dspy.Predict("question -> answer")
        asked = predict.acall(question="?"), predict.acall(question="!")
        return await asyncio.gather(*asked, return_exceptions=True)
    asyncio.run(both())
    """,
    "whoever catches all": """
    try:
        ask()
    except BaseException:
        pass
    """,
}
END = """
    print("went on", flush=True)
    import atexit
    atexit.register(print, "the last word")
    sys.exit(0)
"""


@pytest.fixture
def refused(write: Any, run: Any) -> Any:
    """A program that has no cassette to be answered from."""

    def done(*parts: str) -> Any:
        write("asks.py", "\n".join(textwrap.dedent(part) for part in (ASK, *parts)))
        words = ("-p", "mock", "--cassette", "absent.jsonl", "--", sys.executable, "asks.py")
        return run(*words)

    return done


@pytest.mark.parametrize("way", WAYS)
def test_it_is_told_in_one_line_at_the_end_and_the_program_has_failed(
    refused: Any, way: Any
) -> None:
    done = refused(WAYS[way], END)
    assert (done.returncode, done.stdout) == (1, "went on\nthe last word\n")
    assert done.stderr.count("dspy-profiles: error: ") == 1
    assert "cassette absent.jsonl does not exist" in done.stderr
    assert "hint: dspy-profiles run --cassette absent.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_says_itself_how_it_failed_is_believed(refused: Any) -> None:
    done = refused(WAYS["whoever catches all"], "sys.exit(3)\n")
    assert done.returncode == 3
    assert "does not exist; blocked a call" in done.stderr


def test_an_error_of_its_own_is_shown_as_ever_and_what_was_refused_below(refused: Any) -> None:
    done = refused(WAYS["whoever catches all"], "raise ValueError('mine')\n")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.index("ValueError: mine") < done.stderr.index(
        "does not exist; blocked a call"
    )


def test_a_profile_that_is_a_replay_tells_its_misses_too(write: Any, run: Any) -> None:
    write(
        "profiles.toml",
        "[played.lm]\nmodel='m'\n[played.provider]\nclass='replay'\ncassette='x.jsonl'",
    )
    write("asks.py", ASK + WAYS["whoever catches all"])
    done = run("-p", "played", "--", sys.executable, "asks.py")
    assert done.returncode == 1
    assert "cassette x.jsonl does not exist" in done.stderr


def test_a_program_that_skips_its_end_has_failed_as_well(refused: Any) -> None:
    done = refused(WAYS["whoever catches all"], "os._exit(0)\n")
    assert done.returncode == 1
    assert done.stderr.count("does not exist; blocked a call") == 1


def test_a_refusal_in_a_grandchild_fails_the_run(refused: Any, write: Any) -> None:
    write("below.py", textwrap.dedent(ASK) + textwrap.dedent(WAYS["whoever catches all"]))
    done = refused("import subprocess\nsubprocess.run([sys.executable, 'below.py'])\n")
    assert done.returncode == 1
    assert done.stderr.count("does not exist; blocked a call") == 1


def test_no_report_is_left_where_the_command_does_not_exist(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = run("-p", "mock", "--cassette", "x.jsonl", "--", "no-such-command")
    assert done.returncode != 0
    assert not list(tmp_path.iterdir())
