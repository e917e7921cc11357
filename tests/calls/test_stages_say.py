"""Stages are asked in turn; those that were asked hear what became of the call."""

import asyncio
from typing import Any

import dspy
import pytest
from tests.shapes import lm15, lm_error

from dspy_profiles.calls import Answer, Call, Refused, Stage, refusal_in
from dspy_profiles.errors import LiveCallBlocked, Place, ProfileError


@pytest.fixture
def three(listener: Any) -> tuple[list[str], Any, Any, Any]:
    log: list[str] = []
    return log, listener(log, "a"), listener(log, "b"), listener(log, "c")


def test_they_are_asked_outermost_first_and_told_innermost_first(
    three: Any, stand: Any, engine: Any, lm_of: Any
) -> None:
    log, *stages = three
    stand(*stages)
    lm_of(engine())("Why?")
    asked = ["a before", "b before", "c before"]
    assert log == [*asked, "c after", "b after", "a after", "c priced", "b priced", "a priced"]


def test_a_failure_is_told_innermost_first(three: Any, stand: Any, engine: Any, lm_of: Any) -> None:
    log, *stages = three
    stand(*stages)
    with pytest.raises(lm_error("LMError")):
        lm_of(engine(ValueError("broken")), num_retries=0)("Why?")
    assert log[3:] == ["c failed", "b failed", "a failed"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_one_answers_in_place_of_the_call_and_those_after_it_never_hear_of_it(
    asynchronous: Any, three: Any, stand: Any, engine: Any, lm_of: Any
) -> None:
    log, a, b, c = three
    stand(a, b, c)
    recorded = engine().answer
    b.says = Answer(recorded, usage={"total_tokens": 5})
    own = engine()
    lm = lm_of(own)
    assert (asyncio.run(lm.acall("Why?")) if asynchronous else lm("Why?")) == lm_of(engine())("?")
    assert own.made == 0
    assert log[:4] == ["a before", "b before", "a after", "a priced"]
    assert a.answers[0] is b.says
    assert a.calls[0].replayed


def test_one_answers_in_place_of_an_embedder_and_of_a_retriever(
    heard: Any, server: Any, without_numpy: None
) -> None:
    heard.says = Answer([[7.0]])
    assert dspy.Embedder("openai/any", caching=False)("a") == [7.0]
    heard.says = Answer([{"text": "from before"}])
    assert dspy.ColBERTv2(url=server.url)("q")[0]["text"] == "from before"
    assert server.asked == []


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_one_answers_with_an_error_and_dspy_does_what_it_does_with_a_models(
    asynchronous: Any, three: Any, stand: Any, engine: Any, lm_of: Any
) -> None:
    log, a, b, c = three
    stand(a, b, c)
    b.says = Answer(error=lm15.ServerError("down", retry_after=0))
    own = engine()
    lm = lm_of(own, num_retries=1)
    with pytest.raises(lm_error("LMServerError"), match="down"):
        asyncio.run(lm.acall("Why?")) if asynchronous else lm("Why?")
    assert own.made == 0
    assert log == ["a before", "b before", "a after"] * 2  # it has tried again


def test_what_is_held_back_names_the_line_that_called(heard: Any, engine: Any, lm_of: Any) -> None:
    heard.says = Refused(LiveCallBlocked("not now"))
    with pytest.raises(Refused) as raised:
        lm_of(engine())("Why?")
    assert isinstance(raised.value.error.where, Place)
    assert raised.value.error.where.file.samefile(__file__)
    known = LiveCallBlocked("not now", where="the cassette")
    heard.says = Refused(known)
    with pytest.raises(Refused):
        lm_of(engine())("Why?")
    assert known.where == "the cassette"


def test_what_one_holds_back_is_heard_by_it_and_by_those_before_it(
    three: Any, stand: Any, engine: Any, lm_of: Any
) -> None:
    log, a, b, c = three
    stand(a, b, c)
    error = LiveCallBlocked("not now")
    b.says = Refused(error)
    own = engine()
    with pytest.raises(Refused) as raised:
        lm_of(own)("Why?")
    assert raised.value.error is error
    assert own.made == 0
    assert log == ["a before", "b before", "a held", "b held"]
    assert a.errors == b.errors == [error]


def test_a_call_that_is_held_back_is_not_retried(heard: Any, engine: Any, lm_of: Any) -> None:
    heard.says = Refused(LiveCallBlocked("not now"))
    with pytest.raises(Refused):
        lm_of(engine(), num_retries=3)("Why?")
    assert heard.log == ["before", "held"]


def test_what_one_holds_back_for_its_price_is_heard_by_all_that_were_asked(
    three: Any, stand: Any, engine: Any, lm_of: Any
) -> None:
    class Dear(Stage):
        def priced(self, call: Call, cost: float | None) -> None:
            raise Refused(ProfileError("too dear"))

    log, a, b, _ = three
    stand(a, Dear(), b)
    lm = lm_of(engine())
    with pytest.raises(Refused, match="too dear"):
        lm("Why?")
    assert log[-4:] == ["b priced", "a priced", "a held", "b held"]
    assert len(lm.history) == 1  # what was paid for is in the history


def test_a_model_with_a_known_price_is_priced_as_dspy_prices_it(heard: Any, openai: Any) -> None:
    lm = openai()
    lm("Why?")
    assert heard.costs == [pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)]
    assert heard.costs == [lm.history[0]["cost"]]
    assert heard.answers[0].tokens == 1100


def test_several_candidates_are_priced_together(heard: Any, openai: Any) -> None:
    lm = openai()
    lm("Why?", n=2)
    assert heard.log.count("priced") == 1
    assert heard.costs == [pytest.approx(2 * (1000 * 0.15e-6 + 100 * 0.6e-6))]


def test_a_price_that_nobody_knows_is_none(heard: Any, openai: Any) -> None:
    openai("openai/unheard-of")("Why?")
    assert heard.costs == [None]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_dspys_cache_answers_without_a_call(
    asynchronous: Any, heard: Any, server: Any, openai: Any
) -> None:
    lm = openai(cache=True)

    def ask() -> Any:
        return asyncio.run(lm.acall("Why?")) if asynchronous else lm("Why?")

    first = ask()
    assert ask() == first
    assert heard.log == ["before", "after", "priced", "cached"]
    assert len(server.asked) == 1


def test_tokens_that_were_not_summed_up_are(heard: Any) -> None:
    assert Answer(usage={"prompt_tokens": 3, "completion_tokens": 4}).tokens == 7
    assert Answer(usage={"prompt_tokens": None, "completion_tokens": 4}).tokens == 4
    assert Answer(usage={"total_tokens": 9, "prompt_tokens": 3}).tokens == 9
    assert Answer().tokens == 0


def test_what_is_held_is_found_in_groups_of_groups() -> None:
    held = Refused(LiveCallBlocked("not now", hint="wait"))
    inner = BaseExceptionGroup("inner", [KeyError(), held])
    assert refusal_in(held) is held
    assert refusal_in(BaseExceptionGroup("outer", [ValueError(), inner])) is held
    assert refusal_in(ExceptionGroup("other", [ValueError()])) is None
    assert refusal_in(LiveCallBlocked("not now")) is None
    assert refusal_in(None) is None
    assert str(held) == "not now\n  hint: wait"


def test_a_dspy_whose_calls_cannot_be_followed_is_refused(
    monkeypatch: pytest.MonkeyPatch, stand: Any
) -> None:
    from dspy_profiles.calls import _patch as patch

    monkeypatch.setattr(patch, "_installed", False)
    monkeypatch.delattr("dspy.clients.execution.finalize")
    with pytest.raises(ProfileError, match="cannot be followed"):
        stand()
    assert not patch._installed
    monkeypatch.undo()
    stand()
