"""What it costs to know DSPy's signatures: from cold, from the cache, beside what Python costs.

    python benchmarks/dspy_api.py

Each figure is the median wall time of a fresh process, in milliseconds. Our modules are compiled
beforehand, as those of an installed package are.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

RUNS = 25
DESCRIBE = "from dspy_profiles.schema import descriptor; descriptor()"


def measure() -> dict[str, float]:
    """Milliseconds of a process that does nothing, imports us, describes cold, and cached."""
    with TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(cache),
            "LOCALAPPDATA": str(cache),
            "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled"),
            "PYTHONDONTWRITEBYTECODE": "",
        }

        def forget() -> None:
            shutil.rmtree(cache, ignore_errors=True)

        return {
            "interpreter": _median("pass", environment),
            "import dspy_profiles": _median("import dspy_profiles", environment),
            "cold": _median(DESCRIBE, environment, before=forget),
            "cached": _median(DESCRIBE, environment),
        }


def _median(
    code: str, environment: dict[str, str], before: Callable[[], None] = lambda: None
) -> float:
    def run() -> float:
        before()
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        return (time.perf_counter() - start) * 1000

    run()  # the one that compiles
    return statistics.median(run() for _ in range(RUNS))


def main() -> None:
    figures = measure()
    for name, value in figures.items():
        above = value - figures["import dspy_profiles"]
        more = f"   {above:5.1f} above the import" if name in {"cold", "cached"} else ""
        print(f"{name:<22}{value:6.1f} ms{more}")


if __name__ == "__main__":
    main()
