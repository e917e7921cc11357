"""A miss says what was asked, what comes nearest, and what to do."""

from typing import Any

import pytest

from dspy_profiles.calls import Refused
from dspy_profiles.errors import CassetteMiss

COMMAND = "pytest tests/test_qa.py::test_x --dspy-cassettes new"


@pytest.fixture
def miss(playing: Any, silent: Any, ask: Any) -> Any:
    def miss(question: Any, **config: Any) -> Any:
        with playing("none", silent, command=COMMAND), pytest.raises(Refused) as held:
            ask(question, **config)
        assert isinstance(held.value.error, CassetteMiss)
        return held.value.error

    return miss


def test_it_shows_the_nearest_request_and_the_words_that_differ(
    playing: Any, lm_of: Any, ask: Any, miss: Any
) -> None:
    with playing("once", lm_of("a", "b")):
        ask("What is the capital of France, and since when has it been that?")
        ask("Who wrote this?")
    error = miss("What is the capital of Spain, and since when has it been that?")
    assert error.message.splitlines() == [
        "cassettes/x.jsonl has no response for this request to own/model",
        "nearest entry (line 3, 99% similar), [-recorded-] {+requested+}:",
        "  prompt: … What is the capital of [-France,-] {+Spain,+} and since when has",
        "    it …",
    ]
    assert error.hint == COMMAND


def test_it_says_which_parameters_differ(playing: Any, lm_of: Any, ask: Any, miss: Any) -> None:
    with playing("once", lm_of("a")):
        ask("Why?", temperature=0.0, stop=["x"])
    said = miss("Why?", temperature=0.7, max_tokens=100).message
    assert "  temperature: [-0.0-] {+0.7+}" in said
    assert "  max_tokens: {+100+}" in said
    assert '  stop: [-["x"]-]' in said
    assert "prompt" not in said


def test_it_says_when_all_answers_are_used(playing: Any, lm_of: Any, silent: Any, ask: Any) -> None:
    with playing("once", lm_of("a")):
        ask()
    with playing("none", silent):
        ask()
        with pytest.raises(
            Refused, match=r"x.jsonl has 1 response for this(.|\n)*the\s2nd request"
        ):
            ask()


def test_it_says_when_there_is_no_file_and_when_nothing_is_in_it(path: Any, miss: Any) -> None:
    assert (
        "cassette cassettes/x.jsonl does not exist; blocked a call to own/model"
        in miss("Why?").message
    )
    path.parent.mkdir()
    path.write_text('{"cassette":1}\n')
    assert "it has no lm entries" in miss("Why?").message


def test_it_fits_in_eighty_columns_and_is_short(
    playing: Any, lm_of: Any, ask: Any, miss: Any
) -> None:
    words = [f"word{n}" for n in range(4000)]
    with playing("once", lm_of("a")):
        ask(" ".join(words))
    changed = [word.upper() if n % 97 == 0 else word for n, word in enumerate(words)]
    said = str(miss(" ".join(changed)))
    assert max(map(len, said.splitlines())) <= 80
    assert len(said) < 2000
    assert "and more" in said


def test_among_many_it_finds_the_nearest(playing: Any, lm_of: Any, ask: Any, miss: Any) -> None:
    with playing("once", lm_of(*map(str, range(300)))):
        for n in range(300):
            ask(f"Question {n}: how many are {n} and {n * 7}?")
    assert "[-1050?-] {+1051?+}" in miss("Question 150: how many are 150 and 1051?").message
