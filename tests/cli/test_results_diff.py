"""`results diff`: what became better or worse, and whether that may be."""

from typing import Any

import pytest


def test_it_says_what_became_better_and_worse_and_how_the_words_changed(
    quick: Any, recorded: Any
) -> None:
    done = quick("results", "diff", "base", "short", env={"COLUMNS": "100"})
    assert (done.code, done.err) == (0, "")
    assert "2 better · 1 worse · 1 same" in done.out
    telling = ("better", "worse", "score", "answer", "A  ValueError")
    assert [line for line in done.lines if line and line[0].startswith(telling)] == [
        ["score", "0.5", "0.75", "+0.25"],
        ["worse", "example 2", "1 → 0", "=2+2"],
        ["answer", "[-4-]{+five+}"],
        ["better", "example 1", "0 → 1", "What is the capital of Italy?"],
        ["answer", "[-Milan-]{+Rome+}"],
        ["better", "example 3", "0 → 1", "Who wrote Hamlet?"],
        ["answer", "{+Shakespeare+}"],
    ]


def test_a_prompt_that_changed_for_all_is_shown_once(quick: Any, recorded: Any) -> None:
    done = quick("results", "diff", "base", "short", env={"COLUMNS": "100"})
    assert done.out.count("{+Answer in one short") == 1
    assert "think.predict · system   in 3 trials" in done.out
    assert "{+Answer in one short word.+}" in " ".join(done.out.split())


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits_the_terminal(quick: Any, recorded: Any, width: Any) -> None:
    done = quick("results", "diff", "base", "short", env={"COLUMNS": str(width)})
    assert max(map(len, done.out.splitlines())) <= width
    for experiment_id in (recorded.base, recorded.short):
        assert experiment_id in done.out


def test_the_same_experiment_has_no_difference(quick: Any, recorded: Any) -> None:
    done = quick("results", "diff", "base", "base", "--max-drop", "0")
    assert done.code == 0
    assert "0 better · 0 worse · 4 same" in done.out
    assert "{+" not in done.out
    assert done.out.splitlines()[-1].startswith("passed  the score stayed")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["base", "short", "--max-drop", "0"], 0, "passed  the score rose"),
        (["short", "base", "--max-drop", "0.25"], 0, "passed  the score fell"),
        (["short", "base", "--max-drop", "0.2"], 1, "failed  the score fell by 0.25"),
        (["short", "base"], 0, ""),
    ],
)
def test_a_drop_that_is_too_large_ends_with_1(
    quick: Any, recorded: Any, words: Any, code: Any, said: Any
) -> None:
    done = quick("results", "diff", *words)
    assert (done.code, done.err) == (code, "")
    assert said in done.out.splitlines()[-1]
    as_json = quick("results", "diff", *words, "--json")
    assert as_json.code == code
    gate = as_json.payload["gate"]
    assert (gate is None) == (said == "")
    assert gate is None or gate["passed"] == (code == 0)


def test_json_has_it_all(quick: Any, recorded: Any) -> None:
    found = quick("results", "diff", "base", "short", "--max-drop", "0.5", "--json").json
    assert found["score"] == {"a": 0.5, "b": 0.75, "difference": 0.25}
    assert (found["a"]["id"], found["b"]["id"]) == (recorded.base, recorded.short)
    assert found["counts"]["better"] == 2
    assert [each["verdict"] for each in found["trials"]] == ["same", "better", "worse", "better"]
    words = found["trials"][1]["changes"][0]["words"]
    assert words == [["removed", "Milan"], ["added", "Rome"]]
    assert found["gate"] == {"max_drop": 0.5, "passed": True, "reason": found["gate"]["reason"]}
    plain = quick("results", "diff", "base", "short", "--json").json
    assert plain["gate"] is None


def test_markup_and_escapes_in_what_programs_say_do_nothing(quick: Any, recorded: Any) -> None:
    done = quick("results", "diff", "base", "short")
    assert "<b>such</b>" in done.out
    assert "\x1b" not in done.out
