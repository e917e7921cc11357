"""What may be spent, as users write it; nonsense is an error of ours, whatever it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspy_profiles.config import Budgets, Limits
from dspy_profiles.config._budgets import KINDS
from dspy_profiles.errors import InvalidProfile


def test_each_kind_of_limit_is_read() -> None:
    assert Budgets.from_text("usd=0.5,tokens=100000,calls=200") == Budgets(
        Limits(usd=0.5, tokens=100_000, calls=200)
    )


def test_a_profiles_limits_stand_under_its_name() -> None:
    found = Budgets.from_text(" calls = 9 , prod.calls=20, prod.usd=1.5 ,a.b.tokens=1_000, ")
    assert found.session == Limits(calls=9)
    assert found.profiles == {"prod": Limits(usd=1.5, calls=20), "a.b": Limits(tokens=1000)}


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_nothing_limits_nothing(text: str) -> None:
    found = Budgets.from_text(text)
    assert not found
    assert str(found) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_zero_is_a_limit(kind: str) -> None:
    assert Limits.checked({kind: 0})
    assert Budgets.from_text(f"{kind}=0")
    assert Budgets.from_text(f"prod.{kind}=0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("calls", '"calls" is not a budget'),
        ("5", '"5" is not a budget'),
        ("=5", 'unknown kind of budget ""'),
        ("call=5", 'unknown kind of budget "call"'),
        ("prod.call=5", 'unknown kind of budget "call"'),
        ("prod.=5", 'unknown kind of budget ""'),
        ("calls=", "invalid budget calls=''"),
        ("calls=many", "invalid budget calls='many'"),
        ("calls=-1", "invalid budget calls=-1"),
        ("calls=1.5", "invalid budget calls=1.5"),
        ("calls=1e3", "invalid budget calls=1000.0"),
        ("calls==5", "invalid budget calls='=5'"),
        ("tokens=2.0", "invalid budget tokens=2.0"),
        ("usd=$5", "invalid budget usd='$5'"),
        ("usd=nan", "invalid budget usd=nan"),
        ("usd=inf", "invalid budget usd=inf"),
        ("usd=-0.01", "invalid budget usd=-0.01"),
        ("usd=1e400", "invalid budget usd=inf"),
        (f"usd=1{'0' * 400}", "invalid budget"),
        (f"calls=1{'0' * 5000}", "invalid budget"),
    ],
)
def test_nonsense_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidProfile, match=message.replace("$", r"\$")) as raised:
        Budgets.from_text(text)
    assert raised.value.hint


def test_a_near_miss_is_told() -> None:
    with pytest.raises(InvalidProfile, match='did you mean "tokens"'):
        Limits.checked({"token": 5})
    with pytest.raises(InvalidProfile, match="kinds: usd, tokens, calls"):
        Limits.checked({"euros": 5})


@pytest.mark.parametrize("amount", [True, False, None, "5", [5], {}, float("nan"), 5j])
@pytest.mark.parametrize("kind", KINDS)
def test_no_other_type_is_an_amount(kind: str, amount: object) -> None:
    with pytest.raises(InvalidProfile, match="invalid budget"):
        Limits.checked({kind: amount})


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(), ""),
        (Limits(usd=5), "$5.00"),
        (Limits(usd=1234.5), "$1,234.50"),
        (Limits(usd=0.125), "$0.125"),
        (Limits(0.5, 100_000, 0), "$0.50, 100,000 tokens, 0 calls"),
    ],
)
def test_limits_read_as_amounts(limits: Limits, text: str) -> None:
    assert str(limits) == text


def test_budgets_read_as_a_list() -> None:
    assert str(Budgets.from_text("calls=9,prod.usd=2")) == "9 calls; prod $2.00"
    assert str(Budgets.from_text("prod.usd=2")) == "prod $2.00"


@given(st.text() | st.from_regex(r"([a-z.]{0,9}(usd|tokens|calls)=[-+_.0-9eE]{0,9},?)+"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = Budgets.from_text(text)
    except InvalidProfile:
        return
    for limits in (found.session, *found.profiles.values()):
        amounts = [getattr(limits, kind) for kind in KINDS]
        assert all(amount is None or amount >= 0 for amount in amounts)
    assert bool(str(found)) == bool(found)


NAMES = st.from_regex(r"\A[a-z][a-z0-9_-]{0,8}\Z")
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "usd": st.floats(0, 1e12) | st.integers(0, 10**12),
        "tokens": st.integers(0, 10**12),
        "calls": st.integers(0, 10**12),
    },
)


@given(TABLES, st.dictionaries(NAMES, TABLES.filter(bool)))
def test_what_is_written_is_what_is_read(
    session: dict[str, Any], profiles: dict[str, dict[str, Any]]
) -> None:
    parts = [f"{kind}={amount}" for kind, amount in session.items()]
    for name, table in profiles.items():
        parts += [f"{name}.{kind}={amount}" for kind, amount in table.items()]
    found = Budgets.from_text(",".join(parts))
    assert found.session == Limits(**session)
    assert found.profiles == {name: Limits(**table) for name, table in profiles.items()}
