"""A budget: calls are exact, tokens and dollars stop the next call, and the error says it all."""

import asyncio
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest
from tests.shapes import engine_lm, lm15, lm_error

from dspy_profiles import profile
from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls import Answer, Guard, Meter, Refused, Stage
from dspy_profiles.calls.budget import Account, Budget, Tally
from dspy_profiles.calls.budget._shared_tally import Spent
from dspy_profiles.config import Limits
from dspy_profiles.errors import BudgetExceeded


def spend(lm: Any) -> int:
    """Call until a budget holds; how often that went well."""
    for made in range(10_000):
        try:
            lm("Why?")
        except Refused:
            return made
    raise AssertionError("no budget holds")


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_so_many_calls_are_made_and_not_one_more(
    limit: int, limited: Any, lm: Any, engine: Any
) -> None:
    account = limited(calls=limit)
    assert spend(lm) == limit
    assert engine.made == account.spent.calls == limit


def test_what_is_refused_is_not_charged(limited: Any, lm: Any) -> None:
    account = limited(calls=2)
    spend(lm)
    spend(lm)
    assert account.spent.calls == 2
    assert account.in_flight == 0


def test_the_error_gets_out_as_what_it_is(limited: Any, lm: Any) -> None:
    limited(calls=0)
    with pytest.raises(Refused) as raised:
        lm("Why?")
    assert isinstance(raised.value.error, BudgetExceeded)


def test_calls_of_mocks_and_of_candidates_count(limited: Any, lm: Any, engine: Any) -> None:
    account = limited(calls=4)
    with profile("mock"):
        dspy.Predict("question -> answer")(question="Why?")
    lm("Why?", n=2)
    assert account.spent.calls == 3
    with pytest.raises(Refused):
        lm("Why?", n=2)
    assert engine.made == 3
    assert account.spent.calls == 4


def test_asynchronous_calls_count(limited: Any, lm: Any, engine: Any) -> None:
    limited(calls=2)

    class Side:
        async def complete(self, request: Any) -> Any:
            return engine.complete(request)

    both = engine_lm("own/model", engine=engine, async_engine=Side(), cache=False)

    async def main() -> list[Any]:
        calls = (both.acall("Why?") for _ in range(5))
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(main())
    assert sum(isinstance(each, Refused) for each in found) == 3
    assert engine.made == 2


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """They take turns at every step, so that what is not locked goes wrong."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_share_it_to_the_call(
    limited: Any, lm: Any, engine: Any, hurried_threads: None
) -> None:
    account = limited(calls=100)
    with ThreadPoolExecutor(8) as pool:
        made = sum(pool.map(spend, [lm] * 8))
    assert made == engine.made == account.spent.calls == 100
    assert account.spent.tokens == 1200
    assert account.in_flight == 0


def test_tokens_that_are_spent_refuse_the_next_call(limited: Any, lm: Any) -> None:
    account = limited(tokens=13)  # a call takes twelve: the second one goes over it
    assert spend(lm) == 2
    assert account.spent.tokens == 24


def test_tokens_that_are_spent_to_the_last_refuse_the_next_call(limited: Any, lm: Any) -> None:
    limited(tokens=24)
    assert spend(lm) == 2


def test_dollars_that_are_spent_refuse_the_next_call(limited: Any, priced_lm: Any) -> None:
    account = limited(usd=0.6)
    assert spend(priced_lm) == 3
    assert account.spent == Spent(3, 36, 0.75)


def test_a_price_that_is_not_known_is_an_error_where_dollars_are_counted(
    limited: Any, lm: Any, engine: Any
) -> None:
    limited(usd=5)
    with pytest.raises(Refused) as raised:
        lm("Why?")
    assert raised.value.error.message == (
        "price of own/model is unknown, so the budget of this test in dollars cannot be enforced"
    )
    assert raised.value.error.hint is not None
    assert "tokens= or calls=" in raised.value.error.hint
    assert engine.made == 1  # it is known only afterwards


def test_a_price_that_is_not_known_does_not_matter_elsewhere(limited: Any, lm: Any) -> None:
    account = limited(calls=5, tokens=500)
    lm("Why?")
    assert account.spent == Spent(1, 12, 0.0)


def test_a_mock_needs_no_price(limited: Any) -> None:
    account = limited(usd=5)
    with profile("mock"):
        dspy.Predict("question -> answer")(question="Why?")
    assert account.spent.calls == 1
    assert account.spent.usd == 0


def test_a_replay_is_not_charged(lm: Any, stand: Any, engine: Any) -> None:
    class Cassette(Stage):
        rank = 10

        def before(self, call: Any) -> Answer:
            return Answer(engine.complete(None), usage={"total_tokens": 12})

    account = Account("this test", Limits(calls=1, tokens=1, usd=0.1))
    stand(Budget([account]), Cassette())
    lm("Why?")
    lm("Why?")
    assert account.spent == Spent()


def test_a_call_that_the_guard_holds_is_not_charged(lm: Any, stand: Any) -> None:
    account = Account("this test", Limits(calls=1))
    stand(Budget([account]), Guard("this test", "--dspy-live block", "use a mock"))
    with pytest.raises(Refused, match="block"):
        lm("Why?")
    assert account.spent == Spent()
    assert account.in_flight == 0


def test_a_call_that_fails_is_charged_as_a_call(limited: Any) -> None:
    class Fails:
        def complete(self, request: Any) -> Any:
            raise lm15.ServerError("down", retry_after=0)

    account = limited(calls=5)
    with pytest.raises(lm_error("LMError")):
        engine_lm("own/model", engine=Fails(), cache=False, num_retries=2)("Why?")
    assert account.spent == Spent(calls=3)
    assert account.in_flight == 0


def test_embedders_and_retrievers_are_not_charged(limited: Any) -> None:
    account = limited(calls=0)
    with pytest.raises(OSError, match="refused"):
        dspy.ColBERTv2(url="http://127.0.0.1:1/search", post_requests=True)("q")
    assert account.spent == Spent()


def test_the_error_says_what_was_spent_on_what(stand: Any, priced_lm: Any, engine: Any) -> None:
    account = Account("this test", Limits(calls=3))
    stand(Budget([account]))
    other = engine_lm("other/model", engine=engine, cache=False)
    other("Why?")
    priced_lm("Why?")
    priced_lm("Why?")
    with pytest.raises(Refused) as raised:
        priced_lm("Why?")
    assert raised.value.error.message == (
        "budget of this test reached: 3 of 3 calls; blocked a call to own/model"
    )
    assert raised.value.error.hint == (
        "raise the limit, or look for a loop "
        "(so far: 3 calls (own/model 2, other/model 1), 36 tokens, $0.75)"
    )


def test_the_error_says_which_limit_is_reached(limited: Any, priced_lm: Any) -> None:
    limited(calls=100, tokens=500_000, usd=1)
    spend(priced_lm)
    with pytest.raises(Refused, match=r"reached: \$1.00 of \$1.00; blocked a call"):
        priced_lm("Why?")


def test_small_amounts_do_not_read_as_nothing(stand: Any, lm: Any) -> None:
    account = Account("this test", Limits(usd=0.00005))
    account.write(None, Spent(1, 10, 0.00006))
    stand(Budget([account]))
    with pytest.raises(Refused, match=r"\$0.00006 of \$0.00005"):
        lm("Why?")


def test_what_is_under_way_is_reported(limited: Any, lm: Any, engine: Any) -> None:
    account = limited(calls=1)
    engine.may_answer.clear()
    caller = threading.Thread(target=lm, args=("Why?",))
    caller.start()
    engine.reached.wait()
    assert account.in_flight == 1
    with pytest.raises(Refused, match=r"so far: 1 call, 1 still running, 0 tokens"):
        lm("Why?")
    engine.may_answer.set()
    caller.join()
    assert account.in_flight == 0
    with pytest.raises(Refused) as raised:
        lm("Why?")
    assert "still running" not in str(raised.value)


def test_the_first_account_that_is_spent_is_named_and_no_other_is_charged(
    stand: Any, lm: Any
) -> None:
    test, session = Account("this test", Limits(calls=9)), Account("this session", Limits(calls=1))
    stand(Budget([test, session]))
    lm("Why?")
    with pytest.raises(Refused, match="budget of this session reached"):
        lm("Why?")
    assert (test.spent.calls, session.spent.calls) == (1, 1)


def test_own_and_shared_accounts_are_charged_together(stand: Any, lm: Any, tally: Tally) -> None:
    own = Account("this test", Limits(calls=9))
    shared = [Account(f"shared {n}", Limits(calls=9), tally, place=n) for n in (0, 2)]
    stand(Budget([own, *shared]))
    lm("Why?")
    assert [each.spent for each in (own, *shared)] == [Spent(1, 12)] * 3
    with tally.locked() as slots:
        assert slots[1] == Spent()


def test_a_finished_test_is_charged_for_the_examples_that_it_left_behind(
    lm: Any, engine: Any
) -> None:
    meter, later = Meter(), Account("the next test", Limits(calls=100))
    account = Account("this test", Limits(calls=5))
    examples = [dspy.Example(question=f"{n}").with_inputs("question") for n in range(60)]
    evaluate = dspy.Evaluate(
        devset=examples,
        metric=lambda *_: 1.0,
        num_threads=3,
        max_errors=99,
        display_progress=False,
    )
    before = set(threading.enumerate())
    program = dspy.Predict("question -> answer")
    with (
        stages.stages_for_block([meter, Budget([account])]),
        dspy.context(lm=lm),
        pytest.raises(Refused),
    ):
        evaluate(program)
    with stages.stages_for_block([Budget([later])]):
        joined(set(threading.enumerate()) - before)
        lm("Why?")
    assert later.spent.calls == 1
    assert account.spent.calls == 5
    assert engine.made == 6
    assert meter.so_far.calls == 5
    assert all(isinstance(error, BudgetExceeded) for error in meter.errors)


def joined(threads: Iterable[threading.Thread]) -> None:
    for each in threads:
        if not each.daemon:  # a progress bar's own goes on for ever
            each.join()
