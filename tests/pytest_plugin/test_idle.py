"""Where nobody asks for a profile, nothing is changed, printed or imported; and what wakes us."""

from typing import Any

import pytest

real_processes = pytest.mark.usefixtures("real_processes")

# Some of everything that pytest has, none of it ours; and a look at what was imported.
ORDINARY = """
    import sys
    import unittest

    import pytest

    @pytest.fixture(scope="module")
    def wide():
        yield 1

    def test_passes(wide):
        assert wide

    def test_fails():
        assert 1 == 2

    @pytest.mark.skip(reason="not today")
    def test_skipped():
        raise SystemExit

    @pytest.mark.xfail(reason="known", strict=True)
    def test_known():
        raise ValueError

    @pytest.mark.parametrize("n", [1, 2])
    def test_each(n):
        assert n

    class TestCase(unittest.TestCase):
        def test_unit(self):
            self.assertTrue(True)

    @pytest.fixture
    def broken():
        raise ValueError

    def test_error(broken):
        pass

    def test_imports():
        ours = [name for name in sys.modules if name.split(".")[0] in ("dspy", "dspy_profiles")]
        assert ours == []
"""
OUTCOMES = {"passed": 5, "failed": 1, "skipped": 1, "xfailed": 1, "errors": 1}
NAMES = ("dspy_profiles_session", "dspy_profiles_reporter")


def told(result: pytest.RunResult) -> list[str]:
    """What was printed, without what differs from run to run and the list of plugins."""
    return [
        line.partition(" in ")[0].strip("= ")
        for line in (*result.outlines, *result.errlines)
        if not line.startswith("plugins:") and "bringing up nodes" not in line
    ]


@real_processes
@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("~/.dspy/profiles.toml", '[default]\nextends = "mock"\n'),
        ("profiles.toml", '[default]\nlm.model = "openai/gpt-4o"\n'),
        ("profiles.toml", "[broken\n"),
        ("~/.dspy/config.toml", "broken =\n"),
        ("~/.dspy/config.toml", 'live = "block"\nbudget = "calls=1"\nreport = "out.json"\n'),
        ("pyproject.toml", '[tool.dspy-profiles]\ndefault = "mock"\nmissing-secrets = "skip"\n'),
    ],
    ids=["a default of the user", "a default", "broken", "broken settings", "a user's", "settings"],
)
def test_a_suite_that_asks_for_nothing_runs_as_without_us(
    run: Any, write: Any, home: Any, where: Any, text: Any
) -> None:
    write("test_it.py", ORDINARY)
    write(where.replace("~", str(home)), text)
    result = run()
    result.assert_outcomes(**OUTCOMES)
    assert told(result) == told(run("-p", "no:dspy_profiles"))


@real_processes
def test_the_workers_of_a_suite_that_asks_for_nothing_import_nothing_either(
    run: Any, write: Any, home: Any
) -> None:
    write("test_it.py", ORDINARY)
    write(home / ".dspy/profiles.toml", '[default]\nextends = "mock"\n')
    result = run("-n", "2")
    result.assert_outcomes(**OUTCOMES)
    assert "dspy:" not in result.stdout.str()
    assert result.errlines == []


@real_processes
def test_nothing_is_written_where_nobody_asks(
    run: Any, write: Any, home: Any, project: Any
) -> None:
    write("test_it.py", "def test_a(): pass")
    before = sorted(home.rglob("*"))
    run("-p", "no:pytest_asyncio", "-p", "no:hypothesispytest").assert_outcomes(passed=1)
    after = [path for path in sorted(home.rglob("*")) if "__pycache__" not in str(path)]
    assert after == before


@real_processes
def test_without_the_plugin_its_marks_and_options_are_unknown(run: Any, write: Any) -> None:
    write("test_it.py", "def test_a(): pass")
    result = run("-p", "no:dspy_profiles", "--dspy-profile", "mock")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "unrecognized arguments: --dspy-profile" in result.stderr.str()
    write("test_it.py", "import pytest\n@pytest.mark.dspy_profile('mock')\ndef test_a(): pass\n")
    result = run("-p", "no:dspy_profiles")
    assert "'dspy_profile' not found in `markers`" in result.stdout.str()


@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark.dspy_profile('mock')\ndef test_a(): assert name() == 'mock'",
        "pytestmark = pytest.mark.dspy_profile('mock')\ndef test_a(): assert name() == 'mock'",
        "def test_a(dspy_usage): assert dspy_usage.calls == 0 and name() is None",
        "@pytest.fixture\ndef f(dspy_profile): pass\ndef test_a(f): assert name() is None",
        "@pytest.mark.dspy_budget(calls=1)\ndef test_a(): assert name() is None",
    ],
)
def test_a_mark_or_a_fixture_of_ours_is_asking(run_both_ways: Any, suite: Any, text: Any) -> None:
    suite(text)
    run_both_ways().assert_outcomes(passed=1)


def test_a_fixture_of_ours_that_comes_as_a_surprise_says_that_nothing_is_in_effect(
    run: Any, suite: Any
) -> None:
    suite("""
        def test_profile(request):
            assert request.getfixturevalue("dspy_profile") is None
        @pytest.mark.parametrize("asked", ["dspy_lm", "dspy_usage", "dspy_mock"])
        def test_other(request, asked):
            request.getfixturevalue(asked)
    """)
    result = run()
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "dspy_lm: no LM is active; mark the test @pytest.mark.dspy_profile(*",
            "dspy_usage: calls are not counted, because this session uses no profile;*",
            "dspy_mock: no LM is active;*",
        ]
    )


def test_one_mark_among_many_tests_leaves_the_others_as_they_are(
    run_both_ways: Any, suite: Any
) -> None:
    suite("""
        LM = dspy.LM("openai/none", api_key="dummy")
        dspy.configure(lm=LM)
        @pytest.mark.dspy_profile("mock")
        def test_marked():
            assert name() == "mock" and dspy.settings.lm is not LM
        def test_other():
            assert name() is None and dspy.settings.lm is LM
        def test_configures():
            dspy.configure(num_threads=3)
        def test_sees_it():
            assert dspy.settings.num_threads == 3
    """)
    run_both_ways("--dist", "loadfile").assert_outcomes(passed=4)


def test_a_broken_file_is_told_loudly_where_a_profile_is_asked_for(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    suite("def test_a(): raise SystemExit")
    path = write("profiles.toml", '[dev]\nextends = "mock"\nlm.model =\n')
    result = run_both_ways("--dspy-profile", "dev")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{path}:3" in result.stderr.str()
    assert "Traceback" not in result.stderr.str()
    assert "INTERNALERROR" not in result.stdout.str()


def test_a_broken_file_is_told_loudly_where_a_mark_asks(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    suite("@pytest.mark.dspy_profile('mock')\ndef test_a(): raise SystemExit")
    path = write("profiles.toml", '[dev]\nextends = "mock"\nlm.model =\n')
    result = run_both_ways()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert f"{path}:3" in text
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text


def test_a_broken_file_is_nothing_to_tests_that_are_left_when_others_are_deselected(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    suite("""
        def test_ours(dspy_usage): raise SystemExit
        def test_theirs(): pass
        """)
    write("profiles.toml", "[broken\n")
    run_both_ways("-k", "theirs").assert_outcomes(passed=1)


def test_nothing_is_said_at_the_end_where_nothing_is_asked_for(
    run_both_ways: Any, suite: Any
) -> None:
    suite("def test_a(dspy_lm): dspy_lm('hello')")
    assert "dspy" not in run_both_ways("-qq", "--dspy-profile", "mock").stdout.str()


def test_what_a_session_changes_in_its_process_is_put_back_at_its_end(run: Any, write: Any) -> None:
    write("test_it.py", "def test_a(dspy_usage): pass")
    write(
        "twice.py",
        """
        import os, sys, pytest, dspy, dspy_profiles
        settings = sys.modules["dspy.dsp.utils.settings"]
        from dspy_profiles.config import _locations as locations
        before = dict(os.environ)
        words = ["-q", "-p", "no:cacheprovider", "--dspy-profile", "mock", "--dspy-profile-force"]
        for _ in range(2):
            assert pytest.main(words) == 0
            assert dspy.settings.lm is None and dspy_profiles.current_profile() is None
            assert type(settings.main_thread_config).__name__ == "dotdict"
            assert not locations.are_locations_pinned()
            assert {k: v for k, v in os.environ.items() if k not in before} == {}
        """,
    )
    write("run_it.py", "import runpy\ndef test_twice(): runpy.run_path('twice.py')")
    run("run_it.py").assert_outcomes(passed=1)
