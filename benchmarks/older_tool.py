"""The older tool of our name, where both do the same work: a block, and a list.

    uv run python -m benchmarks.older_tool

It is installed beside us, each in an environment of its own, for a Python of 3.12 or later, which
it needs. It takes the network, so it is in no group.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.measuring import Row, interleaved

OLDER = "dspy-profiles==0.4.0"
OURS = Path(__file__).parents[1]
PROFILES = '[default.lm]\nmodel = "openai/gpt-4o-mini"\n'
ROUNDS = 9
BLOCKS = 500
BLOCK = f"""
import sys, time
import dspy
from dspy_profiles import profile

def blocks():
    start = time.perf_counter()
    for _ in range({BLOCKS}):
        with profile("default"):
            pass
    return (time.perf_counter() - start) / {BLOCKS}

blocks()
print(min(blocks() for _ in range(3)))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pythons = [_environment(folder / "ours", str(OURS)), _environment(folder / "older", OLDER)]
        file = folder / "profiles.toml"
        file.write_text(PROFILES, encoding="utf-8")
        environment = {**os.environ, "HOME": name, "DSPY_PROFILES_PATH": str(file)}
        for variable in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"):
            environment.pop(variable, None)
        ours, older = (_block(python, environment) for python in pythons)
        print(Row('with profile("default")', ours, OLDER, older, 1.0))
        ours, older = interleaved(
            [_listing(python, environment) for python in pythons], rounds=ROUNDS, loops=1
        )
        print(Row("dspy-profiles list", ours, OLDER, older, 1.0))
        ours, older = (_peak(python, environment) for python in pythons)
        print(
            f"peak memory of list: {ours:.0f} MB, {ours / older:.2f}× of {OLDER} ({older:.0f} MB)"
        )


def _environment(folder: Path, package: str) -> str:
    """An environment with this package alone; its Python."""
    subprocess.run(["uv", "venv", "--quiet", "--python", ">=3.12", folder], check=True)
    python = str(folder / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    install = ["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    subprocess.run([*install, package], check=True)
    return python


def _block(python: str, environment: Mapping[str, str]) -> float:
    """The seconds of one block, in the quickest of some processes."""
    return min(
        float(subprocess.check_output([python, "-c", BLOCK], env=environment))
        for _ in range(ROUNDS)
    )


def _list(python: str) -> list[str]:
    return [str(Path(python).with_name("dspy-profiles")), "list"]


def _listing(python: str, environment: Mapping[str, str]) -> Callable[[], object]:
    return lambda: subprocess.run(
        _list(python), env=environment, check=True, stdout=subprocess.DEVNULL
    )


def _peak(python: str, environment: Mapping[str, str]) -> float:
    """The most memory that the list takes, in MB."""
    watch = (
        "import json, resource, subprocess, sys\n"
        "subprocess.run(json.loads(sys.argv[1]), check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    words = [sys.executable, "-c", watch, json.dumps(_list(python))]
    return int(subprocess.check_output(words, env=environment)) / 1024


if __name__ == "__main__":
    main()
