"""A clean DSPy, and an engine that counts what reaches it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.shapes import engine_lm, lm15

from dspy_profiles.calls.budget import Account, Budget, Tally
from dspy_profiles.config import Limits


@pytest.fixture(autouse=True)
def fresh(clean_calls: None) -> None:
    """For every test here."""


class Engine:
    """Answers at once, or when it is told to; counts what reaches it."""

    def __init__(self) -> None:
        self.made = 0
        self.reached = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._lock = threading.Lock()

    def complete(self, request: Any) -> Any:
        with self._lock:
            self.made += 1
        self.reached.set()
        self.may_answer.wait()
        text = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"
        return lm15.Response(
            id="1",
            model="model",
            message=lm15.Message.assistant([lm15.TextPart(text)]),
            finish_reason="stop",
            usage=lm15.Usage(input_tokens=10, output_tokens=2, total_tokens=12),
        )


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def lm(engine: Engine) -> Any:
    """Twelve tokens a call, at a price that nobody knows."""
    return engine_lm("own/model", engine=engine, cache=False)


@pytest.fixture
def priced_lm(lm: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Twelve tokens and a quarter of a dollar a call."""
    import dspy.clients.costs

    monkeypatch.setattr(dspy.clients.costs, "estimate_cost", lambda *_, **__: (0.25, {}))
    return lm


@pytest.fixture
def limited(stand: Any) -> Callable[..., Account]:
    """A budget stands, of one account with these limits."""

    def limited(**limits: Any) -> Account:
        account = Account("this test", Limits(**limits))
        stand(Budget([account]))
        return account

    return limited


@pytest.fixture
def tally(project: Any) -> Iterator[Tally]:
    made = Tally(project / "tally")
    yield made
    made.close()
