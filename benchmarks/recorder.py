"""What recording adds to a call, beside a callback that does nothing."""

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback

from benchmarks.measuring import Row, interleaved
from dspy_profiles.results import record
from dspy_profiles.results.journal._base import Durability
from dspy_profiles.results.recording import ExperimentWriter
from dspy_profiles.results.store import open_store

LATENCY = 0.02
THREADS = 8
CALLS = 400  # of all threads together
ROUNDS = 9
EVENTS = 2000
MODES: tuple[Durability, ...] = ("process", "trial", "event")
SAID = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"


class Nothing(BaseCallback):  # type: ignore[misc]
    """DSPy calls all of it, and it does nothing."""


class Slow:
    """An engine that takes its time."""

    def complete(self, request: Any) -> Any:
        time.sleep(LATENCY)
        return dspy.lm15.Response(
            id=None,
            model=request.model,
            message=dspy.lm15.Message.assistant(SAID),
            finish_reason="stop",
            usage=dspy.lm15.Usage(input_tokens=10, output_tokens=2, total_tokens=12),
        )


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        for mode in MODES:
            _say(f"durability {mode}: {_events_a_second(folder, mode):,.0f} events a second")
        return [*_alone(folder), _behind_a_model(folder)]


def _alone(folder: str) -> list[Row]:
    predict = dspy.Predict("question -> answer")
    lm = dspy.utils.DummyLM({"Why": {"answer": "Paris"}})

    def call() -> None:
        predict(question="Why?")

    recorded, idle, bare = _Inside(_recorded(folder), lm), _Inside(_idle(), lm), _Inside(None, lm)
    try:
        ours, theirs, none = interleaved(
            [recorded.of(call), idle.of(call), bare.of(call)], rounds=21, loops=200
        )
    finally:
        for each in (recorded, idle, bare):
            each.leave()
    _say(f"dspy.Predict on a dummy LM without any callback: {none * 1e6:.0f} µs")
    return [Row("dspy.Predict recorded, dummy LM", ours, "a no-op callback", theirs, 1.25)]


def _behind_a_model(folder: str) -> Row:
    predict = dspy.Predict("question -> answer")
    lm = dspy.LM("own/slow", engine=Slow(), cache=False)

    def burst(pool: ThreadPoolExecutor) -> None:
        contexts = [copy_context() for _ in range(THREADS)]
        for done in [pool.submit(each.run, some) for each in contexts]:
            done.result()

    def some() -> None:
        for _ in range(CALLS // THREADS):
            predict(question="Why?")

    recorded, idle = _Inside(_recorded(folder), lm), _Inside(_idle(), lm)
    with ThreadPoolExecutor(THREADS) as pool:
        taken = [
            (_seconds(recorded, burst, pool), _seconds(idle, burst, pool)) for _ in range(ROUNDS)
        ]
    recorded.leave()
    idle.leave()
    # Two bursts beside each other are disturbed alike: the ratio of a pair, not of two medians.
    taken.sort(key=lambda pair: pair[0] / pair[1])
    ours, theirs = (seconds / CALLS * THREADS for seconds in taken[len(taken) // 2])
    name = f"dspy.Predict recorded, 20 ms LM, {THREADS} threads"
    return Row(name, ours, "a no-op callback", theirs, 1.02)


def _seconds(inside: "_Inside", body: Callable[..., None], *arguments: Any) -> float:
    gc.collect()
    start = time.perf_counter()
    inside.context.run(body, *arguments)
    return time.perf_counter() - start


def _events_a_second(folder: str, mode: Durability) -> float:
    """Of one thread, each event a trial of its own."""
    book = ExperimentWriter(open_store(f"file:{folder}/{mode}"), mode, mode)
    many = EVENTS if mode == "process" else EVENTS // 10
    start = time.perf_counter()
    for _ in range(many):
        trial = book.lines.trial("call", "a trial", None, {"question": "Why?"}, {})
        book.lines.trial_end(trial, "done", outputs={"answer": "Paris"})
    taken = time.perf_counter() - start
    book.close("done")
    return many * 2 / taken


def _recorded(folder: str) -> AbstractContextManager[object]:
    return record("benchmark", store=f"file:{folder}/results")


def _idle() -> AbstractContextManager[object]:
    entered: AbstractContextManager[object] = dspy.context(callbacks=[Nothing()])
    return entered


class _Inside:
    """A context of its own with one block entered in it, so that two can take turns."""

    def __init__(self, block: AbstractContextManager[object] | None, lm: Any) -> None:
        self.context: Context = copy_context()
        self._blocks = [dspy.context(lm=lm), *([] if block is None else [block])]
        for each in self._blocks:
            self.context.run(each.__enter__)

    def of(self, body: Callable[[], None]) -> Callable[[], object]:
        return lambda: self.context.run(body)

    def leave(self) -> None:
        for each in reversed(self._blocks):
            self.context.run(each.__exit__, None, None, None)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
