"""Resolving one profile of a thousand, ten levels deep, in a process that has read nothing yet."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Row

COLD = """
import json, sys, time
from dspy_profiles.profiles import resolve
import tomllib
text = open("profiles.toml").read()
start = time.perf_counter()
found = resolve("p999")
ours = time.perf_counter() - start
assert len(found.parents) == 9, found.parents
start = time.perf_counter()
tomllib.loads(text)
print(json.dumps([ours, time.perf_counter() - start]))
"""


def rows(rounds: int = 15) -> list[Row]:
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, ".git").mkdir()
        Path(folder, "profiles.toml").write_text(_profiles())
        for _ in range(rounds):
            done = subprocess.run(
                [sys.executable, "-c", COLD], cwd=folder, capture_output=True, check=True
            )
            taken.append(json.loads(done.stdout))
    ours, parsing = (statistics.median(side) for side in zip(*taken, strict=True))
    name = "resolve, cold, 1,000 profiles, 10 levels"
    return [Row(name, ours, "tomllib alone", parsing, 0.005, "seconds")]


def _profiles() -> str:
    lines = []
    for n in range(1000):
        parent = f'extends = "p{n - 1}"\n' if n % 10 else ""
        lines.append(f'[p{n}]\n{parent}lm.model = "openai/model-{n}"\n')
    return "\n".join(lines)
