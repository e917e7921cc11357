"""A Python that never imports DSPy, below `dspy-profiles run` and by itself."""

import os
import subprocess
import sys

from benchmarks.measuring import Row, interleaved
from dspy_profiles.run import launch


def rows() -> list[Row]:
    below = launch("mock", None, {}, force=False).environ

    def run(environ: dict[str, str]) -> None:
        subprocess.run([sys.executable, "-c", "pass"], check=True, env=environ)

    plain = dict(os.environ)
    with_hook, without = interleaved(
        [lambda: run(dict(below)), lambda: run(plain)], rounds=41, loops=1
    )
    return [
        Row("python -c pass below run", with_hook, "python -c pass", without, 1.5),
        Row("what the hook adds", with_hook - without, "python -c pass", without, 0.015, "seconds"),
    ]
