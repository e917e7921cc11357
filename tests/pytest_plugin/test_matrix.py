"""Several profiles: each test once under each, what is wider made anew only where it matters."""

from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("dev_and_staging")
BOTH = ("--dspy-profile", "dev,staging")


def ids(result: pytest.RunResult) -> list[str]:
    return [line.partition("::")[2] for line in result.outlines if line.startswith("test_it.py::")]


EACH = """
    def test_plain():
        assert name() == model()
    @pytest.mark.parametrize("n", [1, 2])
    def test_parametrized(n): assert name() in ("dev", "staging")
    @pytest.mark.dspy_profile("mock")
    def test_one(): assert name() == "mock"
    @pytest.mark.dspy_profile(None)
    def test_none(): assert name() is None
    @pytest.mark.dspy_profile("mock", "dev")
    class TestClass:
        def test_method(self, dspy_profile): assert dspy_profile.name == name() == model()
        @pytest.mark.dspy_profile("staging")
        def test_own(self): assert name() == "staging"
        @pytest.mark.dspy_profile(lm={"temperature": 0.5})
        def test_hot(self): assert dspy.settings.lm.kwargs["temperature"] == 0.5
"""


def test_the_names_stand_in_the_ids(run: Any, suite: Any) -> None:
    suite(EACH)
    result = run("--collect-only", "-q", *BOTH)
    assert set(ids(result)) == {
        "test_plain[dev]",
        "test_plain[staging]",
        "test_parametrized[dev-1]",
        "test_parametrized[dev-2]",
        "test_parametrized[staging-1]",
        "test_parametrized[staging-2]",
        "test_one",
        "test_none",
        "TestClass::test_method[mock]",
        "TestClass::test_method[dev]",
        "TestClass::test_own",
        "TestClass::test_hot[mock]",
        "TestClass::test_hot[dev]",
    }
    assert "calls" not in result.stdout.str()  # none was made, so there is no summary


def test_each_test_runs_once_under_each(run_both_ways: Any, suite: Any) -> None:
    suite(EACH)
    result = run_both_ways(*BOTH)
    result.assert_outcomes(passed=13)
    told = ["dev *5 tests*", "staging *4 tests*", "mock *3 tests*"]
    if pytest.version_tuple < (9,):  # an older one may run the tests in another order
        result.stdout.fnmatch_lines_random(told)
    else:
        result.stdout.fnmatch_lines(told)


def test_a_keyword_selects_a_profile(run_both_ways: Any, suite: Any) -> None:
    suite(EACH)
    result = run_both_ways("-k", "staging", *BOTH)
    result.assert_outcomes(passed=3, deselected=0 if "created" in result.stdout.str() else 10)
    run_both_ways("test_it.py::test_plain[dev]", *BOTH).assert_outcomes(passed=1)


def test_a_mark_alone_makes_a_matrix(run_both_ways: Any, suite: Any) -> None:
    suite("""
        @pytest.mark.dspy_profile("dev", "staging", settings={"num_threads": 2})
        def test_each(request):
            assert request.node.callspec.id == name() == model()
            assert dspy.settings.num_threads == 2
        def test_other():
            assert name() is None
    """)
    run_both_ways().assert_outcomes(passed=3)


def test_a_matrix_of_a_module_and_of_the_ini_file(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    suite("pytestmark = pytest.mark.dspy_profile('mock', 'dev')\ndef test_a(): assert name()")
    run_both_ways().assert_outcomes(passed=2)
    write("pytest.ini", "[pytest]\ndspy_profile = dev, staging , dev\n")
    suite("def test_a(): assert name()")
    run_both_ways().assert_outcomes(passed=2)


@pytest.mark.parametrize("words", [(), ("--dspy-profile", "mock"), ("--dspy-profile", "mock,dev")])
def test_a_test_may_parametrize_the_fixture_itself(run: Any, suite: Any, words: Any) -> None:
    suite("""
        def check(found, request):
            assert found.name == name() == model() and name() in request.node.name
        @pytest.mark.parametrize("dspy_profile", ["dev", "staging"])
        def test_plain(dspy_profile, request): check(dspy_profile, request)
        @pytest.mark.parametrize("dspy_profile", ["dev", "staging"], indirect=True)
        def test_indirect(dspy_profile, request): check(dspy_profile, request)
        @pytest.mark.parametrize(["dspy_profile"], [("dev",), ("staging",)])
        def test_list(dspy_profile, request): check(dspy_profile, request)
        @pytest.mark.parametrize("n, dspy_profile", [(1, "dev"), (2, "staging")])
        def test_with_another(n, dspy_profile, request): check(dspy_profile, request)
        @pytest.mark.parametrize(argnames="dspy_profile", argvalues=["dev", "staging"])
        def test_keywords(dspy_profile, request): check(dspy_profile, request)
    """)
    run(*words).assert_outcomes(passed=10)


@pytest.mark.parametrize("indirect", [", indirect=True", ""])
def test_an_unknown_name_in_a_parametrization_is_told_before_any_test(
    run_both_ways: Any, suite: Any, indirect: Any
) -> None:
    suite(f"""
        @pytest.mark.parametrize("dspy_profile", ["dev", "stagin"]{indirect})
        def test_each(dspy_profile): print("RAN")
    """)
    result = run_both_ways("-s")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert 'profile "stagin" not found (from a parameter)' in result.stderr.str()
    assert "RAN" not in result.stdout.str()


def test_wider_fixtures_are_made_anew_where_they_ask_for_the_profile(run: Any, suite: Any) -> None:
    suite("""
        @pytest.fixture(scope="session")
        def asks(dspy_profile):
            print(f"\\nMADE asks {name()} {dspy_profile.name}")
            yield name()
            print(f"\\nENDED asks {name()} {dspy_profile.name}")
        @pytest.fixture(scope="module")
        def through(asks):
            print(f"\\nMADE through {name()}")
            yield asks
            print(f"\\nENDED through {name()}")
        @pytest.fixture(scope="session")
        def other():
            print("\\nMADE_ONCE")
        def test_a(through, other): assert through == name()
        def test_b(through, other): assert through == name()
    """)
    result = run("-s", *BOTH)
    result.assert_outcomes(passed=4)
    assert result.outlines.count("MADE_ONCE") == 1
    said = [line for line in result.outlines if line.startswith(("MADE ", "ENDED "))]
    assert said == [
        "MADE asks dev dev",
        "MADE through dev",
        "ENDED through dev",
        "ENDED asks dev dev",
        "MADE asks staging staging",
        "MADE through staging",
        "ENDED through staging",
        "ENDED asks staging staging",
    ]


def test_a_wider_fixture_that_makes_way_leaves_the_next_test_its_isolation(
    run: Any, suite: Any
) -> None:
    suite("""
        @pytest.fixture(scope="session")
        def asks(dspy_profile):
            dspy.configure(max_errors=33 if name() == "dev" else 44)
            yield dspy_profile.name
            dspy.configure(max_errors=10)
        def test_a(asks):
            assert dspy.settings.async_max_workers == 8 and dspy.settings.provide_traceback is False
            assert dspy.settings.max_errors == (33 if name() == "dev" else 44)
            dspy.configure(async_max_workers=3)
            ask()
        def test_b(asks):
            assert dspy.settings.async_max_workers == 8
            assert dspy.settings.max_errors == (33 if name() == "dev" else 44)
            assert len(dspy.settings.lm.history) == 0
        def test_c():
            assert dspy.settings.async_max_workers == 8
    """)
    run(*BOTH).assert_outcomes(passed=6)


def test_wider_fixtures_under_xdist_see_the_profile_of_their_test(run: Any, suite: Any) -> None:
    suite("""
        @pytest.fixture(scope="session")
        def asks(dspy_profile): return dspy_profile.name, name(), model()
        @pytest.mark.parametrize("n", range(4))
        def test_a(asks, n): assert asks == (name(),) * 3
    """)
    run("-n", "2", *BOTH).assert_outcomes(passed=8)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (
            "test_case.py",
            "import unittest\nclass TestA(unittest.TestCase):\n  def test_a(self): print('RAN')",
            (),
        ),
        ("test_doc.py", '"""\n>>> print("RAN")\n"""', ("--doctest-modules",)),
    ],
    ids=["unittest", "doctest"],
)
def test_what_cannot_be_repeated_takes_one_profile(
    run_both_ways: Any, write: Any, file: Any, text: Any, words: Any
) -> None:
    write(file, text)
    result = run_both_ways(*BOTH, *words, "-s")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert f"ERROR: {file}::" in result.stderr.str()
    assert "unittest and doctest items take one profile" in text
    assert "INTERNALERROR" not in text
    assert "RAN" not in text


def test_a_case_of_unittest_with_one_mark_runs_in_a_session_of_several(
    run_both_ways: Any, suite: Any
) -> None:
    suite("""
        import unittest
        @pytest.mark.dspy_profile("dev")
        class TestA(unittest.TestCase):
            def test_a(self): assert name() == "dev"
        def test_b(): assert name() in ("dev", "staging")
    """)
    run_both_ways(*BOTH).assert_outcomes(passed=3)


def test_forcing_in_a_matrix_means_the_profile_of_each_test(run_both_ways: Any, suite: Any) -> None:
    suite("""
        def test_each(dspy_profile):
            with profile("mock"):
                assert dspy_profile.name == name() == model()
            assert lm("mock").model == name()
    """)
    run_both_ways("--dspy-profile-force", *BOTH).assert_outcomes(passed=2)


def test_a_matrix_where_one_lacks_a_secret_skips_that_one(run_both_ways: Any, suite: Any) -> None:
    suite("def test_a(): assert name() == 'dev'")
    result = run_both_ways("--dspy-profile", "dev,prod", "--dspy-missing-secrets", "skip", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED *PROD_KEY*"])
