"""What one command did under several versions, side by side. The records are written by hand."""

from typing import Any

import dspy
import pytest

from dspy_profiles.cli.versions._lines import comparison_lines
from dspy_profiles.results import Store
from dspy_profiles.results.recording import ExperimentWriter, take_part
from dspy_profiles.versions import Command, Comparison, Environment, Ran, compare

TESTS = Command(("pytest",))
MISS = "CassetteMiss: cassettes/t.jsonl has no response for this request"


def shown(comparison: Comparison, *, full: bool = False) -> str:
    return "\n".join(line.plain for line in comparison_lines(comparison, 100, full=full))


def test_equal_runs_differ_in_nothing(told: Any, store: Store) -> None:
    ran = [told(each, ("t.py::a", "passed", None)) for each in ("3.1.3", "3.4.1")]
    comparison = compare(ran, TESTS, store)
    assert not comparison.differs
    assert [row.outcomes for row in comparison.rows] == [["passed", "passed"]]
    assert "no difference in 1 test" in shown(comparison)


def test_an_outcome_that_differs_is_named_with_its_error(told: Any, store: Store) -> None:
    ran = [
        told("3.1.3", ("t.py::a", "passed", None), ("t.py::b", "passed", None)),
        told("3.4.1", ("t.py::a", "passed", None), ("t.py::b", "failed", "TypeError: no k")),
    ]
    comparison = compare(ran, TESTS, store)
    assert comparison.differs
    assert [row.has_other_outcomes for row in comparison.rows] == [False, True]
    text = shown(comparison)
    assert "t.py::b  passed  failed" in text
    assert "+ TypeError: no k" in text
    assert "1 of 2 tests ended differently" in text


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(MISS, "miss"), ("LiveCallBlocked: blocked a call", "blocked"), ("AssertionError", "failed")],
)
def test_a_refused_call_has_an_outcome_of_its_own(
    error: str, outcome: str, told: Any, store: Store
) -> None:
    comparison = compare([told("3.1.3", ("t.py::a", "failed", error))], TESTS, store)
    assert comparison.rows[0].outcomes == [outcome]


def test_tests_of_only_one_version_have_a_row(told: Any, store: Store) -> None:
    ran = [
        told("3.0.4", ("t.py::old", "passed", None)),
        told("3.1.3", ("t.py::new", "passed", None)),
        told("3.4.1", ("t.py::new", "failed", "E"), ("t.py::old", "passed", None)),
    ]
    comparison = compare(ran, TESTS, store)
    assert {row.name: row.outcomes for row in comparison.rows} == {
        "t.py::old": ["passed", None, "passed"],
        "t.py::new": [None, "passed", "failed"],
    }
    assert comparison.differs


def test_a_version_without_a_record_has_empty_cells(told: Any, store: Store, tmp_path: Any) -> None:
    nothing = Ran(Environment(tmp_path, "3.4", "3.4.1", "3.11.7"), tmp_path, 2, 1.0, None)
    comparison = compare([told("3.1.3", ("t.py::a", "passed", None)), nothing], TESTS, store)
    assert comparison.rows[0].outcomes == ["passed", None]
    assert comparison.differs
    assert "3.4.1, not imported" in shown(comparison)


def test_a_command_that_fails_everywhere_is_not_called_equal(told: Any, store: Store) -> None:
    comparison = compare([told("3.1.3", exit_code=4), told("3.4.1", exit_code=4)], TESTS, store)
    assert not comparison.differs
    assert comparison.is_empty
    assert "failed under every version" in shown(comparison)


def test_another_exit_code_differs_even_if_all_tests_agree(told: Any, store: Store) -> None:
    ran = [told("3.1.3", ("a", "passed", None)), told("3.4.1", ("a", "passed", None), exit_code=1)]
    comparison = compare(ran, TESTS, store)
    assert comparison.differs
    assert "the command ended differently" in shown(comparison)


def test_tests_that_fail_under_each_version_are_counted(told: Any, store: Store) -> None:
    ran = [told(each, ("a", "failed", "E")) for each in ("3.1.3", "3.4.1")]
    assert "1 failed under each version: --verbose prints why" in shown(compare(ran, TESTS, store))


def test_many_tests_are_shown_if_they_differ(told: Any, store: Store) -> None:
    same = [(f"t.py::same{nr}", "passed", None) for nr in range(60)]
    ran = [
        told("3.1.3", *same, ("t.py::other", "passed", None)),
        told("3.4.1", *same, ("t.py::other", "failed", "E")),
    ]
    comparison = compare(ran, TESTS, store)
    assert "60 tests without any difference; --full shows all" in shown(comparison)
    assert "t.py::same1 " in shown(comparison, full=True)


class Asks(dspy.utils.DummyLM):  # type: ignore[misc]
    """Answers what it was given, whatever it is asked."""


def asked(store: Store, version: str, hint: str, answer: str, tmp_path: Any) -> Ran:
    """The record of a program that asks one question."""
    writer = ExperimentWriter(store, "app.py")
    writer.title(None)
    ask = dspy.Predict(dspy.Signature("question -> answer", hint))
    folder: Any = store.storage
    with (
        take_part(folder.root, writer.id),
        dspy.context(lm=Asks([{"answer": answer}])),
    ):
        ask(question="Why?")
    done = writer.close("done")
    return Ran(Environment(tmp_path, version, version, "3"), tmp_path / version, 0, 1.0, done)


def test_prompts_responses_and_parsed_outputs_are_compared(store: Store, tmp_path: Any) -> None:
    ran = [
        asked(store, "3.1.3", "Answer in one word.", "Because", tmp_path),
        asked(store, "3.4.1", "Answer in three words.", "I don't know", tmp_path),
    ]
    comparison = compare(ran, Command(("python", "app.py")), store)
    (row,) = comparison.rows
    assert not comparison.differs
    assert {each.what for each in row.differences} == {"prompt", "response", "parsed output"}
    text = shown(comparison)
    assert "Answer in [-one word.-] {+three words.+}" in text
    assert "[-Because-]" in text
    assert "{+I don't know+}" in text
    assert "every test ended the same; 1 of 1 test with differences" in text


def test_the_json_has_words_and_facts(store: Store, tmp_path: Any) -> None:
    ran = [asked(store, each, hint, "Yes", tmp_path) for each, hint in (("1", "a"), ("2", "b"))]
    found = compare(ran, Command(("python", "app.py")), store).to_json()
    assert [each["requested"] for each in found["versions"]] == ["1", "2"]
    (row,) = found["tests"]
    assert row["cells"][0]["calls"] == 1
    (prompt,) = row["differences"]
    assert (prompt["version"], prompt["what"], prompt["field"]) == ("2", "prompt", "system")
    removed, added = (
        text.strip() for kind, text in prompt["words"] if kind in ("removed", "added")
    )
    assert (removed, added) == ("a", "b")


def test_the_record_names_the_dspy_that_was_imported(
    store: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dspy, "__version__", "3.0.99")
    ran = asked(store, "3.1.3", "a", "Yes", tmp_path)
    assert ran.imported == "3.0.99"
