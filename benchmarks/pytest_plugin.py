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
        many, one, plain, plain_one = interleaved(
            [run(MANY, *MOCK), run(1, *MOCK), run(MANY, *NO_PLUGIN), run(1, *NO_PLUGIN)],
            rounds=15,
            loops=1,
        )
    under_mock, alone = (many - one) / (MANY - 1), (plain - plain_one) / (MANY - 1)
    added = under_mock - alone
    start = f"--dspy-profile mock starts in {one:.2f} s, a plain pytest in {plain_one:.2f} s\n"
    sys.stderr.write(start)
    return [
        Row("pytest, 1,000 empty tests, plugin idle", idle, "-p no:dspy_profiles", absent, 1.03),
        Row("pytest, a profile active, per test", added, "an empty test", alone, 300e-6, "seconds"),
    ]


def _environ(folder: Path) -> dict[str, str]:
    """A home without profiles, and compiled modules as those of an installed package are."""
    ours = ("DSPY_", "PYTEST_", "PYTHONDONTWRITEBYTECODE", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "HOME": str(folder), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
