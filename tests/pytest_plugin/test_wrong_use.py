"""What is asked for wrongly is told before any test runs, with its place and what to do."""

from typing import Any

import pytest

PROFILES = '[staging]\nextends = "mock"\n\n[prod]\nextends = "mock"\n'
MARKS = {
    'dspy_profile("")': "takes profile names, or only None, not ('',)",
    "dspy_profile(3)": "takes profile names, or only None, not (3,)",
    'dspy_profile("mock", None)': "takes profile names, or only None, not ('mock', None)",
    'dspy_profile(["mock"])': "takes profile names, or only None, not (['mock'],)",
    'dspy_profile("mock", "mock")': "names a profile twice",
    "dspy_profile()": "has no profile name",
    "dspy_profile": "has no profile name",
    "dspy_profile(None, lm={})": "cannot have overrides",
    'dspy_profile("mock", llm={})': 'did you mean "lm"?',
    'dspy_profile("mock", lm=3)': "lm",
    'dspy_profile("mock", extends="prod")': "extends cannot be overridden",
    'dspy_profile("mock", lm={"temperature": "hot"})': "expected a number",
    'dspy_profile("stagin")': 'did you mean "staging"?',
    'dspy_profile(lm={"temperature": 0})': "neither the mark nor the session names a profile",
    "dspy_budget()": "needs limits as keyword arguments",
    "dspy_budget": "needs limits as keyword arguments",
    "dspy_budget(3)": "needs limits as keyword arguments",
    "dspy_budget(call=3)": "calls",
    "dspy_budget(calls=-1)": "calls",
    "dspy_budget(calls=True)": "calls",
    "dspy_budget(calls=1.5)": "calls",
    'dspy_budget(usd="much")': "usd",
    "dspy_budget(usd=float('nan'))": "usd",
    "dspy_budget(tokens=None)": "tokens",
}


def said(result: pytest.RunResult) -> str:
    """What a session that could not be said; no test of it has run."""
    text = f"{result.stdout.str()}\n{result.stderr.str()}"
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    assert "RAN" not in text
    assert text.count("ERROR: ") == 1
    return text


def test_all_wrong_marks_are_told_at_once_each_with_its_line(
    run_both_ways: Any, write: Any
) -> None:
    lines = ["import pytest", ""]
    places = {}
    for number, mark in enumerate(MARKS):
        lines += [f"@pytest.mark.{mark}", f"def test_{number}(): print('RAN')", ""]
        places[mark] = len(lines) - 2
    write("profiles.toml", PROFILES)
    write("test_it.py", "\n".join(lines))
    text = said(run_both_ways("-s"))
    _, _, text = text.partition("ERROR: ")
    for mark, line in places.items():
        before, place, _ = text.partition(f"test_it.py:{line}\n")
        assert place, mark
        fault = before.rpartition("test_it.py:")[2]
        after = text.partition(f"test_it.py:{line}\n")[2].partition("\n  at ")[0]
        assert MARKS[mark] in fault + after, mark


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("pytestmark = pytest.mark.dspy_profile('nobody')\ndef test_a(): print('RAN')", 2),
        ("import os\n@pytest.mark.dspy_profile('nobody')\nclass TestA:\n  def test_a(self): 0", 3),
        (
            "class TestA:\n  pytestmark = pytest.mark.dspy_profile('nobody')\n  def test(self): 0",
            3,
        ),
        ("@pytest.mark.xfail\n@pytest.mark.dspy_profile('nobody')\ndef test_a(): 0", 3),
    ],
    ids=["module", "class", "attribute of a class", "second decorator"],
)
def test_the_line_is_that_of_the_mark(run: Any, write: Any, text: Any, line: Any) -> None:
    write("test_it.py", f"import pytest\n{text}\n")
    assert f"test_it.py:{line}" in said(run())


def test_a_wrong_mark_is_told_also_where_another_stands_before_it(run: Any, suite: Any) -> None:
    suite("""
        @pytest.mark.dspy_profile("nobody")
        @pytest.mark.dspy_budget(calls=-1)
        class TestA:
            @pytest.mark.dspy_profile("mock")
            @pytest.mark.dspy_budget(calls=1)
            def test_a(self): print("RAN")
        @pytest.mark.dspy_profile(3)
        @pytest.mark.dspy_budget(calls=-3)
        def test_b(): print("RAN")
    """)
    text = said(run("-s"))
    assert "calls=-1" in text
    assert "not (3,)" in text
    assert "calls=-3" in text


def test_one_wrong_mark_of_a_class_is_told_once(run_both_ways: Any, suite: Any) -> None:
    suite("""
        @pytest.mark.dspy_profile("nobody")
        class TestA:
            def test_a(self): print("RAN")
            def test_b(self): print("RAN")
            @pytest.mark.parametrize("n", [1, 2])
            def test_c(self, n): print("RAN")
    """)
    assert said(run_both_ways("-s")).count('"nobody"') == 1


def test_a_wrong_mark_of_a_test_that_is_not_selected_harms_nobody(run: Any, suite: Any) -> None:
    suite("""
        def test_chosen(): pass
        @pytest.mark.dspy_profile("nobody")
        def test_other(): print("RAN")
    """)
    run("test_it.py::test_chosen").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("words", "env", "ini", "by"),
    [
        (("--dspy-profile", "stagin"), {}, "", "--dspy-profile"),
        (("--dspy-profile", "mock,stagin"), {}, "", "--dspy-profile"),
        ((), {"DSPY_PROFILE": "stagin"}, "", "DSPY_PROFILE"),
        ((), {}, "dspy_profile = stagin", "dspy_profile"),
    ],
    ids=["flag", "one of a matrix", "variable", "ini"],
)
def test_an_unknown_profile_is_told_with_those_that_exist(
    run_both_ways: Any, suite: Any, write: Any, words: Any, env: Any, ini: Any, by: Any
) -> None:
    write("profiles.toml", PROFILES)
    write("pytest.ini", f"[pytest]\n{ini}\n")
    suite("print('RAN')\ndef test_a(): pass")
    text = said(run_both_ways("-s", *words, env=env))
    assert 'profile "stagin" not found' in text
    assert f"from {by}" in text
    assert 'did you mean "staging"?' in text


def test_an_unknown_profile_with_no_near_one_is_told_with_all_that_exist(
    run: Any, suite: Any, write: Any
) -> None:
    write("profiles.toml", PROFILES)
    suite("print('RAN')\ndef test_a(): pass")
    text = said(run("--dspy-profile", "xxxxxx"))
    for name in ("staging", "prod", "mock"):
        assert name in text.partition("ERROR: ")[2]


def test_a_profile_that_a_hook_chooses_and_nobody_has_is_told_before_any_test(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    write("conftest.py", "def pytest_dspy_choose_profile(item): return 'nobody'")
    suite("def test_a(): print('RAN')")
    assert "from pytest_dspy_choose_profile" in said(run_both_ways("-s"))


@pytest.mark.parametrize(
    "broken",
    ['[dev]\nextends = "nobody"\n', "[dev]\nlm.temperature = 'hot'\n", "[dev]\nlmm.model = 'x'\n"],
    ids=["parent", "type", "section"],
)
def test_a_profile_of_the_session_that_cannot_be_is_told_with_its_line(
    run_both_ways: Any, suite: Any, write: Any, broken: Any
) -> None:
    path = write("profiles.toml", broken)
    suite("print('RAN')\ndef test_a(): pass")
    text = said(run_both_ways("--dspy-profile", "dev"))
    assert f"{path}:" in text


@pytest.mark.parametrize(
    "broken",
    ['[dev]\nextends = "nobody"\n', "[dev]\nlm.temperature = 'hot'\n", "[dev]\nlmm.model = 'x'\n"],
    ids=["parent", "type", "section"],
)
def test_a_profile_of_a_mark_that_cannot_be_is_told_before_any_test(
    run: Any, suite: Any, write: Any, broken: Any
) -> None:
    path = write("profiles.toml", broken)
    suite("@pytest.mark.dspy_profile('dev')\ndef test_a(): print('RAN')")
    text = said(run("-s"))
    assert f"{path}:" in text


def test_a_profile_of_the_session_whose_provider_cannot_be_made_is_told_once(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    write("profiles.toml", '[dev]\nprovider.class = "nowhere.Provider"\n')
    suite("def test_a(): print('RAN')\ndef test_b(): print('RAN')")
    text = said(run_both_ways("--dspy-profile", "dev", "-s"))
    assert "nowhere" in text


def test_forcing_without_a_profile_is_told(run_both_ways: Any, suite: Any) -> None:
    suite("print('RAN')\ndef test_a(): pass")
    text = said(run_both_ways("--dspy-profile-force", "-s"))
    assert "--dspy-profile-force needs a profile to force" in text
    assert "--dspy-profile mock" in text


@pytest.mark.parametrize("budget", ["calls", "calls=-1", "cents=3", "usd=x", "nobody.calls=3"])
def test_a_wrong_budget_is_told(run: Any, suite: Any, budget: Any) -> None:
    suite("print('RAN')\ndef test_a(): pass")
    assert budget.partition("=")[0].removesuffix(".calls") in said(
        run("--dspy-budget", budget, "-s")
    )


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("dspy_live = blok", "live must be allow or block, not 'blok'"),
        ("dspy_budget = nobody.calls=3", 'profile "nobody" not found'),
        ("dspy_profile = nobody", 'profile "nobody" not found (from dspy_profile)'),
        ("dspy_store = nowhere:x", '"nowhere:x" is not a result store'),
    ],
)
def test_a_wrong_value_of_an_ini_file_is_told_with_its_line(
    run: Any, suite: Any, write: Any, key: Any, told: Any
) -> None:
    suite("def test_a():\n    print('RAN')")
    path = write("pytest.ini", f"[pytest]\n# ours\n{key}\n")

    text = said(run())

    assert told in text
    assert f"  at {path}:3\n" in text


def test_a_wrong_value_that_overrides_the_ini_file_is_told_as_that(
    run: Any, suite: Any, write: Any
) -> None:
    suite("def test_a():\n    print('RAN')")
    write("pytest.ini", "[pytest]\ndspy_live = block\n")

    assert "  at -o dspy_live\n" in said(run("-o", "dspy_live=blok"))
