"""Each fixture is set up and torn down under the profile of its own scope, and seen everywhere."""

from typing import Any

import pytest

# One fixture of each scope; each says what it saw when it was set up and when it ended.
CONFTEST = """
    import dspy, pytest
    from dspy_profiles import current_profile
    def seen():
        found = current_profile()
        return (found and found.name), (dspy.settings.lm and dspy.settings.lm.model)
    def made(wide):
        @pytest.fixture(scope=wide, name=f"of_{wide}")
        def fixture():
            before = seen()
            yield before
            with open("ended.txt", "a") as file:
                file.write(f"{wide} {before[0]} {seen()[0]}\\n")
            assert seen() == before
        return fixture
    of_session, of_package, of_module, of_class, of_function = map(
        made, ("session", "package", "module", "class", "function"))
"""
ALL = "of_session, of_package, of_module, of_class, of_function"


def test_a_fixture_of_each_scope_lives_under_the_mark_of_that_scope(
    run_both_ways: Any, suite: Any, write: Any, project: Any, dev_and_staging: Any
) -> None:
    write("conftest.py", CONFTEST)
    suite(f"""
        pytestmark = pytest.mark.dspy_profile("dev")
        @pytest.mark.dspy_profile("staging")
        class TestClass:
            @pytest.mark.dspy_profile(None)
            def test_a(self, {ALL}):
                assert of_session == of_package == ("mock", "mock")
                assert of_module == ("dev", "dev")
                assert of_class == ("staging", "staging")
                assert of_function == (None, None) == (name(), model())
            def test_b(self, {ALL}):
                assert of_session == ("mock", "mock")
                assert (of_module[0], of_class[0], of_function[0]) == ("dev", "staging", "staging")
                assert model() == "staging"
        class TestOther:
            def test_c(self, {ALL}):
                assert [of_session[0], of_class[0], of_function[0]] == ["mock", "dev", "dev"]
            @pytest.mark.dspy_profile("staging")
            def test_d(self, {ALL}):
                assert [of_module[0], of_class[0], of_function[0]] == ["dev", "dev", "staging"]
    """)
    result = run_both_ways("--dspy-profile", "mock", "--dist", "loadfile")
    result.assert_outcomes(passed=4)
    ended = (project / "ended.txt").read_text().splitlines()
    assert sorted(ended) == sorted(
        [
            "function None None",
            "function staging staging",
            "class staging staging",
            "function dev dev",
            "function staging staging",
            "class dev dev",
            "module dev dev",
            "package mock mock",
            "session mock mock",
        ]
    )


@pytest.mark.parametrize("scope", ["session", "package", "module"])
def test_a_wide_fixture_that_is_asked_for_late_lives_under_its_own_scope_too(
    run: Any, suite: Any, write: Any, scope: Any, dev_and_staging: Any
) -> None:
    write("conftest.py", CONFTEST)
    suite(f"""
        @pytest.mark.dspy_profile("staging")
        def test_a(request):
            assert name() == "staging"
            assert request.getfixturevalue("of_{scope}")[0] == "mock"
            assert name() == "staging" and model() == "staging"
        def test_b(of_{scope}):
            assert of_{scope}[0] == "mock"
    """)
    run("--dspy-profile", "mock").assert_outcomes(passed=2)


def test_a_fixture_that_asks_for_another_late_stays_under_its_own_profile(
    run: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        @pytest.fixture(scope="session")
        def of_session():
            yield name()
            print(chr(10) + "ENDED session", name())
        @pytest.fixture(scope="module")
        def of_module(request):
            assert name() == "dev"
            assert request.getfixturevalue("of_session") == "mock"
            assert name() == "dev"
            yield name()
            print(chr(10) + "ENDED module", name())
        pytestmark = pytest.mark.dspy_profile("dev")
        @pytest.mark.dspy_profile("staging")
        def test_a(of_module):
            assert (of_module, name()) == ("dev", "staging")
    """)
    result = run("--dspy-profile", "mock", "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["ENDED module dev", "ENDED session mock"])


def test_a_wide_fixture_that_fails_does_so_under_its_own_profile(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        pytestmark = pytest.mark.dspy_profile("dev")
        @pytest.fixture(scope="module")
        def broken():
            raise ValueError(f"broken under {name()}")
        @pytest.mark.dspy_profile("staging")
        def test_a(broken): pass
        @pytest.mark.dspy_profile(None)
        def test_b(broken): pass
        def test_c():
            assert name() == "dev"
    """)
    result = run_both_ways("--dist", "loadfile")
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*ValueError: broken under dev"] * 2)


def test_a_finalizer_runs_under_the_profile_of_its_fixture(
    run: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        pytestmark = pytest.mark.dspy_profile("dev")
        @pytest.fixture(scope="module")
        def wide(request):
            request.addfinalizer(lambda: print(chr(10) + "FINAL", name()))
        @pytest.mark.dspy_profile("staging")
        def test_a(wide, request):
            request.addfinalizer(lambda: print(chr(10) + "OWN", name()))
    """)
    result = run("-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["OWN staging", "FINAL dev"])


def test_the_xunit_ways_of_setting_up_live_under_the_mark_of_their_scope(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        pytestmark = pytest.mark.dspy_profile("dev")
        def setup_module(): assert name() == "dev"
        def teardown_module(): assert name() == "dev"
        def setup_function(function):
            assert name() == ("mock" if function.__name__ == "test_a" else "dev")
        teardown_function = setup_function
        @pytest.mark.dspy_profile("mock")
        def test_a(): assert name() == "mock"
        def test_b(): assert name() == "dev"
        @pytest.mark.dspy_profile("staging")
        class TestClass:
            @classmethod
            def setup_class(cls): assert name() == "staging"
            @classmethod
            def teardown_class(cls): assert name() == "staging"
            def setup_method(self, method):
                assert name() == ("mock" if method.__name__ == "test_c" else "staging")
            teardown_method = setup_method
            @pytest.mark.dspy_profile("mock")
            def test_c(self): assert name() == "mock"
            def test_d(self): assert name() == "staging"
    """)
    run_both_ways("--dist", "loadfile").assert_outcomes(passed=4)


def test_a_context_of_a_users_fixture_wins_in_the_keys_that_it_names(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        OWN = dspy.LM("openai/own", api_key="dummy")
        @pytest.fixture
        def own_lm():
            with dspy.context(lm=OWN):
                yield
        @pytest.fixture(scope="module")
        def wide():
            with dspy.context(max_errors=77):
                yield
        @pytest.fixture
        def narrow():
            with dspy.context(num_threads=3):
                yield
        @pytest.mark.dspy_profile("staging")
        def test_own(own_lm):
            assert model() == "openai/own" and dspy.settings.num_threads == 7
            assert name() == "staging"
        def test_own_over_the_session(own_lm):
            assert model() == "openai/own" and name() == "dev"
        def test_narrow(narrow):
            assert model() == "dev" and dspy.settings.num_threads == 3
        @pytest.mark.dspy_profile("staging")
        def test_wide(wide):
            assert model() == "staging" and dspy.settings.max_errors == 77
            assert dspy.settings.num_threads == 7 and name() == "staging"
        def test_wide_of_the_session(wide):
            assert model() == "dev" and dspy.settings.max_errors == 77
            assert dspy.settings.num_threads == 8 and name() == "dev"
        @pytest.mark.dspy_profile("mock")
        def test_wide_of_another(wide, narrow):
            assert model() == "mock" and name() == "mock"
            assert (dspy.settings.max_errors, dspy.settings.num_threads) == (77, 3)
            assert ask() and len(dspy.settings.lm.history) == 1
        @pytest.mark.dspy_profile(None)
        def test_wide_of_none(wide):
            assert model() is None and name() is None and dspy.settings.max_errors == 77
        def test_wide_again(wide, own_lm):
            assert model() == "openai/own" and dspy.settings.max_errors == 77
    """)
    run_both_ways("--dspy-profile", "dev", "--dist", "loadfile").assert_outcomes(passed=8)


def test_a_wide_context_of_a_users_fixture_hides_no_profile_from_threads(
    run: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        import threading
        @pytest.fixture(scope="module", autouse=True)
        def wide():
            with dspy.context(max_errors=77):
                yield
        @pytest.mark.parametrize("expected", [
            pytest.param(each, marks=pytest.mark.dspy_profile(each)) for each in ("dev", "staging")
        ])
        def test_each(expected):
            seen = []
            thread = threading.Thread(target=lambda: seen.append(model()))
            thread.start(); thread.join()
            dspy.Parallel(num_threads=2)([(lambda: seen.append(model()), ())] * 2)
            assert seen == [expected] * 3
    """)
    run().assert_outcomes(passed=2)


def test_what_code_asks_for_without_a_name_is_the_tests_profile(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        @pytest.mark.dspy_profile("staging")
        class TestMarked:
            def test_block(self):
                with profile() as found:
                    assert found.name == "staging" == model()
                with profile(lm={"temperature": 0.3}) as found:
                    assert found.name == "staging" and model() == "staging"
                    assert dspy.settings.lm.kwargs["temperature"] == 0.3
            def test_decorator(self):
                assert with_profile()(model)() == "staging"
            def test_lm(self):
                assert lm().model == "staging" and lm() is dspy.settings.lm
            def test_configure(self):
                handle = configure()
                assert model() == "staging"
                handle.restore()
                assert model() == "staging"
            def test_named_ones_win(self):
                with profile("dev"):
                    assert (name(), model(), dspy.settings.num_threads) == ("dev", "dev", 7)
                    with dspy.context(lm=None):
                        assert model() is None
                assert with_profile("dev")(model)() == "dev"
                assert lm("dev").model == "dev" and model() == "staging"
        @pytest.mark.dspy_profile("staging", settings={"num_threads": 2})
        def test_overridden():
            with profile():
                assert dspy.settings.num_threads == 2
        def test_of_the_session():
            with profile():
                assert model() == "dev"
    """)
    run_both_ways("--dspy-profile", "dev").assert_outcomes(passed=7)


def test_a_profile_that_a_test_configures_does_not_reach_the_next(
    run: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        def test_a():
            configure("staging")
            assert name() == "staging" and model() == "staging"
        def test_b():
            assert name() == "mock" and model() == "mock" and dspy.settings.num_threads == 8
        @pytest.mark.dspy_profile("dev")
        def test_c():
            configure("staging")
            assert model() == "staging"
        @pytest.mark.dspy_profile("dev")
        def test_d():
            assert name() == "dev" and model() == "dev" and dspy.settings.num_threads == 8
        def test_e():
            assert name() == "mock" and model() == "mock" and dspy.settings.num_threads == 8
    """)
    run("--dspy-profile", "mock").assert_outcomes(passed=5)


def test_every_thread_and_task_sees_the_profile_of_the_test(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor
        POOL = ThreadPoolExecutor(2)  # its threads outlive each test
        def in_thread(function):
            seen = []
            thread = threading.Thread(target=lambda: seen.append(function()))
            thread.start(); thread.join()
            return seen[0]
        async def in_tasks():
            async def one(): return model()
            loop = asyncio.get_running_loop()
            return [*await asyncio.gather(one(), one()), await asyncio.to_thread(model),
                    await loop.run_in_executor(POOL, model), await dspy.asyncify(model)()]
        class Program(dspy.Module):
            def forward(self, question):
                return dspy.Prediction(answer=model())
        def everywhere():
            yield in_thread(model)
            yield from POOL.map(lambda _: model(), range(3))
            yield from asyncio.run(in_tasks())
            yield from dspy.Parallel(num_threads=2)([(model, ())] * 2)
            examples = [dspy.Example(question=str(n)).with_inputs("question") for n in range(3)]
            yield from (each.answer for each in Program().batch(examples, num_threads=2))
            evaluate = dspy.Evaluate(devset=examples, metric=lambda *_: 1, num_threads=2)
            yield from (prediction.answer for _, prediction, _ in evaluate(Program()).results)
        @pytest.mark.dspy_profile("staging")
        def test_staging(): assert set(everywhere()) == {"staging"}
        @pytest.mark.dspy_profile("dev")
        def test_dev(): assert set(everywhere()) == {"dev"}
        @pytest.mark.dspy_profile(None)
        def test_none(): assert set(everywhere()) == {None}
        def test_session(): assert set(everywhere()) == {"mock"}
    """)
    run_both_ways("--dspy-profile", "mock").assert_outcomes(passed=4)


def test_a_session_that_lacks_a_secret_fails_only_the_tests_that_need_it(
    run_both_ways: Any, suite: Any, project: Any, dev_and_staging: Any
) -> None:
    suite("""
        from pathlib import Path
        @pytest.fixture(scope="session")
        def wide():
            return name()
        @pytest.fixture
        def own():
            Path("ran.txt").touch()
        @pytest.mark.dspy_profile("mock")
        def test_marked(wide):
            assert wide is None and name() == "mock"
        @pytest.mark.dspy_profile(None)
        def test_none():
            assert name() is None
        def test_needs_it(own):
            Path("ran.txt").touch()
        @pytest.mark.skip(reason="not today")
        def test_skipped(own):
            Path("ran.txt").touch()
        @pytest.mark.skipif("True", reason="not today")
        def test_skipped_if(own): pass
    """)
    result = run_both_ways("--dspy-profile", "prod")
    result.assert_outcomes(passed=2, errors=1, skipped=2)
    assert not (project / "ran.txt").exists()
    result.stdout.fnmatch_lines(["*PROD_KEY*"])
    result.stdout.fnmatch_lines([f"*{project}/profiles.toml:12*"])
    skipped = run_both_ways("--dspy-profile", "prod", "--dspy-missing-secrets", "skip", "-rs")
    skipped.assert_outcomes(passed=2, skipped=3)
    assert not (project / "ran.txt").exists()
    (line,) = (line for line in skipped.outlines if "PROD_KEY" in line)
    assert line.startswith("SKIPPED [1]")


def test_a_secret_that_is_there_lets_the_test_run(
    run: Any, suite: Any, write: Any, dev_and_staging: Any
) -> None:
    suite("def test_needs_it(): assert model() == 'openai/gpt-4o' and name() == 'prod'")
    for env, file in (({"PROD_KEY": "sk-1234567890"}, ""), ({}, "PROD_KEY=sk-1234567890")):
        write(".env", file)
        run("--dspy-profile", "prod", env=env).assert_outcomes(passed=1)


def test_a_wide_fixture_that_fails_without_its_profile_says_why(
    run: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        @pytest.fixture(scope="session")
        def wide():
            return ask()
        @pytest.mark.dspy_profile("mock")
        def test_marked(wide): pass
    """)
    result = run("--dspy-profile", "prod")
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "PROD_KEY" in text


def test_a_skipped_test_leaves_no_trace_of_the_one_before(run_both_ways: Any, suite: Any) -> None:
    suite("""
        def test_a(): ask()
        @pytest.mark.skip(reason="not today")
        def test_b(): pass
        def test_c():
            pytest.skip("not today")
        @pytest.mark.xfail(reason="known", strict=True)
        def test_d():
            assert name() is None
        @pytest.mark.xfail(run=False)
        def test_e(): pass
        def test_f(dspy_usage): assert dspy_usage.calls == 0
    """)
    result = run_both_ways("--dspy-profile", "mock", "-rA")
    result.assert_outcomes(passed=2, skipped=2, xfailed=2)
    result.stdout.fnmatch_lines(["6 tests · 1 call ·*"])


def test_configuring_an_lm_in_a_test_is_warned_of_once_per_place(
    run_both_ways: Any, suite: Any, write: Any, dev_and_staging: Any
) -> None:
    write(
        "their_code.py",
        """
        import dspy
        def setup():
            dspy.configure(lm=dspy.LM("openai/x", api_key="dummy"))
        """,
    )
    suite("""
        from their_code import setup
        def test_a():
            setup()
            assert model() == "mock"
        def test_b():
            setup()
            dspy.configure(num_threads=3)
            assert dspy.settings.num_threads == 3
        @pytest.mark.dspy_profile(None)
        def test_none():
            dspy.configure(lm=dspy.LM("openai/x", api_key="dummy"))
            assert model() == "openai/x"
        def test_own():
            dspy.settings.configure(lm=None)
    """)
    result = run_both_ways("--dspy-profile", "mock", "--dist", "loadfile", strict=())
    result.assert_outcomes(passed=4, warnings=2)
    result.stdout.fnmatch_lines(
        [
            "*their_code.py:3: ProfileWarning: lm is set here, but profile*",
            '*test_it.py:23: ProfileWarning: lm is set here, but profile "mock"*',
        ]
    )
    result.stdout.fnmatch_lines(["*dspy_profile(None)*"])


def test_where_warnings_are_errors_configuring_an_lm_fails_the_test_there(
    run: Any, suite: Any
) -> None:
    suite("""
        def test_a():
            dspy.configure(lm=dspy.LM("openai/x", api_key="dummy"))
        def test_b():
            assert model() == "mock" and ask()
    """)
    result = run("--dspy-profile", "mock")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [">       dspy.configure(lm=dspy.LM(*", "E *ProfileWarning: lm is*"]
    )


@pytest.mark.parametrize("words", [("--dspy-profile-force",), ("-o", "dspy_profile_force=true")])
def test_forcing_makes_every_profile_in_code_the_tests(
    run_both_ways: Any, suite: Any, words: Any, dev_and_staging: Any
) -> None:
    suite("""
        import threading
        @with_profile("prod")
        def decorated(): return model()
        def names():
            with profile("prod", lm={"temperature": 1}) as found:
                yield model()
                assert dspy.settings.lm.kwargs["temperature"] is None
            yield decorated()
            yield lm("prod").model
            configure("prod")
            yield model()
            seen = []
            thread = threading.Thread(target=lambda: seen.append(decorated()))
            thread.start(); thread.join()
            yield seen[0]
        def test_session(): assert set(names()) == {"mock"}
        @pytest.mark.dspy_profile("dev")
        def test_marked(): assert set(names()) == {"dev"}
        def test_after(): assert set(names()) == {"mock"}
    """)
    run_both_ways("--dspy-profile", "mock", *words).assert_outcomes(passed=3)


def test_forcing_an_offline_profile_blocks_what_knows_nothing_of_it(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        class Engine:
            def complete(self, request):
                raise SystemExit("the call left")
        def test_lm():
            dspy.LM("openai/x", engine=Engine(), cache=False)("hello")
        def test_fine():
            assert ask()
    """)
    result = run_both_ways("--dspy-profile", "mock", "--dspy-profile-force")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_lm - dspy: blocked live call:*openai/x*"])
    result = run_both_ways("--dspy-profile", "mock")
    assert "the call left" in result.stdout.str()


def test_forcing_an_offline_profile_holds_the_live_calls_of_marked_tests_too(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    write(
        "own.py",
        "class Engine:\n    def complete(self, request):\n        raise SystemExit('it left')\n",
    )
    write("profiles.toml", '[live.lm]\nmodel = "own/x"\n[live.provider]\nclass = "own.Engine"\n')
    suite("""
        @pytest.fixture(scope="class")
        def wide():
            ask()
        @pytest.mark.dspy_profile("live")
        class TestMarked:
            def test_asks(self):
                assert name() == "live"
                ask()
            def test_wide(self, wide): pass
    """)
    words = ("--dspy-profile", "mock", "--dspy-profile-force")

    result = run_both_ways(*words)

    result.assert_outcomes(failed=1, errors=1)
    text = result.stdout.str()
    assert "it left" not in text
    assert text.count(" - dspy: blocked live call: ") == 2
    assert "or run pytest --dspy-live allow" in text
    assert "it left" in run_both_ways(*words, "--dspy-live", "allow").stdout.str()


def test_the_fixtures_give_what_is_in_effect(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        @pytest.mark.dspy_profile("dev")
        class TestDev:
            def test_profile(self, dspy_profile):
                assert dspy_profile is current_profile() and dspy_profile.name == "dev"
            def test_lm(self, dspy_lm):
                assert dspy_lm is dspy.settings.lm and dspy_lm.model == "dev"
            def test_usage(self, dspy_usage):
                assert (dspy_usage.calls, dspy_usage.tokens, dspy_usage.cost) == (0, 0, 0)
                ask("a")
                assert dspy_usage.calls == 1 and dspy_usage.tokens > 0 and dspy_usage.cost == 0
                ask("a")
                assert (dspy_usage.calls, dspy_usage.cached) == (2, 0)
            def test_mock(self, dspy_mock):
                dspy_mock.answer(answer="Paris")
                assert ask() == "Paris"
                dspy_mock.answer(when="capital of France", answer="Lyon")
                assert ask("What is the capital of France?") == "Lyon"
                assert len(dspy_mock.calls) == 2
            def test_mock_is_new(self, dspy_mock):
                assert dspy_mock.calls == []
                assert ask("What is the capital of France?") != "Lyon"
        @pytest.mark.dspy_profile(None)
        class TestNone:
            def test_profile(self, dspy_profile):
                assert dspy_profile is None
            def test_usage(self, dspy_usage):
                assert dspy_usage.calls == 0
        def test_profile_of_each(dspy_profile):
            assert dspy_profile.name == "mock"
        @pytest.fixture(scope="module")
        def wide(dspy_profile):
            return dspy_profile.name
        def test_wide(wide, dspy_profile):
            assert wide == "mock" == dspy_profile.name
    """)
    run_both_ways("--dspy-profile", "mock").assert_outcomes(passed=9)


def test_a_fixture_gets_a_view_of_the_active_profile(
    run: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        @pytest.fixture(scope="module")
        def wide(dspy_profile):
            assert isinstance(dspy_profile, dspy_profiles.ResolvedProfile)
            assert dspy_profile.name == "mock"
            yield dspy_profile
            assert dspy_profile.name == "mock"
        @pytest.mark.dspy_profile("dev")
        def test_dev(wide, dspy_profile, request):
            late = request.getfixturevalue("dspy_profile")
            assert dspy_profile is current_profile() and dspy_profile == wide == late == wide
            assert repr(wide) == repr(dspy_profile)
        @pytest.mark.dspy_profile(None)
        def test_none(wide):
            assert not wide and wide == None and not isinstance(wide, dspy_profiles.ResolvedProfile)
    """)
    run("--dspy-profile", "mock").assert_outcomes(passed=2)


def test_a_fixture_that_has_nothing_to_give_says_what_to_do(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        def test_lm(dspy_lm): pass
        def test_mock(dspy_mock): pass
        @pytest.mark.dspy_profile("prod")
        def test_no_mock(dspy_mock): pass
    """)
    result = run_both_ways(env={"PROD_KEY": "sk-1234567890"})
    result.assert_outcomes(errors=3)
    how = "*mark the test @pytest.mark.dspy_profile*, or run pytest --dspy-profile mock"
    for test, what in (
        ("test_lm", "dspy_lm: no LM is active;"),
        ("test_mock", "dspy_mock: no LM is active;"),
        ("test_no_mock", "dspy_mock: the active LM, openai/gpt-4o, is not a mock;"),
    ):
        result.stdout.fnmatch_lines([f"ERROR test_it.py::{test} - Failed: {what}*"])
    result.stdout.fnmatch_lines([how])
