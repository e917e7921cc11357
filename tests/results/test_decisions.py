"""Decisions of code that does not have the recording at hand."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import dspy
import pytest

from dspy_profiles.results import Decision, Event, Store, record
from dspy_profiles.results.recording import emit_decision


class Deciding(dspy.Module):
    """A program that knows nothing of a recording."""

    def forward(self, question: str) -> str:
        emit_decision(strategy="cheapest", rationale="within budget", action="ask", price=0.1)
        return question

    async def aforward(self, question: str) -> str:
        return self.forward(question)


@pytest.fixture
def store(memory: Store) -> Store:
    return memory


def decisions(store: Store, experiment: str) -> list[Event]:
    return [event for event in store.events(experiment) if event.kind == "decision"]


def test_a_decision_belongs_to_the_call_that_is_running(store: Store) -> None:
    with record("a run", store=store) as exp:
        Deciding()(question="Why?")
    (decision,) = decisions(store, exp.id)
    (trial,) = store.query_trials(exp.id)
    (module,) = (event for event in store.events(exp.id) if event.kind == "module")
    assert (decision.parent_id, decision.trial_id) == (module.id, trial.id)
    assert Decision.of(decision) == Decision("cheapest", "within budget", "ask", None)
    assert (decision.name, decision.attributes["price"]) == ("cheapest", 0.1)


def test_every_recording_that_is_active_gets_it(store: Store) -> None:
    with record("outer", store=store) as outer:
        with record("inner", store=store) as inner:
            Deciding()(question="Why?")
        emit_decision(action="stop")
    assert [event.name for event in decisions(store, outer.id)] == ["cheapest", "stop"]
    assert [event.name for event in decisions(store, inner.id)] == ["cheapest"]


def test_threads_and_tasks_each_decide_in_their_own_call(store: Store) -> None:
    async def run() -> None:
        await asyncio.gather(*(Deciding().acall(question=f"q{n}") for n in range(10)))

    with record("a run", store=store) as exp:
        asyncio.run(run())
        with ThreadPoolExecutor(4) as pool:
            contexts = [copy_context() for _ in range(20)]
            list(pool.map(lambda context: context.run(Deciding(), question="Why?"), contexts))
    owners = {event.trial_id for event in decisions(store, exp.id)}
    assert owners == {trial.id for trial in store.query_trials(exp.id)}
    assert len(owners) == 30


def test_without_a_recording_nothing_happens(store: Store) -> None:
    with record("a run", store=store) as exp:
        pass
    assert Deciding()(question="Why?") == "Why?"
    assert decisions(store, exp.id) == []


def test_a_process_that_records_nothing_does_not_import_dspy() -> None:
    code = (
        "import sys; from dspy_profiles.results.recording import emit_decision; "
        "emit_decision(strategy='x'); assert 'dspy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_value_that_raises_is_a_fault_and_does_not_reach_the_program(store: Store) -> None:
    class Bad:
        def __str__(self) -> str:
            raise ValueError("not shown")

    bad: Any = Bad()
    with record("a run", store=store) as exp:
        emit_decision(strategy=bad)
        emit_decision(strategy="good")
    assert [event.name for event in decisions(store, exp.id)] == ["good"]
    faults = store.get_experiment(exp.id).details["faults"]
    assert faults == {"count": 1, "first": "ValueError: not shown"}
