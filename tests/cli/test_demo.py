"""What a newcomer runs first."""

import os
import re
import subprocess
import sys
from pathlib import Path

import dspy_profiles


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dspy_profiles", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def timeless(shown: str) -> str:
    """Without what is new in each run: the ids of the record, and how long a step took."""
    return re.sub(r"\b[0-9a-z]{26}\b| *\d+ ms", "", shown)


def test_the_demo_shows_the_loop_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run(
        "demo",
        HOME=str(tmp_path),
        http_proxy="http://127.0.0.1:9",
        https_proxy="http://127.0.0.1:9",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Paris" in done.stdout
    assert "mock answer" in done.stdout
    assert "profiles.toml:2" in done.stdout
    assert "ChatAdapter format" in done.stdout
    assert "\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_says_the_same_each_time() -> None:
    first, second = (run("demo", PYTHONHASHSEED=seed).stdout for seed in ("1", "7"))
    assert timeless(first) == timeless(second)


def test_the_version_is_the_packages() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"dspy-profiles {dspy_profiles.__version__}\n")
