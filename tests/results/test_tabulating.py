"""Trials as CSV, for spreadsheets: what was recorded comes back, and nothing of it is run."""

import csv
import io
from collections.abc import Callable
from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspy_profiles.results import Store, record
from dspy_profiles.results.export import as_csv
from dspy_profiles.results.export._csv import FORMULAS, _cell
from dspy_profiles.secrets import _redaction as redaction

CANARY = "sk-canary-0815"


@pytest.fixture
def store(memory: Store) -> Store:
    return memory


class Echo(dspy.Module):
    """Answers what it is asked to answer."""

    def forward(self, answer: Any = None, **_: Any) -> Any:
        return answer


@pytest.fixture
def table(store: Store) -> Callable[..., list[dict[str, str]]]:
    """The rows of calls with these arguments, by their titles."""

    def table(*calls: dict[str, Any]) -> list[dict[str, str]]:
        with record("calls", store=store) as exp:
            for each in calls:
                Echo()(**each)
        return list(csv.DictReader(io.StringIO(as_csv(exp.id, store), newline="")))

    return table


def test_each_trial_is_a_row_with_a_column_for_each_field(
    store: Store, lm: Any, program: Any, examples: Any
) -> None:
    with record("a run", store=store) as exp:
        dspy.Evaluate(devset=examples(2), metric=lambda *_: 0.5, num_threads=1)(program)
    first, second = csv.DictReader(io.StringIO(as_csv(exp.id, store), newline=""))
    (trial, _) = store.query_trials(exp.id)
    assert list(first) == [
        *("trial", "name", "kind", "status", "score", "started", "ended", "seconds"),
        *("inputs.question", "outputs.answer", "error", "parent", "experiment"),
    ]
    assert (first["trial"], first["experiment"]) == (trial.id, exp.id)
    assert (first["kind"], first["status"], first["score"]) == ("example", "done", "0.5")
    assert first["started"].endswith("Z")
    assert float(first["seconds"]) >= 0
    assert (first["inputs.question"], first["outputs.answer"]) == ("question 0", "Paris")
    assert (second["inputs.question"], second["error"]) == ("question 1", "")


def test_an_experiment_without_trials_is_a_line_of_titles(store: Store, lm: Any) -> None:
    with record("nothing", store=store) as exp:
        pass
    (line,) = as_csv(exp.id, store).splitlines()
    assert line.startswith("trial,name,kind")


def test_fields_that_not_all_have_are_empty_where_they_are_not(
    table: Callable[..., list[dict[str, str]]],
) -> None:
    first, second = table({"a": 1}, {"b": [1, {"c": None}], "answer": "as it is"})
    assert (first["inputs.a"], first["inputs.b"], first["outputs"]) == ("1", "", "")
    assert (second["inputs.a"], second["inputs.b"]) == ("", '[1, {"c": null}]')
    assert second["outputs"] == "as it is"


def test_texts_come_back_as_they_were(table: Callable[..., list[dict[str, str]]]) -> None:
    text = 'two\nlines, a "quote", a\ttab, é 東 🙂 and ; too'
    (row,) = table({"said": text})
    assert row["inputs.said"] == text


@pytest.mark.parametrize(
    "formula",
    ["=cmd|' /C calc'!A0", "@SUM(1+1)", "+1+1", "-1+1", "\t=1", "  =1", "＝1", "|x", "\n=1"],
)
def test_what_a_spreadsheet_would_run_is_text(
    formula: str, table: Callable[..., list[dict[str, str]]]
) -> None:
    (row,) = table({"said": formula, f"{formula} ": 1})
    assert row["inputs.said"] == f"'{formula}"
    assert not any(title.startswith(FORMULAS) for title in row)


@given(st.text())
def test_no_cell_begins_with_what_a_spreadsheet_would_run(text: str) -> None:
    assert not str(_cell(text)).lstrip(" ").startswith(FORMULAS)


def test_a_number_below_zero_is_a_number(table: Callable[..., list[dict[str, str]]]) -> None:
    (row,) = table({"a": -5, "b": -0.5, "c": "-5", "d": True})
    assert [row[f"inputs.{name}"] for name in "abcd"] == ["-5", "-0.5", "'-5", "true"]


def test_a_text_that_no_spreadsheet_takes_is_cut_and_says_so(
    table: Callable[..., list[dict[str, str]]],
) -> None:
    (row,) = table({"said": "x" * 1_000_000})
    assert len(row["inputs.said"]) < 32_767
    assert row["inputs.said"].endswith("x… (1,000,000 characters)")


def test_more_fields_than_a_spreadsheet_has_columns_stay_together(
    table: Callable[..., list[dict[str, str]]],
) -> None:
    (row,) = table({f"field{n}": n for n in range(300)})
    assert row["inputs"].startswith('{"field0": 0, "field1": 1')
    assert '"field299": 299' in row["inputs"]


def test_a_secret_that_is_known_only_now_is_in_no_cell(
    table: Callable[..., list[dict[str, str]]], store: Store
) -> None:
    table({"said": f"it is {CANARY}", CANARY: 1, "answer": {"key": CANARY}})
    redaction.remember(CANARY, "${KEY}")
    (experiment,) = store.query_experiments()
    text = as_csv(experiment.id, store)
    assert CANARY not in text
    assert "it is ${KEY}" in text
