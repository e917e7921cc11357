"""What was used, added up: calls, tokens and money; what is unknown stays unknown."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest
from tests.shapes import lm15

from dspy_profiles import profile
from dspy_profiles.calls import Answer, Meter, Usage, total

PRICE = 1000 * 0.15e-6 + 100 * 0.6e-6


@pytest.fixture
def meter(stand: Any) -> Meter:
    made = Meter()
    stand(made)
    return made


def test_calls_tokens_and_cost_add_up(meter: Meter, openai: Any) -> None:
    lm = openai()
    lm("Why?")
    lm("When?", n=2)
    cost: Any = pytest.approx(3 * PRICE)
    assert meter.so_far == Usage(calls=3, tokens=3300, cost=cost)


def test_an_unknown_price_makes_the_sum_unknown_whatever_comes_after(
    meter: Meter, openai: Any
) -> None:
    known, unknown = openai(), openai("openai/unheard-of")
    known("Why?")
    assert meter.so_far.cost == pytest.approx(PRICE)
    unknown("Why?")
    known("Why?")
    assert meter.so_far.cost is None
    assert meter.so_far.calls == 3


def test_a_mock_costs_nothing_though_its_price_is_not_known(meter: Meter) -> None:
    with profile("mock"):
        dspy.Predict("question -> answer")(question="Why?")
    assert meter.so_far.cost == 0.0
    assert meter.so_far.calls == 1
    assert meter.so_far.tokens > 0


def test_what_is_cached_costs_nothing_and_is_counted_apart(meter: Meter, openai: Any) -> None:
    lm = openai(cache=True)
    lm("Why?")
    lm("Why?")
    cost: Any = pytest.approx(PRICE)
    assert meter.so_far == Usage(calls=1, tokens=1100, cost=cost, cached=1)


def test_what_is_replayed_costs_nothing_and_is_counted_apart(
    stand: Any, listener: Any, engine: Any, lm_of: Any
) -> None:
    meter, cassette = Meter(), listener()
    stand(meter, cassette)
    cassette.says = Answer(engine().answer, usage={"total_tokens": 12})
    lm_of(engine())("Why?")
    assert meter.so_far == Usage(replayed=1)


def test_a_call_that_failed_was_a_call(meter: Meter, engine: Any, lm_of: Any) -> None:
    lm = lm_of(engine(lm15.ServerError("down", retry_after=0)), num_retries=1)
    lm("Why?")
    assert meter.so_far.calls == 2


def test_embedders_and_retrievers_are_no_calls_of_an_lm(
    meter: Meter, server: Any, without_numpy: None
) -> None:
    dspy.Embedder(lambda texts: [[1] for _ in texts], caching=False)("a")
    dspy.ColBERTv2(url=server.url)("q")
    with pytest.raises(AttributeError):
        dspy.Embedder(lambda _: None.missing, caching=False)("a")  # type: ignore[attr-defined]
    assert meter.so_far == Usage()


def test_threads_lose_no_call(meter: Meter, engine: Any, lm_of: Any) -> None:
    lm = lm_of(engine())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: lm("Why?"), range(200)))
    assert (meter.so_far.calls, meter.so_far.tokens) == (200, 2400)
    assert len(lm.history) == 200


def test_sums_are_known_only_where_all_parts_are() -> None:
    one, other = Usage(1, 10, 0.5, 2, 3), Usage(10, 20, 0.25, 1, 1)
    assert one + other == Usage(11, 30, 0.75, 3, 4)
    assert (one + Usage(cost=None)).cost is None
    assert (Usage(cost=None) + one).cost is None
    assert total([one, other, one]) == Usage(12, 40, 1.25, 5, 7)
    assert total([]) == Usage(cost=0.0)


@pytest.mark.parametrize("used", [Usage(calls=1), Usage(cached=1), Usage(replayed=1)])
def test_anything_that_was_asked_is_use(used: Usage) -> None:
    assert used


def test_nothing_that_was_asked_is_no_use() -> None:
    assert not Usage()
    assert not Usage(cost=None)
