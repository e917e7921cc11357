"""A thousand empty tests: with the plugin idle, and under a profile, beside pytest without it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Row, interleaved

MANY = 1000
NO_PLUGIN = ("-p", "no:dspy_profiles")
WITH_DSPY = (*NO_PLUGIN, "-p", "dspy")  # pytest looks at each logger of what is imported
MOCK = ("--dspy-profile", "mock")


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        (project / ".git").mkdir(parents=True)
        (project / "pytest.ini").write_text("[pytest]\n")
        for count in (1, MANY):
            text = "".join(f"def test_{n}():\n    pass\n\n\n" for n in range(count))
            (project / f"test_{count}.py").write_text(text)
        environ = _environ(Path(folder))

        def run(count: int, *words: str) -> Callable[[], object]:
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
            command.append(f"test_{count}.py")
            return lambda: subprocess.run(
                command, check=True, cwd=project, env=environ, capture_output=True
            )

        idle, absent = interleaved([run(MANY), run(MANY, *NO_PLUGIN)], rounds=31, loops=1)
        sides = [MOCK, NO_PLUGIN, WITH_DSPY]
        bodies = [run(count, *words) for words in sides for count in (MANY, 1)]
        taken = interleaved(bodies, rounds=15, loops=1)
    starts = taken[1::2]
    under_mock, alone, with_dspy = (
        (many - one) / (MANY - 1) for many, one in zip(taken[::2], starts, strict=True)
    )
    sys.stderr.write(
        f"--dspy-profile mock starts in {starts[0]:.2f} s, a plain pytest in {starts[1]:.2f} s\n"
    )
    name, beside = "pytest, a profile active, per test", "an empty test, DSPy imported"
    return [
        Row("pytest, 1,000 empty tests, plugin idle", idle, "-p no:dspy_profiles", absent, 1.03),
        Row(name, under_mock - alone, "an empty test", alone, 300e-6, "seconds"),
        Row(name, under_mock - with_dspy, beside, with_dspy, 300e-6, "seconds"),
    ]


def _environ(folder: Path) -> dict[str, str]:
    """A home without profiles, and compiled modules as those of an installed package are."""
    ours = ("DSPY_", "PYTEST_", "PYTHONDONTWRITEBYTECODE", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "HOME": str(folder), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
