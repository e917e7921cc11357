"""Loading the extension into IPython, beside loading one that does nothing."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Row

ROUNDS = 15
HEAVY = ("dspy", "typer", "rich", "litellm")
LOADED = f"""
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
start = time.process_time()
shell.run_line_magic("load_ext", sys.argv[1])
took = time.process_time() - start
brought = [name for name in {HEAVY!r} if name in sys.modules]
assert not brought, brought
print(took)
"""
PROFILES = '[dev.provider]\nclass = "mock"\n'


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "profiles.toml").write_text(PROFILES, encoding="utf-8")
        nothing = Path(folder, "nothing_in_it.py")
        nothing.write_text("def load_ipython_extension(shell):\n    pass\n", encoding="utf-8")
        names = ("dspy_profiles_ipython", nothing.stem)
        taken: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(ROUNDS + 1):
            for name in names:
                took = _seconds(name, folder)
                if turn:  # the first turn writes the bytecode
                    taken[name].append(took)
    ours, empty = (statistics.median(taken[name]) for name in names)
    return [
        Row("%load_ext dspy_profiles_ipython", ours, "an empty extension", empty, 0.015, "seconds")
    ]


def _seconds(name: str, folder: str) -> float:
    """What it takes in a fresh IPython, of the processor, without its own start."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, name],
        cwd=folder,
        env={**own, "PYTHONPATH": folder, "PYTHONPYCACHEPREFIX": folder},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.splitlines()[-1])
