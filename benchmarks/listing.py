"""Listing fifty profiles, beside the imports that any command of its kind needs."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Row, process_seconds


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "profiles.toml")
        file.write_text("".join(f'[p{n}.lm]\nmodel = "openai/model-{n}"\n' for n in range(50)))
        ours = ["-m", "dspy_profiles", "list", "--file", str(file)]
        theirs = ["-c", "import typer, rich.console"]
        listing, imports = process_seconds([ours, theirs])
        sys.stderr.write(
            f"peak memory: list {_peak(ours):.0f} MB, imports {_peak(theirs):.0f} MB\n"
        )
    return [
        Row("dspy-profiles list, 50 profiles", listing, "import typer, rich.console", imports, 1.25)
    ]


def _peak(words: list[str]) -> float:
    """The most memory that a process of its own takes, in MB."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=True)
    return int(done.stdout) / 1024
