"""The project's checks, each in an environment of its own: `nox --list` shows them.

`.ci/run` runs every check that must pass, on one Python. These sessions run single checks, and the
tests with other versions of Python, of DSPy and of the other packages.
"""

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "tests-3.11", "docs"]

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# Supported releases before the newest one, which the other sessions install.
OLDER_DSPY = ("3.0", "3.1", "3.2", "3.3")
# With the extras named here, `lowest` applies to what these require as well.
PROJECT = ("--editable", ".[all]", "--group", "dev")
PYTEST = ("pytest", "-n", "auto", "--dist", "worksteal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with the newest packages; arguments go to pytest."""
    session.install(*PROJECT)
    session.run(*PYTEST, *session.posargs)


@nox.session(python=PYTHONS)
@nox.parametrize("release", OLDER_DSPY)
def dspy(session: nox.Session, release: str) -> None:
    """Run the tests that hold on every DSPy with an older release of it."""
    session.install(*PROJECT, f"dspy~={release}.0")
    leftovers = "ignore::pytest.PytestUnraisableExceptionWarning"  # LiteLLM leaves clients open
    words = ("-m", "every_dspy", "-W", leftovers, "tests/every_dspy")
    session.run(*PYTEST, *words, *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest packages that pyproject.toml allows, but for DSPy."""
    session.install("--resolution", "lowest-direct", *PROJECT, "dspy>=3.4")
    # The oldest pytest-asyncio leaves an event loop open.
    leftovers = "ignore::pytest.PytestUnraisableExceptionWarning"
    session.run("pytest", "-W", leftovers, *session.posargs)


@nox.session(python=PYTHONS[0])
def slow(session: nox.Session) -> None:
    """Run the tests marked slow: many processes, many kills."""
    session.install(*PROJECT)
    session.run(*PYTEST, "-m", "slow", *session.posargs)


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style, format and types."""
    session.install(*PROJECT)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Build the site of the docs into build/site; a warning fails."""
    session.install("--editable", ".", "--group", "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "build/site")


@nox.session(python=PYTHONS[0])
def bench(session: nox.Session) -> None:
    """Run the benchmarks; arguments go to them."""
    session.install(*PROJECT)
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(python=PYTHONS)
def build(session: nox.Session) -> None:
    """Build the sdist, the wheel from it, and try the wheel in an empty environment."""
    dist, home = (Path(session.create_tmp()) / name for name in ("dist", "home"))
    shutil.rmtree(dist, ignore_errors=True)  # A session that ran before may have left a wheel.
    home.mkdir(exist_ok=True)
    session.run_install("uv", "build", "--quiet", "--out-dir", str(dist), external=True)
    (wheel,) = dist.glob("*.whl")
    session.install(str(wheel), "pytest")
    imports = "import dspy_profiles, dspy_profiles_ipython, pytest_dspy_profiles"
    with session.chdir(home):
        session.run("python", "-c", imports, env={"HOME": str(home)})
        session.run("dspy-profiles", "--version", env={"HOME": str(home)})
        session.run("dspy-profiles", "demo", env={"HOME": str(home)})
