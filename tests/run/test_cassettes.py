"""`run --cassette`: what a program and the Pythons below it are told, recorded and replayed."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.calls.cassettes import describe

posix = pytest.mark.skipif(os.name == "nt", reason="there is no fork")
PROFILES = """
    [live.lm]
    model = "own/model"

    [live.provider]
    class = "counting:Counts"
"""
COUNTING = """
    import os
    import dspy

    class Counts:
        '''Writes a line for each call; its answer is the question, and the number of the line.'''

        def complete(self, request):
            with open("asked.txt", "a") as file:
                file.write(f"{os.getpid()}\\n")
            number = len(open("asked.txt").readlines())
            said = f"[[ ## answer ## ]]\\nanswer {number}\\n\\n[[ ## completed ## ]]"
            return dspy.lm15.Response(
                id=None,
                model="m",
                message=dspy.lm15.Message.assistant(said),
                finish_reason="stop",
                usage=dspy.lm15.Usage(),
            )
"""
ASKS = """
    import multiprocessing, subprocess, sys
    import dspy

    def ask(question):
        print(question, dspy.Predict("question -> answer")(question=question).answer, flush=True)

    if __name__ == "__main__":
        ask(sys.argv[1])
        for below in sys.argv[2:]:
            if below == "python":
                subprocess.run([sys.executable, __file__, "python"], check=True)
            elif below == "fails":
                raise SystemExit(3)
            elif below == "raises":
                raise ValueError("it raises")
            else:
                process = multiprocessing.get_context(below).Process(target=ask, args=(below,))
                process.start()
                process.join()
                assert process.exitcode == 0
"""


@pytest.fixture
def program(write: Any, run: Any) -> Any:
    write("counting.py", COUNTING)
    write("asks.py", ASKS)
    write("profiles.toml", PROFILES)

    def done(mode: Any, *words: Any) -> Any:
        options = ["-p", "live", "--cassette", "x.jsonl", *(["--cassettes", mode] if mode else [])]
        return run(*options, "--", sys.executable, "asks.py", *words)

    return done


def asked() -> Any:
    return len(Path("asked.txt").read_text().splitlines()) if Path("asked.txt").exists() else 0


@pytest.mark.parametrize(
    "below",
    ["python", pytest.param("spawn", marks=pytest.mark.slow), pytest.param("fork", marks=posix)],
)
def test_a_process_below_records_on_the_same_file_and_replays_from_it(
    program: Any, below: Any
) -> None:
    first = program("once", "first", below)
    assert (first.returncode, asked()) == (0, 2), first.stderr
    assert describe(Path("x.jsonl")).responses == 2
    held = Path("x.jsonl").read_bytes()

    again = program(None, "first", below)

    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    assert asked() == 2
    assert Path("x.jsonl").read_bytes() == held


def test_a_miss_ends_the_program_with_the_command_that_records(program: Any) -> None:
    assert program("once", "first").returncode == 0
    held = Path("x.jsonl").read_bytes()
    done = program("none", "second")
    assert (done.returncode, done.stdout, asked()) == (1, "", 1)
    assert "x.jsonl has no response for this request" in done.stderr
    assert "dspy-profiles run --cassette x.jsonl --cassettes new -- " in done.stderr
    assert "Traceback" not in done.stderr
    assert Path("x.jsonl").read_bytes() == held


def test_half_of_a_program_is_not_kept_and_what_is_added_is(program: Any) -> None:
    assert program("once", "first", "raises").returncode == 1
    assert not Path("x.jsonl").exists()
    assert program("new", "first", "raises").returncode == 1
    assert describe(Path("x.jsonl")).responses == 1
    assert program("all", "other", "raises").returncode == 1
    assert describe(Path("x.jsonl")).responses == 1
    assert "first" in Path("x.jsonl").read_text()


@posix
def test_what_a_fork_has_recorded_does_not_bring_half_of_a_program_back(program: Any) -> None:
    assert program("once", "first", "fork", "raises").returncode == 1
    assert asked() == 2
    assert describe(Path("x.jsonl")).responses == 1
    assert "[[ ## question ## ]]\\nfirst" not in Path("x.jsonl").read_text()


def test_without_a_mode_it_is_replayed_alone_and_off_is_without_it(program: Any) -> None:
    done = program(None, "first")
    assert done.returncode == 1
    assert "does not exist; blocked a call" in done.stderr
    assert program("off", "first").stdout == "first answer 1\n"
    assert not Path("x.jsonl").exists()


def test_a_file_that_is_none_is_an_error_before_the_program_has_begun(program: Any) -> None:
    Path("x.jsonl").write_bytes(b'{"cassette":1}\n{"kind":lm}\n')
    done = program("new", "first")
    assert (done.returncode, done.stdout, asked()) == (4, "", 0)
    assert "x.jsonl:2" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cassettes", "new"), "--cassettes needs --cassette FILE"),
        (("--cassette", "x.jsonl", "--cassettes", "onse"), "onse"),
    ],
)
def test_words_that_make_no_sense_are_a_mistake_of_usage(run: Any, words: Any, said: Any) -> None:
    done = run(*words, "--", sys.executable, "-c", "print('began')")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
