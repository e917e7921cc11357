"""A Python that never imports DSPy, below `dspy-profiles run` and by itself."""

import os
import subprocess
import sys

from benchmarks.measuring import Row, interleaved, process_seconds
from dspy_profiles.run import launch


def rows() -> list[Row]:
    below = launch("mock", None, {}, force=False).environ

    def run(environ: dict[str, str]) -> None:
        subprocess.run([sys.executable, "-c", "pass"], check=True, env=environ)

    plain = dict(os.environ)
    with_hook, without = interleaved(
        [lambda: run(dict(below)), lambda: run(plain)], rounds=41, loops=1
    )
    child = [sys.executable, "-c", "pass"]
    whole, alone = process_seconds(
        [["-m", "dspy_profiles", "run", "--profile", "mock", "--", *child], child[1:]]
    )
    return [
        Row("what run adds", whole - alone, "python -c pass", alone, 0.05, "seconds"),
        Row("python -c pass below run", with_hook, "python -c pass", without, 1.5),
        Row("what the hook adds", with_hook - without, "python -c pass", without, 0.015, "seconds"),
    ]
