"""What marks say: names, overrides, none; and which of several counts."""

from typing import Any


def test_the_nearest_mark_counts(run_both_ways: Any, suite: Any, dev_and_staging: Any) -> None:
    suite("""
        pytestmark = pytest.mark.dspy_profile("dev")
        def test_module():
            assert (name(), model()) == ("dev", "dev")
        @pytest.mark.dspy_profile("mock")
        def test_function():
            assert name() == "mock"
        @pytest.mark.dspy_profile("staging")
        class TestClass:
            def test_class(self):
                assert (name(), dspy.settings.num_threads) == ("staging", 7)
            @pytest.mark.dspy_profile("mock")
            def test_method(self):
                assert (name(), dspy.settings.num_threads) == ("mock", 8)
            class TestInner:
                def test_inherited(self):
                    assert name() == "staging"
            @pytest.mark.dspy_profile(None)
            class TestNone:
                def test_none(self):
                    assert name() is None and dspy.settings.lm is None
                @pytest.mark.dspy_profile("dev")
                def test_again(self):
                    assert name() == "dev"
        class Base:
            pytestmark = pytest.mark.dspy_profile("staging")
        class TestDerived(Base):
            def test_mark_of_a_base_class(self):
                assert name() == "staging"
        @pytest.mark.parametrize("expected", [
            pytest.param("staging", marks=pytest.mark.dspy_profile("staging")),
            pytest.param(None, marks=pytest.mark.dspy_profile(None)),
            "dev",
        ])
        def test_parameters(expected):
            assert name() == expected
    """)
    run_both_ways().assert_outcomes(passed=11)
    run_both_ways("--dspy-profile", "mock").assert_outcomes(passed=11)


def test_marks_of_a_list_and_of_a_package_that_a_conftest_gives_count_too(
    run: Any, suite: Any, write: Any, dev_and_staging: Any
) -> None:
    suite("""
        pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.dspy_profile("dev")]
        def test_a(): assert name() == "dev"
    """)
    suite("def test_b(): assert name() == 'staging'", "package/test_b.py")
    suite(
        "pytestmark = pytest.mark.dspy_profile('mock')\ndef test_c(): assert name() == 'mock'",
        "package/sub/test_c.py",
    )
    write("package/__init__.py", "")
    write("package/sub/__init__.py", "")
    write(
        "conftest.py",
        """
        import pytest
        @pytest.hookimpl(wrapper=True)
        def pytest_collect_directory(path, parent):
            found = yield
            if path.name == "package":
                found.add_marker(pytest.mark.dspy_profile("staging"))
            return found
        """,
    )
    write(
        "package/conftest.py",
        """
        import pytest
        from dspy_profiles import current_profile
        @pytest.fixture(scope="package", autouse=True)
        def of_the_package():
            assert current_profile().name == "staging"
            yield
            assert current_profile().name == "staging"
        """,
    )
    run().assert_outcomes(passed=3)


def test_the_marks_of_a_package_stand_in_its_init_file(
    run_both_ways: Any, suite: Any, write: Any, dev_and_staging: Any
) -> None:
    # A mark that is not ours is pytest's own business, which takes none from there.
    mark = "import pytest\npytestmark = [pytest.mark.dspy_profile({!r}), pytest.mark.skip]\n"
    write("package/__init__.py", mark.format("dev"))
    write("package/below/__init__.py", "")
    write("package/other/__init__.py", mark.format("staging"))
    wide = """
        import pytest
        from dspy_profiles import current_profile
        @pytest.fixture(scope="package")
        def wide(): return current_profile().name
    """
    for folder, expected in (("", "dev"), ("/below", "dev"), ("/other", "staging")):
        write(f"package{folder}/conftest.py", wide)
        suite(
            f"""
            @pytest.fixture(scope="module")
            def narrow(): return name()
            def test_it(wide, narrow): assert (wide, narrow, name()) == ({expected!r},) * 3
            @pytest.mark.dspy_profile("mock")
            def test_marked(): assert name() == "mock"
            """,
            f"package{folder}/test_it.py",
        )
    run_both_ways().assert_outcomes(passed=6)
    write("package/other/__init__.py", mark.format("stagin"))
    result = run_both_ways()
    assert "package/other/__init__.py:2" in result.stderr.str() + result.stdout.str()


def test_marks_that_hooks_add_to_items_count(
    run_both_ways: Any, suite: Any, write: Any, dev_and_staging: Any
) -> None:
    suite("def test_a(): assert name() == 'dev'\ndef test_b(): assert name() is None")
    write(
        "conftest.py",
        """
        import pytest
        @pytest.hookimpl(tryfirst=True)
        def pytest_collection_modifyitems(items):
            items[0].add_marker(pytest.mark.dspy_profile("dev"))
        """,
    )
    run_both_ways().assert_outcomes(passed=2)


def test_overrides_are_laid_over_the_profile_that_applies(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        def values():
            settings = dspy.settings
            return name(), model(), settings.lm.kwargs.get("temperature"), settings.num_threads
        hot = pytest.mark.dspy_profile(lm={"temperature": 0.9})
        @pytest.mark.dspy_profile("dev", lm={"temperature": 0.5}, settings={"num_threads": 2})
        def test_of_its_own():
            assert values() == ("dev", "dev", 0.5, 2)
        @hot
        def test_on_top_of_the_session():
            assert values() == ("staging", "staging", 0.9, 7)
        @pytest.mark.dspy_profile("dev", settings={"num_threads": 2})
        class TestClass:
            @hot
            def test_on_top_of_the_class(self):
                assert values()[:3] == ("dev", "dev", 0.9)
            def test_of_the_class(self):
                assert values() == ("dev", "dev", None, 2)
        def test_of_the_session():
            assert values() == ("staging", "staging", None, 7)
            assert current_profile().reason == "from --dspy-profile"
        @hot
        def test_origins(dspy_profile):
            assert dspy_profile.lm["temperature"] == 0.9
            assert "a mark" in current_profile().reason or current_profile().name == "staging"
    """)
    run_both_ways("--dspy-profile", "staging").assert_outcomes(passed=6)


def test_a_test_without_a_profile_has_none_whatever_the_session_has(
    run_both_ways: Any, suite: Any
) -> None:
    suite("""
        LM = dspy.LM("openai/own", api_key="dummy")
        @pytest.mark.dspy_profile(None)
        def test_none(dspy_profile):
            assert dspy_profile is None and name() is None and dspy.settings.lm is None
            dspy.configure(lm=LM)
            assert dspy.settings.lm is LM
            with dspy.context(lm=None):
                assert model() is None
        def test_of_the_session():
            assert name() == "mock"
    """)
    run_both_ways("--dspy-profile", "mock").assert_outcomes(passed=2)


def test_a_hook_of_a_conftest_chooses_for_tests_that_have_no_mark(
    run_both_ways: Any, suite: Any, write: Any, dev_and_staging: Any
) -> None:
    write(
        "conftest.py",
        """
        def pytest_dspy_choose_profile(item):
            return "staging" if "slow" in item.name else None
        """,
    )
    suite("""
        def test_slow():
            assert name() == "staging"
            assert current_profile().reason == "from pytest_dspy_choose_profile"
        @pytest.mark.dspy_profile("dev")
        def test_slow_marked():
            assert name() == "dev"
        @pytest.mark.dspy_profile(lm={"temperature": 0.9})
        def test_slow_and_hot():
            assert name() == "staging" and dspy.settings.lm.kwargs["temperature"] == 0.9
        def test_other(request):
            assert name() == request.config.getoption("--dspy-profile")
    """)
    run_both_ways("--dspy-profile", "mock").assert_outcomes(passed=4)
    run_both_ways("-k", "not hot or slow").assert_outcomes(passed=4)


def test_a_hook_alone_is_asking_for_a_profile(run_both_ways: Any, suite: Any, write: Any) -> None:
    suite("def test_a(): assert name() == 'mock'", "below/test_a.py")
    write("below/conftest.py", "def pytest_dspy_choose_profile(item): return 'mock'")
    suite("def test_b(): assert name() is None", "beside/test_b.py")
    run_both_ways().assert_outcomes(passed=2)


def test_a_hook_adds_lines_to_the_summary_from_what_the_report_says(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    suite("def test_a(): ask()\ndef test_b(): ask()")
    write(
        "conftest.py",
        """
        def pytest_dspy_summary(usage):
            return f"{usage['total']['calls']} of {len(usage['tests'])}", "and a second line"
        """,
    )
    write("below/conftest.py", "def pytest_dspy_summary(usage): return 'one line'")
    result = run_both_ways("--dspy-profile", "mock")
    result.assert_outcomes(passed=2)
    assert result.outlines.count("2 of 2") == 1
    assert result.outlines.count("and a second line") == 1


def test_a_change_of_the_working_directory_in_a_test_changes_nothing_for_the_next(
    run: Any, suite: Any, write: Any, home: Any, dev_and_staging: Any
) -> None:
    write(home / "elsewhere/profiles.toml", '[dev]\nextends = "mock"\nlm.model = "elsewhere"\n')
    suite("""
        import os
        def test_goes(tmp_path):
            os.chdir(os.environ["HOME"] + "/elsewhere")
            with profile("staging"):
                assert model() == "staging"
        @pytest.mark.dspy_profile("dev")
        def test_next():
            assert model() == "dev"
        def test_code():
            with profile("dev") as found:
                assert found.lm["model"] == "dev"
    """)
    run("--dspy-profile", "mock").assert_outcomes(passed=3)
