"""A forced session that is offline stays so: code that names its own LM is held back."""

import textwrap
from typing import Any

import pytest


@pytest.fixture
def live(write: Any) -> Any:
    """A program that asks a model of its own, and never gets an answer."""

    def written(name: str, body: str) -> Any:
        return write(
            name,
            f"""
import threading
import dspy

def ask():
    lm = dspy.LM("openai/gpt-4o-mini", api_key="k", api_base="http://127.0.0.1:9/v1")
    with dspy.context(lm=lm):
        return dspy.Predict("question -> answer")(question="?")

{textwrap.dedent(body)}
""",
        )

    return written


def test_a_live_call_ends_the_program_with_one_line(run: Any, live: Any) -> None:
    live("program.py", "ask()\nprint('went on')")
    done = run("-p", "mock", "--force", "program.py")
    assert done.returncode == 1
    assert done.stdout == ""
    (line, place, hint) = done.stderr.splitlines()
    assert line.startswith("dspy-profiles: error: blocked a live call to openai/gpt-4o-")
    assert place.endswith("program.py:7")
    assert "lm()" in hint


def test_it_gets_past_evaluate_and_parallel(run: Any, live: Any) -> None:
    live(
        "program.py",
        """
        examples = [dspy.Example(question="?").with_inputs("question")] * 3
        class Program(dspy.Module):
            def forward(self, question):
                return ask()
        dspy.Evaluate(devset=examples, metric=lambda *_: 1, max_errors=99)(Program())
        print("went on")
        """,
    )
    done = run("-p", "mock", "--force", "program.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert "blocked a live call" in done.stderr


def test_on_a_thread_it_is_told_in_one_line_too(run: Any, live: Any) -> None:
    live(
        "program.py",
        """
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        print("done")
        """,
    )
    done = run("-p", "mock", "--force", "program.py")
    assert done.stdout == "done\n"
    assert "blocked a live call" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_force_nothing_is_held_back(run: Any, live: Any) -> None:
    live(
        "program.py",
        """
        try:
            ask()
        except dspy.LMError as error:
            print(type(error).__name__)
        """,
    )
    done = run("-p", "mock", "program.py")
    assert done.stdout == "LMTransportError\n"


def test_errors_of_the_program_look_as_ever(run: Any, live: Any) -> None:
    live("program.py", "raise ValueError('mine')")
    done = run("-p", "mock", "--force", "program.py")
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ValueError: mine\n")
