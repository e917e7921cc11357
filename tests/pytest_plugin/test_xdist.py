"""Several workers are one session; and what other plugins do to a run is borne."""

import importlib.util
import subprocess
import sys
from typing import Any

import pytest

real_processes = pytest.mark.usefixtures("real_processes")

TESTS = """
    @pytest.mark.parametrize("n", range(4))
    def test_session(n): assert name() == "mock" and ask()
    @pytest.mark.dspy_profile("dev")
    @pytest.mark.parametrize("n", range(3))
    def test_dev(n): assert name() == model() == "dev" and ask() and ask("again")
    @pytest.mark.dspy_profile(None)
    def test_none(): assert name() is None
"""
MOCK = ("--dspy-profile", "mock")


def ours(result: pytest.RunResult) -> list[str]:
    """The lines of ours, without how long the slowest test took, and which it was."""
    lines = [
        line.strip("- ")
        for line in result.outlines
        if "dspy:" in line or " call" in line or "calls" in line
    ]
    return [line for line in lines if not line.startswith("slowest")]


@real_processes
@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal"])
def test_workers_say_together_what_one_process_says(
    run: Any, suite: Any, dist: Any, dev_and_staging: Any
) -> None:
    suite(TESTS)
    alone = run(*MOCK)
    alone.assert_outcomes(passed=8)
    assert ours(alone) == [
        "dspy: profile mock (--dspy-profile) · profiles.toml",
        *[line for line in ours(alone) if line.startswith(("dspy: mock", "mock ", "dev "))],
    ]
    together = run("-n", "2", "--dist", dist, *MOCK)
    together.assert_outcomes(passed=8)
    assert sorted(ours(together)) == sorted(ours(alone))
    assert together.errlines == []


@real_processes
def test_every_test_once_on_each_worker(run: Any, suite: Any) -> None:
    suite("def test_a(): assert name() == 'mock' and ask()")
    result = run("-n", "2", "--dist", "each", *MOCK)
    result.assert_outcomes(passed=2)


@real_processes
def test_without_workers_xdist_changes_nothing(run: Any, suite: Any) -> None:
    suite("def test_a(): assert name() == 'mock'")
    for words in (("-n", "0"), ("-p", "no:xdist"), ("-p", "no:xdist", "-p", "no:xdist.looponfail")):
        result = run(*words, *MOCK)
        result.assert_outcomes(passed=1)
        assert len([line for line in result.outlines if line.startswith("dspy: profile")]) == 1


@real_processes
def test_the_controller_imports_no_dspy(run: Any, suite: Any, write: Any) -> None:
    write(
        "conftest.py",
        """
        import sys
        def pytest_unconfigure(config):
            if not hasattr(config, "workerinput"):
                print("\\nCONTROLLER", "dspy" in sys.modules)
        """,
    )
    suite("def test_a(): assert name() == 'mock'")
    result = run("-n", "2", "-s", *MOCK)
    result.assert_outcomes(passed=1)
    assert "CONTROLLER False" in result.outlines


@real_processes
def test_a_worker_that_dies_leaves_the_others_under_their_profile(run: Any, suite: Any) -> None:
    suite("""
        import os
        def test_a(): os._exit(1)
        @pytest.mark.parametrize("n", range(3))
        def test_b(n): assert name() == "mock" and ask()
    """)
    result = run("-n", "2", *MOCK)
    result.assert_outcomes(passed=3, failed=1)
    assert "INTERNALERROR" not in result.stdout.str()
    result.stdout.fnmatch_lines(["* dspy: mock *", "* 3 calls *"])


def test_a_run_of_ours_around_pytest_gives_its_profile_to_the_tests(
    run: Any, suite: Any, project: Any, dev_and_staging: Any
) -> None:
    suite("def test_a(): assert name() == model() == 'dev' and dspy.settings.num_threads == 3")
    command = [sys.executable, "-m", "dspy_profiles", "run", "--profile", "dev"]
    for words in ([], ["-n", "2"]):
        done = subprocess.run(
            [
                *command,
                "--set",
                "settings.num_threads=3",
                "--",
                sys.executable,
                "-m",
                "pytest",
                "-q",
                *words,
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "dspy: profile dev (DSPY_PROFILE)" in done.stdout


def installed(module: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"{package} is not installed"
    )


@installed("pytest_randomly", "pytest-randomly")
def test_in_any_order(run_both_ways: Any, suite: Any, dev_and_staging: Any) -> None:
    suite(TESTS)
    for seed in (1, 2, 3):
        result = run_both_ways(f"--randomly-seed={seed}", *MOCK, strict=(), order=())
        result.assert_outcomes(passed=8)


@installed("pytest_rerunfailures", "pytest-rerunfailures")
def test_a_test_that_is_run_again_starts_afresh_and_counts_once(
    run_both_ways: Any, suite: Any
) -> None:
    suite("""
        import itertools
        COUNT = itertools.count()
        @pytest.mark.dspy_budget(calls=1)
        def test_flaky(dspy_usage):
            assert name() == "mock" and dspy_usage.calls == 0
            assert dspy.settings.num_threads == 8 and dspy.settings.lm.history == []
            dspy.configure(num_threads=3)
            assert ask() and dspy_usage.calls == 1
            assert next(COUNT) == 1
        def test_other(): pass
    """)
    result = run_both_ways("--reruns", "2", *MOCK, strict=())
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["rerun"]) == (2, 1)
    result.stdout.fnmatch_lines(["2 tests · 2 calls ·*"])


@real_processes
@installed("pytest_timeout", "pytest-timeout")
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_timeout_that_does_not_strike_changes_nothing(
    run_both_ways: Any, suite: Any, method: Any
) -> None:
    suite("def test_a(): assert name() == 'mock' and ask()")
    words = ("--timeout", "120", "--timeout-method", method)
    run_both_ways(*words, *MOCK, strict=()).assert_outcomes(passed=1)


@real_processes
@installed("pytest_timeout", "pytest-timeout")
def test_a_test_that_a_timeout_ends_leaves_the_next_its_profile(run: Any, suite: Any) -> None:
    suite("""
        import threading
        def test_hangs():
            with profile("mock", settings={"num_threads": 3}):
                threading.Event().wait()
        def test_next():
            assert name() == "mock" and dspy.settings.num_threads == 8 and ask()
    """)
    result = run("--timeout", "1", "--timeout-method", "signal", *MOCK, strict=())
    result.assert_outcomes(passed=1, failed=1)
