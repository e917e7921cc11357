"""`%%dspy_profile NAME --cassette FILE`: one cell that is recorded once, and replayed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ASK = "ask(question='?').answer"


@pytest.fixture
def program(shell: Any, write: Any) -> Iterator[Any]:
    """A model that counts how often it is asked, and a program that asks it."""
    write(
        "house.py",
        """
        from dspy.lm15 import Message, Response, Usage

        asked = []

        class Gateway:
            def complete(self, request):
                asked.append(request)
                return Response(
                    id=None,
                    model=request.model,
                    message=Message.assistant(f"[[ ## answer ## ]]\\nanswer {len(asked)}"),
                    finish_reason="stop",
                    usage=Usage(input_tokens=1, output_tokens=1),
                )

            async def acomplete(self, request):
                return self.complete(request)
        """,
    )
    write(
        "profiles.toml",
        """
        [house.lm]
        model = "house/large"
        cache = false

        [house.provider]
        class = "house.Gateway"
        """,
    )
    shell("import sys; sys.modules.pop('house', None)")
    said = shell("import dspy; ask = dspy.Predict('question -> answer')")
    assert said.error is None
    yield shell
    shell("sys.modules.pop('house', None)")


def cell(body: str, *words: str, cassette: str = "one.jsonl") -> str:
    return f"%%dspy_profile house --cassette {cassette} {' '.join(words)}\n{body}"


@pytest.mark.parametrize(
    "call", ["ask(question='?').answer", "(await ask.acall(question='?')).answer"]
)
def test_a_cell_is_recorded_once_and_replayed_from_then_on(program: Any, call: Any) -> None:
    assert program(cell(call, "--cassettes once")).value == "answer 1"
    assert Path("one.jsonl").exists()
    assert program(cell(call)).value == "answer 1"
    assert program(cell(call, "--cassettes=none")).value == "answer 1"
    assert program("%%dspy_profile house\nask(question='?').answer").value == "answer 2"


def test_a_miss_ends_the_cell_in_a_line_whatever_it_catches(program: Any) -> None:
    program(cell(ASK, "--cassettes once"))
    body = "try:\n    ask(question='another')\nexcept Exception:\n    pass\nprint('went on')"
    said = program(cell(body))
    assert said.kind == "UsageError"
    assert "one.jsonl has no response for this request" in said.err
    assert "[-?-] {+another+}" in said.err
    assert "hint: run the cell with --cassettes new" in said.err
    assert "Traceback" not in said.text
    assert "went on" not in said.out
    assert program.lm() is None


def test_a_value_that_is_not_shown_as_the_cell_ends_badly_is_not_held(program: Any) -> None:
    program("import gc, weakref\nclass Value: pass\ndef made():\n    global seen\n"
            "    value = Value()\n    seen = weakref.ref(value)\n    return value")  # fmt: skip
    in_the_way = "open('tapes', 'w').close()"
    body = f"{ASK}\n{in_the_way}\nmade()"
    said = program(cell(body, "--cassettes once", cassette="tapes/one.jsonl"))
    assert said.kind == "UsageError"
    left = program("gc.collect(); seen()")
    assert (left.error, left.value) == (None, None)


def test_a_cell_that_fails_leaves_the_cassette_as_it_was(program: Any) -> None:
    said = program(cell(f"{ASK}\n1 / 0", "--cassettes once"))
    assert said.kind == "ZeroDivisionError"
    assert not Path("one.jsonl").exists()


def test_later_cells_know_nothing_of_the_cassette(program: Any) -> None:
    program(cell(ASK, "--cassettes once"))
    program("%dspy_profile house")
    assert program("ask(question='?').answer").value == "answer 2"


def test_the_file_may_come_from_python_from_home_and_in_quotes(program: Any, home: Path) -> None:
    program("name = 'two'")
    program(cell(ASK, "--cassettes new", cassette="{name}.jsonl"))
    program(cell(ASK, "--cassettes new", cassette="~/three.jsonl"))
    program(cell(ASK, "--cassettes new", cassette='"four words.jsonl"'))
    assert Path("two.jsonl").exists()
    assert (home / "three.jsonl").exists()
    assert Path("four words.jsonl").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%%dspy_profile house --cassettes once\n1", "--cassettes needs --cassette FILE"),
        ("%%dspy_profile house --cassette x --cassettes onec\n1", 'did you mean "once"?'),
        ("%%dspy_profile house --cassette\n1", "expected one argument"),
        ("%dspy_profile house --cassette x", "%%dspy_profile NAME --cassette x"),
        ("%%dspy_profile house --casette x\n1", 'did you mean "--cassette"?'),
    ],
)
def test_what_cannot_be_is_told_in_a_line(program: Any, line: Any, said: Any) -> None:
    told = program(line)
    assert told.kind == "UsageError"
    assert said in told.text
    assert program.lm() is None


def test_a_file_that_is_no_cassette_is_told_with_its_line(program: Any, write: Any) -> None:
    write("one.jsonl", "hello\n")
    said = program(cell(ASK))
    assert said.kind == "UsageError"
    assert "one.jsonl:1" in said.err
