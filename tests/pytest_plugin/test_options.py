"""Options, ini keys, environment and settings: who may name what, and who wins."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.config import SETTINGS
from pytest_dspy_profiles import _options as options

ROOT = Path(__file__).parents[2]
IN_PYTEST = [setting for setting in SETTINGS if setting.in_pytest]
DEV = '[dev]\nextends = "mock"\nlm.model = "dev"\n'
NAMED = r"""
    def test_named(dspy_profile):
        found = dspy_profile
        print("\nNAMED", found and found.name, "BY", found and found.reason)
"""
# What a suite does where the guard is on: an engine that is not said to be offline is live.
LIVE = """
    class Engine:
        def complete(self, request):
            raise SystemExit("the call left")
    @pytest.mark.dspy_profile("mock")
    def test_live():
        with dspy.context(lm=dspy.LM("openai/live", engine=Engine(), cache=False)):
            ask()
"""


def named(result: pytest.RunResult) -> str:
    (line,) = (line for line in result.outlines if line.startswith("NAMED "))
    return line.removeprefix("NAMED ")


def is_blocked(result: pytest.RunResult) -> bool:
    """Whether the guard was on in a run of `LIVE`; where it is off, the call leaves."""
    text = result.stdout.str()
    assert ("blocked live call" in text) != ("the call left" in text)
    return "blocked live call" in text


def test_the_options_are_what_the_settings_of_the_suite_lead_to() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    text = Path(options.__file__).read_text("utf-8")
    assert generate.current_options(text) == text
    assert [each.setting for each in options.OPTIONS] == [each.name for each in IN_PYTEST]


@pytest.mark.parametrize("more", [(), ("--dspy-profile", "mock")], ids=["idle", "awake"])
def test_help_shows_every_option_and_ini_key(run: Any, more: Any) -> None:
    result = run("--help", *more)
    assert result.ret == 0
    assert result.errlines == []
    text = " ".join(result.stdout.str().split())
    for each in IN_PYTEST:
        assert f" {each.pytest_flag}" in text
        assert f" {each.ini} " in text
        assert text.count(each.pytest_help or each.help) == 2  # for the option and the ini key
    assert "--dspy-profile-force" in text
    assert "dspy_profile_force (bool)" in text


def test_markers_and_fixtures_are_listed_with_a_line_of_help_each(run: Any) -> None:
    markers = run("--markers").stdout.str()
    assert "@pytest.mark.dspy_profile(*names, **overrides): run under a DSPy profile" in markers
    assert "@pytest.mark.dspy_budget(usd=, tokens=, calls=): limit the test" in markers
    result = run("--fixtures")
    _, _, ours = result.stdout.str().partition("fixtures defined from pytest_dspy_profiles")
    for name in ("dspy_profile [session scope]", "dspy_lm", "dspy_usage", "dspy_mock"):
        _, _, said = ours.partition(f"\n{name} -- ")
        where, what = said.splitlines()[:2]
        assert "pytest_dspy_profiles/_fixtures.py:" in where
        assert what.strip() not in ("", "no docstring available")


def test_collecting_alone_shows_the_ids_of_a_matrix_and_runs_nothing(run: Any, suite: Any) -> None:
    suite("""
        @pytest.mark.dspy_profile("mock", "dev")
        def test_each():
            raise SystemExit
        @pytest.mark.dspy_budget(calls=1)
        def test_once():
            raise SystemExit
    """)
    Path("profiles.toml").write_text(DEV)
    result = run("--collect-only", "-q")
    assert result.ret == 0
    assert [line for line in result.outlines if "::" in line] == [
        "test_it.py::test_each[mock]",
        "test_it.py::test_each[dev]",
        "test_it.py::test_once",
    ]
    assert "dspy:" not in result.stdout.str()


def test_the_flag_goes_before_the_variable_and_that_before_the_ini_file(
    run: Any, suite: Any, write: Any
) -> None:
    suite(NAMED)
    Path("profiles.toml").write_text(DEV + '[staging]\nextends = "mock"\n')
    write("pytest.ini", "[pytest]\ndspy_profile = mock\n")
    variable = {"DSPY_PROFILE": "dev"}
    flag = ("--dspy-profile", "staging")
    assert named(run("-s")) == "mock BY from dspy_profile"
    assert named(run("-s", env=variable)) == "dev BY from DSPY_PROFILE"
    assert named(run("-s", *flag, env=variable)) == "staging BY from --dspy-profile"
    assert named(run("-s", *flag)) == "staging BY from --dspy-profile"
    assert named(run("-s", "-o", "dspy_profile=dev")) == "dev BY from dspy_profile"


@pytest.mark.parametrize("file", ["pyproject.toml", "setup.cfg", "tox.ini"])
def test_the_profile_is_read_from_any_of_pytests_configuration_files(
    run: Any, suite: Any, write: Any, file: Any
) -> None:
    suite(NAMED)
    section, value = {
        "pyproject.toml": ("tool.pytest.ini_options", '"mock"'),
        "setup.cfg": ("tool:pytest", "mock"),
        "tox.ini": ("pytest", "mock"),
    }[file]
    write(file, f"[{section}]\ndspy_profile = {value}\n")
    assert named(run("-s")) == "mock BY from dspy_profile"


def test_neither_the_default_setting_nor_a_profile_called_default_is_ever_applied(
    run: Any, suite: Any, write: Any, home: Path
) -> None:
    suite(NAMED)
    write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "mock"\n')
    write(home / ".dspy/profiles.toml", '[default]\nextends = "mock"\n')
    write(home / ".dspy/config.toml", 'default = "mock"\n')
    assert named(run("-s")) == "None BY None"
    assert named(run("-s", "--dspy-live", "allow")) == "None BY None"
    assert named(run("-s", "--dspy-profile", "default")) == "default BY from --dspy-profile"


def test_each_giver_of_a_setting_wins_over_the_one_before(
    run: Any, suite: Any, write: Any, home: Path
) -> None:
    suite(LIVE)
    assert not is_blocked(run())
    write(home / ".dspy/config.toml", 'live = "block"\n')
    assert is_blocked(run())
    write("pyproject.toml", '[tool.dspy-profiles]\nlive = "allow"\n')
    assert not is_blocked(run())
    write("pytest.ini", "[pytest]\ndspy_live = block\n")
    assert is_blocked(run())
    variable = {"DSPY_PROFILES_LIVE": "allow"}
    assert not is_blocked(run(env=variable))
    assert is_blocked(run("--dspy-live", "block", env=variable))


@pytest.mark.parametrize(
    "spelled",
    [
        '[tool.dspy-profiles]\nlive = "block"\n',
        '[tool]\ndspy-profiles.live = "block"\n',
        '[tool]\ndspy-profiles = {live = "block"}\n',
        '["tool"."dspy-profiles"]\n"live" = "block"\n',
    ],
)
def test_a_setting_of_the_project_takes_effect_however_it_is_spelled(
    run: Any, suite: Any, write: Any, spelled: Any
) -> None:
    suite("""
        def test_live():
            dspy.LM("openai/live", engine=Engine(), cache=False)("hello")
        class Engine:
            def complete(self, request):
                raise SystemExit("the call left")
    """)
    write("pyproject.toml", spelled)
    assert is_blocked(run())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "pyproject.toml",
            '[project]\ndependencies = ["dspy-profiles"]\n[tool.x]\nlive = "block"\n',
        ),
        ("pyproject.toml", '[tool.dspy-profiles]\ndefault = "mock"  # goes live\n'),
        ("../pyproject.toml", '[tool.dspy-profiles]\nlive = "block"\n'),
        ("dspy/config.toml", 'live = "block"\n'),
    ],
    ids=["another table's", "a comment", "of no project of ours", "another program's"],
)
def test_what_only_looks_like_a_setting_of_ours_wakes_nobody(
    run: Any, suite: Any, write: Any, path: Any, text: Any
) -> None:
    suite("import sys\ndef test_a(): assert 'dspy_profiles' not in sys.modules", imports="")
    write(path, text)
    run().assert_outcomes(passed=1)


def test_a_wrong_value_is_told_with_who_gave_it_and_what_it_may_be(
    run: Any, suite: Any, write: Any
) -> None:
    suite(NAMED)
    result = run("--dspy-live", "blok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*argument --dspy-live: invalid choice: 'blok'*allow*block*"])
    result = run(env={"DSPY_PROFILES_LIVE": "blok"})
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: live must be allow or block, not 'blok'"])
    assert "DSPY_PROFILES_LIVE" in result.stderr.str()
    assert 'did you mean "block"?' in result.stderr.str()
    path = write("pyproject.toml", '[tool.dspy-profiles]\nlive = "blok"\n')
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{path}:2" in result.stderr.str()


def test_an_option_that_only_says_how_wakes_nobody(
    real_processes: None, run: Any, suite: Any
) -> None:
    suite("import sys\ndef test_a(): assert 'dspy' not in sys.modules", imports="")
    result = run("--dspy-missing-secrets", "skip", "--dspy-isolation", "false")
    result.assert_outcomes(passed=1)
    assert "dspy:" not in result.stdout.str()


@pytest.mark.parametrize("quiet", [(), ("-q",)], ids=["usual", "quiet"])
def test_one_line_at_the_top_tells_the_profile_who_named_it_and_the_file(
    run_both_ways: Any, suite: Any, quiet: Any
) -> None:
    suite("def test_a(): assert name() == 'dev'\ndef test_b(): pass")
    Path("profiles.toml").write_text(DEV)
    result = run_both_ways("--dspy-profile", "dev", *quiet)
    result.assert_outcomes(passed=2)
    lines = [line for line in result.outlines if line.startswith("dspy: ")]
    assert lines == ["dspy: profile dev (--dspy-profile) · profiles.toml"]


def test_the_line_at_the_top_tells_a_matrix_the_guard_and_a_budget(
    run: Any, suite: Any, write: Any, home: Path
) -> None:
    suite("def test_a(): pass")
    write(home / ".dspy/profiles.toml", DEV)
    write("pytest.ini", "[pytest]\ndspy_profile = mock, dev\ndspy_live = block\n")
    result = run("--dspy-profile-force", "--dspy-budget", "calls=5")
    result.assert_outcomes(passed=2)
    top = "dspy: profiles mock, dev (dspy_profile) · ~/.dspy/profiles.toml · forced"
    result.stdout.fnmatch_lines([f"{top} · live calls blocked · budget *5*"])


def test_where_nothing_is_in_effect_nothing_stands_at_the_top(
    run: Any, suite: Any, write: Any
) -> None:
    suite("def test_a(): pass")
    write("profiles.toml", DEV)
    for words in (("--dspy-report", "usage.json"), ("--dspy-live", "allow")):
        result = run(*words)
        result.assert_outcomes(passed=1)
        assert "dspy:" not in result.stdout.str()
    assert Path("usage.json").is_file()


def test_pytest_is_told_of_our_options_without_their_file_being_looked_at(
    run: Any, suite: Any
) -> None:
    suite("def test_a(): pass", imports="")
    Path("profiles.toml").write_text("[broken\n")
    run("--dspy-missing-secrets", "skip").assert_outcomes(passed=1)
