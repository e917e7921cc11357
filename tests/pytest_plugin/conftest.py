"""Suites of somebody else: each is written to the project and run by a pytest of its own.

That pytest is forked from a server that has imported what is heavy; a test or a module that asks
for `real_processes` starts a Python for it, and so do all with DSPY_PROFILES_TEST_REAL_PROCESSES.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from tests.forking import ForkServer

PATIENCE = 180  # seconds until a pytest that hangs is killed, which fails its test
# Whatever a developer, a CI, or the pytest above tells every Python and every pytest.
FOREIGN = ("PYTHON*", "PYTEST_*", "CI", "BUILD_NUMBER", "*COLOR*", "COV_*")
STRICT = (
    *(
        "-p",
        "no:cacheprovider",
        "--strict-markers",
        "--strict-config",
        "-W",
        "error",
    ),
    # Else pytest-asyncio says in every suite that it is not set.
    *("-o", "asyncio_default_fixture_loop_scope=function"),
)

IN_ORDER = ("-p", "no:randomly")
ONLY_REAL_PROCESSES = bool(os.environ.get("DSPY_PROFILES_TEST_REAL_PROCESSES"))

Run = Callable[..., pytest.RunResult]


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if any(fnmatchcase(name, f) for f in FOREIGN)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "260")  # the lines at the end of a run stay whole
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer | None]:
    if ONLY_REAL_PROCESSES or not ForkServer.works_here():
        yield None
        return
    foreign = (*FOREIGN, "DSPY_*")
    environ = {k: v for k, v in os.environ.items() if not any(fnmatchcase(k, f) for f in foreign)}
    with ForkServer({**environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}) as server:
        yield server


@pytest.fixture
def real_processes() -> None:
    """Asked for by tests of start-up, imports, signals and workers: each pytest starts anew."""


@pytest.fixture
def run(project: Path, request: pytest.FixtureRequest) -> Run:
    """pytest with these words, strictly, in the project or another folder, to its end.

    What warns fails, unless `strict=()` or other words say otherwise.
    """

    def ended(
        *words: object,
        env: dict[str, str] | None = None,
        strict: tuple[str, ...] = STRICT,
        order: tuple[str, ...] = IN_ORDER,
        cwd: Path | None = None,
        python: str = sys.executable,
    ) -> pytest.RunResult:
        command = ("-m", "pytest", *order, *strict, *map(str, words))
        env, cwd = {**os.environ, **(env or {})}, cwd or project
        may_fork = python == sys.executable and "real_processes" not in request.fixturenames
        server = request.getfixturevalue("fork_server") if may_fork else None
        if server and server.serves(env):
            done = server.run(command, cwd=cwd, env=env, timeout=PATIENCE)
        else:
            done = subprocess.run(
                [python, *command],
                check=False,
                capture_output=True,
                text=True,
                cwd=cwd,
                env=env,
                timeout=PATIENCE,
            )
        out, err = done.stdout.splitlines(), done.stderr.splitlines()
        print(*command, done.stdout, done.stderr, sep="\n")  # noqa: T201 - shown where the test fails
        return pytest.RunResult(done.returncode, out, err, duration=0)

    return ended


@pytest.fixture(params=[(), ("-n", "2")], ids=["plain", "xdist"])
def run_both_ways(request: pytest.FixtureRequest, run: Run) -> Run:
    """As `run`, once in one process and once in two workers of xdist."""

    def ended(*words: object, **how: object) -> pytest.RunResult:
        return run(*request.param, *words, **how)

    return ended


@pytest.fixture
def suite(write: Callable[[str, str], Path]) -> Callable[..., None]:
    """Writes a test module, `test_it.py`, with what every module of these suites imports."""

    def written(text: str, path: str = "test_it.py", imports: str = IMPORTS) -> None:
        write(path, text)
        target = Path(path)
        target.write_text(imports + target.read_text("utf-8"), encoding="utf-8")

    return written


IMPORTS = """\
import dspy, pytest, dspy_profiles
from dspy_profiles import current_profile, profile, with_profile, lm, configure
def name():
    found = current_profile()
    return found and found.name
def model():
    return dspy.settings.lm and dspy.settings.lm.model
def ask(question="?"):
    return dspy.Predict("question -> answer")(question=question).answer
"""
