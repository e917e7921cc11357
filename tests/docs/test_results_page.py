"""The page on recorded runs names everything that a record has, and everything that reads it."""

import re
from dataclasses import fields
from typing import Any

import pytest

from dspy_profiles import results
from dspy_profiles.results import Store
from dspy_profiles.results import _model as model
from dspy_profiles.results.recording import _json as values
from dspy_profiles.results.recording import _status as status
from dspy_profiles.results.views import _notebook as notebook
from dspy_profiles.results.views import _page as page
from dspy_profiles.results.views import _terminal as terminal

RECORDS = (
    model.Experiment,
    model.Trial,
    model.Event,
    model.Decision,
    model.Score,
    model.Candidate,
    model.Fault,
)


@pytest.fixture
def sections(docs: Any) -> Any:
    """What the page says, by its headings."""
    parts = re.split(
        r"^## (.+)$", (docs / "reference/results.md").read_text("utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", vars(results)["__all__"])
def test_every_public_name_has_a_heading(name: Any, sections: Any) -> None:
    assert f"`{name}`" in sections


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_is_named(record: Any, sections: Any) -> None:
    said = set(re.findall(r"`(\w+)`", sections[f"`{record.__name__}`"]))
    assert {each.name for each in fields(record)} <= said


def test_every_method_of_a_store_is_named(sections: Any) -> None:
    said = set(re.findall(r"`(\w+)(?:\(.*?\))?`", sections["`Store`"]))
    assert {name for name in vars(Store) if not name.startswith("_")} <= said


def test_the_limits_are_those_of_the_code(sections: Any) -> None:
    limits = (values.LONGEST, values.FOLD, values.SHOWN, values.MOST_ITEMS, values.DEEPEST)
    for number in (*limits, status.LONGEST_ERROR):
        assert f"{number:,} " in sections["Limits"] or f"| {number} |" in sections["Limits"]
    shown = sections["`TrialView`"]
    in_pages = (page.MOST_ROWS, page.MOST_DECISIONS, page.LONGEST, page.BUDGET // 2**20)
    for number in (terminal.SHOWN, notebook.MOST, notebook.LONGEST, notebook.BUDGET, *in_pages):
        assert f"{number:,}" in shown
