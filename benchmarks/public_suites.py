"""The suites of other people's packages, before and after our plugin is installed beside them.

    uv run python -m benchmarks.public_suites [PACKAGE …]

Each package's source is fetched, and its suite run by a pytest of its own: in an environment
without us, then in the same one with us, idle. Every test has to end as it did before. It needs
the network, so it is no test.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

OURS = Path(__file__).parents[1]
# What each suite wants besides pytest, and how much of it is run.
SUITES: dict[str, tuple[list[str], list[str]]] = {
    "attrs": (["hypothesis", "cloudpickle"], ["tests"]),
    "click": ([], ["tests"]),
    "jinja2": (["trio"], ["tests"]),
    "pluggy": ([], ["testing"]),
    "itsdangerous": (["freezegun"], ["tests"]),
}
CHOSEN = ("attrs", "click", "jinja2")
IS_THERE = (
    "from importlib.metadata import entry_points\n"
    "assert 'dspy_profiles' in entry_points(group='pytest11').names"
)
FOREIGN = ("PYTHON", "PYTEST_", "DSPY_", "VIRTUAL_ENV", "UV_PROJECT")

# A test, and how it ended; some suites name several tests alike.
Outcomes = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Compared:
    """One suite, run twice."""

    name: str
    without: Outcomes
    with_us: Outcomes

    @property
    def is_same(self) -> bool:
        return self.without == self.with_us and self.without.total() > 0

    def __str__(self) -> str:
        kinds = Counter[str]()
        for (_, outcome), count in self.without.items():
            kinds[outcome] += count
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        same = "same  " if self.is_same else "DIFFER"
        return f"{same}  {self.name:<24} {self.without.total():>5} tests: {told}"

    def differences(self) -> list[str]:
        lost = [f"  without us: {test} {outcome}" for test, outcome in self.without - self.with_us]
        new = [f"  with us:    {test} {outcome}" for test, outcome in self.with_us - self.without]
        return sorted(lost) + sorted(new)


def compare(package: str, folder: Path) -> Compared:
    source = _source(package, folder)
    needs, tests = SUITES[package]
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    _run("uv", "venv", "--quiet", "--python", sys.executable, folder / "venv")
    _run("uv", "pip", "install", "--quiet", "--python", python, "pytest", source, *needs)
    without = _outcomes(python, source, tests, folder / "without.xml")
    _run("uv", "pip", "install", "--quiet", "--python", python, f"{OURS}[pytest]")
    _run(python, "-c", IS_THERE)
    with_us = _outcomes(python, source, tests, folder / "with.xml")
    return Compared(source.name, without, with_us)


def _source(package: str, folder: Path) -> Path:
    how = ("--quiet", "--no-deps", "--no-binary", package, "--dest", folder / "sdist")
    _run("uv", "tool", "run", "pip", "download", *how, package)
    (archive,) = (folder / "sdist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    return source


def _outcomes(python: Path, source: Path, tests: list[str], file: Path) -> Outcomes:
    """What a run's JUnit file tells of each test. A suite that fails by itself is no obstacle."""
    how = ("-q", "-p", "no:cacheprovider", "--junit-xml", file)
    _run(python, "-m", "pytest", *how, *tests, cwd=source, may_fail=True)
    found = Outcomes()
    for case in ET.parse(file).getroot().iter("testcase"):
        kinds = [each.tag for each in case if each.tag in ("failure", "error", "skipped")]
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name, kinds[0] if kinds else "passed"] += 1
    return found


def _run(*words: str | Path, cwd: Path | None = None, may_fail: bool = False) -> None:
    environ = {n: value for n, value in os.environ.items() if not n.startswith(FOREIGN)}
    command = [str(word) for word in words]
    done = subprocess.run(
        command, cwd=cwd, env=environ, check=False, capture_output=True, text=True
    )
    if done.returncode and not may_fail:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_suites")
    parser.add_argument("package", nargs="*", choices=[[], *SUITES], help=", ".join(CHOSEN))
    all_same = True
    for package in parser.parse_args().package or CHOSEN:
        with tempfile.TemporaryDirectory() as folder:
            compared = compare(package, Path(folder))
        all_same &= compared.is_same
        print(compared, *compared.differences(), sep="\n", flush=True)
    sys.exit(0 if all_same else 1)


if __name__ == "__main__":
    main()
