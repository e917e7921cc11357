"""`--where`: a few words choose trials, and what cannot be meant is told apart from what can."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspy_profiles.errors import ProfileError
from dspy_profiles.results import Trial
from dspy_profiles.results._model import moment
from dspy_profiles.results.export import parse_where
from dspy_profiles.results.export._where import FIELDS, OPERATORS, Condition, is_good

NOW = moment("2026-11-21T12:00:00Z")


def trial(score: float | None = 0.8, status: str = "done", **more: Any) -> Trial:
    given = {"name": "example 1", "kind": "example", **more}
    return Trial("t", "e", given.pop("name"), status, score, NOW, **given)


def chosen(where: str, of: Trial) -> bool:
    return is_good(of, parse_where(where))


@pytest.mark.parametrize(
    ("where", "is_chosen"),
    [
        ("score>=0.8", True),
        ("score > 0.8", False),
        ("score<0.9", True),
        ("score<=0.7", False),
        ("score=0.8", True),
        ("score==0.80", True),
        ("score!=0.8", False),
        ("score>-1", True),
        ("score>=8e-1", True),
        ("kind=example", True),
        ("kind!=example", False),
        ("status=done", True),
        ('name="example 1"', True),
        ("name='example 1'", True),
        ("name='example 2'", False),
        ("score>=0.8 and kind=example", True),
        ("score>=0.8 AND kind=test", False),
        ("  score>=0.5 and status=done and kind=example  ", True),
    ],
)
def test_a_trial_is_chosen_where_all_of_it_holds(where: str, is_chosen: bool) -> None:
    assert chosen(where, trial()) is is_chosen


@pytest.mark.parametrize("where", ["score>=0", "score<1", "score=0", "score!=1"])
def test_a_trial_without_a_score_is_neither_above_nor_below_nor_beside_anything(
    where: str,
) -> None:
    assert not chosen(where, trial(score=None))


@pytest.mark.parametrize(
    ("of", "good"),
    [
        (trial(), True),
        (trial(score=None), True),
        (trial(score=0.0), True),
        (trial(error="its metric failed"), False),
        (trial(status="failed"), False),
        (trial(status="interrupted"), False),
        (trial(status="skipped"), False),
        (trial(status="running"), False),
    ],
)
def test_without_conditions_what_ended_without_an_error_is_good(of: Trial, good: bool) -> None:
    assert is_good(of, ()) is good


@pytest.mark.parametrize(
    ("where", "said", "hint"),
    [
        ("", "a condition is missing", "score>=0.8 and kind=example"),
        ("   ", "a condition is missing", "score>=0.8 and kind=example"),
        ("score>=0.8 and", "a condition is missing", "score>=0.8"),
        ("good ones", '"good ones" is not a condition', "score>=0.8"),
        ("0.8<=score", '"0.8<=score" is not a condition', "score>=0.8"),
        ("scor>=0.8", 'unknown field "scor"', 'did you mean "score"'),
        ("price>1", 'unknown field "price"', "score, status, kind, name"),
        ("score=>0.8", 'unknown operator "=>"', ">= <= != == = > <"),
        ("score~0.8", 'unknown operator "~"', ">="),
        ("score>=high", '"high", which is not a number', "score>=0.8"),
        ("score>=nan", '"nan", which is not a number', "score>=0.8"),
        ("score<inf", '"inf", which is not a number', "score>=0.8"),
        ("status=doen", 'unknown status "doen"', 'did you mean "done"'),
        ("kind=Example", 'unknown kind "Example"', 'did you mean "example"'),
        ("name>b", "> does not compare strings such as name", "write = or !="),
        (
            "score>0.5 kind=example",
            '"and" is missing before "kind=example"',
            'join conditions with "and"',
        ),
        ("name=example 1", '"and" is missing before "1"', "quote strings"),
        (
            "score>0.5 or score<0.1",
            '"and" is missing before "or score',
            'join conditions with "and"',
        ),
        ("score>0.5, kind=example", '"0.5,", which is not a number', "score>=0.8"),
    ],
)
def test_what_is_no_condition_is_said_with_how_to_write_it(
    where: str, said: str, hint: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_where(where)
    assert said in caught.value.message
    assert hint in str(caught.value.hint)


@given(st.text(st.sampled_from([*"scoretaukindme\"'<>=!~. 018-"]), max_size=40))
def test_any_text_is_conditions_or_an_error_of_ours_with_a_hint(where: str) -> None:
    bars: tuple[Condition, ...] = ()
    hint: str | None = "write it so"
    try:
        bars = parse_where(where)
    except ProfileError as error:
        hint = error.hint
    assert hint
    assert all(bar.field in FIELDS and bar.operator in OPERATORS for bar in bars)
    assert isinstance(is_good(trial(), bars), bool)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([">=", "<=", ">", "<", "=", "!="]),
            st.floats(-10, 10, allow_nan=False),
        ),
        min_size=1,
        max_size=4,
    ),
    st.floats(-10, 10, allow_nan=False),
)
def test_numbers_are_compared_as_python_compares_them(
    conditions: list[tuple[str, float]], score: float
) -> None:
    where = " and ".join(f"score{sign}{value!r}" for sign, value in conditions)
    expected = all(OPERATORS[sign](score, value) for sign, value in conditions)
    assert chosen(where, trial(score=score)) is expected
