"""Every call passes the stages: counted, held by guard and budget, retried, cached."""

import asyncio
from typing import Any

import dspy
import pytest

from dspy_profiles import profile
from dspy_profiles.activation import stages_for_block
from dspy_profiles.calls import Guard, Meter, Refused, Usage
from dspy_profiles.calls.budget import Accounts
from dspy_profiles.config import Budgets
from dspy_profiles.errors import BudgetExceeded


@pytest.fixture
def meter(clean_calls: None) -> Any:
    return Meter()


def ask() -> str:
    return str(dspy.Predict("question -> answer")(question="Capital?").answer)


def test_calls_tokens_and_cost_add_up(meter: Meter, live: str) -> None:
    with profile(live), stages_for_block([meter]):
        assert ask() == "Paris"
        assert asyncio.run(dspy.Predict("question -> answer").acall(question="Async?"))
    cost: Any = pytest.approx(2 * 0.00021)
    assert meter.so_far == Usage(calls=2, tokens=2200, cost=cost)


def test_what_dspys_cache_answers_is_counted_apart(meter: Meter, live: str, server: Any) -> None:
    with profile(live, lm={"cache": True}), stages_for_block([meter]):
        ask(), ask()
    assert (meter.so_far.calls, meter.so_far.cached, len(server.asked)) == (1, 1, 1)


def test_each_retry_is_a_call(meter: Meter, live: str, server: Any) -> None:
    server.statuses = [500]
    with profile(live, lm={"num_retries": 2}), stages_for_block([meter]):
        assert ask() == "Paris"
    assert (meter.so_far.calls, len(server.asked)) == (2, 2)


def test_a_budget_stops_the_next_call(live: str, server: Any) -> None:
    stage = Accounts("this block", Budgets.from_text("calls=1")).stage(live)
    assert stage is not None
    with pytest.raises(BudgetExceeded), profile(live), stages_for_block([stage]):
        _ = [ask(), ask()]
    assert len(server.asked) == 1


def test_a_guard_lets_no_call_through(live: str, server: Any) -> None:
    guard = Guard("this test", "it is offline", "")
    with profile(live), stages_for_block([guard]), pytest.raises(Refused):
        ask()
    assert server.asked == []


@pytest.mark.filterwarnings("ignore:Implementing custom LMs:DeprecationWarning")
def test_an_lm_with_a_forward_of_its_own_passes(meter: Meter) -> None:
    class Own(dspy.BaseLM):  # type: ignore[misc]
        def forward(self, prompt: Any = None, messages: Any = None, **_: Any) -> Any:
            import litellm

            message = {"role": "assistant", "content": "[[ ## answer ## ]]\nmine"}
            usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
            return litellm.ModelResponse(
                model="own", choices=[{"message": message, "finish_reason": "stop"}], usage=usage
            )

    with dspy.context(lm=Own(model="own")), stages_for_block([meter]):
        assert ask() == "mine"
    assert (meter.so_far.calls, meter.so_far.tokens) == (1, 6)


def test_dspys_dummy_passes(meter: Meter) -> None:
    with dspy.context(lm=dspy.utils.DummyLM([{"answer": "x"}])), stages_for_block([meter]):
        assert ask() == "x"
    assert meter.so_far.calls == 1


def test_the_history_is_dspys(live: str) -> None:
    with profile(live):
        ask()
        (entry,) = dspy.settings.lm.history
    assert entry["usage"]["total_tokens"] == 1100
