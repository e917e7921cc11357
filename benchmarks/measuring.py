"""Medians over interleaved runs: what disturbs one side disturbs the other as well."""

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Row", "interleaved", "process_seconds"]


@dataclass(frozen=True)
class Row:
    """One figure, what it is compared with, and the bar that it should keep under."""

    name: str
    seconds: float
    compared_with: str
    compared_seconds: float
    bar: float
    bar_is: str = "ratio"  # or "seconds"

    @property
    def figure(self) -> float:
        return self.seconds if self.bar_is == "seconds" else self.seconds / self.compared_seconds

    @property
    def told(self) -> dict[str, str]:
        """All of it as texts."""
        return {
            "work": self.name,
            "time": _time(self.seconds),
            "ratio": f"{self.seconds / self.compared_seconds:.4g}×",
            "of": f"{self.compared_with} ({_time(self.compared_seconds)})",
            "bar": f"{self.bar:g}×" if self.bar_is == "ratio" else _time(self.bar),
            "verdict": "holds" if self.figure <= self.bar else "MISSES",
        }

    def __str__(self) -> str:
        told = self.told
        return (
            f"{told['verdict']:<6}  {told['work']:<44} {told['time']:>9}   {told['ratio']:>8} of "
            f"{told['of']}, bar {told['bar']}"
        )


def _time(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def interleaved(
    bodies: Sequence[Callable[[], object]], *, rounds: int = 31, loops: int = 2000
) -> list[float]:
    """The median seconds of one call of each body."""
    taken: list[list[float]] = [[] for _ in bodies]
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds + 1):
            for body, times in zip(bodies, taken, strict=True):
                start = time.perf_counter()
                for _ in range(loops):
                    body()
                if turn:  # the first turn warms up
                    times.append((time.perf_counter() - start) / loops)
    finally:
        gc.enable()
    return [statistics.median(times) for times in taken]


def process_seconds(commands: Sequence[Sequence[str]], *, rounds: int = 15) -> list[float]:
    """The median seconds of a process that runs each of these arguments of Python."""
    # As users have it: modules are compiled once, not by every process.
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run(words: Sequence[str]) -> Callable[[], object]:
        return lambda: subprocess.run(
            [sys.executable, *words], check=True, capture_output=True, env=environ
        )

    return interleaved([run(words) for words in commands], rounds=rounds, loops=1)
