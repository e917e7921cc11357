"""Coroutines under pytest-asyncio and anyio, unittest's two kinds of cases, doctests."""

from typing import Any

import pytest

LOOPS = ("-o", "asyncio_default_fixture_loop_scope=function")
COROUTINES = """
    import asyncio
    import pytest_asyncio
    async def aask():
        return (await dspy.Predict("question -> answer").acall(question="?")).answer
    async def in_tasks():
        async def one(): return model()
        loop = asyncio.get_running_loop()
        seen = [*await asyncio.gather(one(), one()), await asyncio.to_thread(model)]
        return {*seen, await loop.run_in_executor(None, model), await dspy.asyncify(model)()}
    @pytest_asyncio.fixture
    async def narrow():
        before = name()
        yield before
        await asyncio.sleep(0)
        assert name() == before
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def wide():
        before = name()
        yield before
        await asyncio.sleep(0)
        assert name() == before
    @pytest_asyncio.fixture
    async def own():
        with dspy.context(lm=dspy.LM("openai/own", api_key="dummy")):
            yield model()
    MARK
    @pytest.mark.dspy_profile("dev")
    async def test_dev(narrow, dspy_profile, dspy_usage):
        assert dspy_profile.name == name() == narrow == "dev" and await in_tasks() == {"dev"}
        assert await aask() and dspy_usage.calls == 1
    MARK
    async def test_session(narrow):
        assert narrow == name() == "mock" and await in_tasks() == {"mock"}
    MARK
    @pytest.mark.dspy_profile(None)
    async def test_none(narrow):
        assert narrow is None and await in_tasks() == {None}
    MARK
    @pytest.mark.dspy_profile("dev")
    async def test_own(own):
        assert own == "openai/own"
    MARK
    @pytest.mark.dspy_profile("staging")
    async def test_block():
        async def under(which):
            with profile(which):
                await asyncio.sleep(0)
                return model(), await asyncio.to_thread(model)
        assert await asyncio.gather(under("dev"), under("mock")) == [
            ("dev", "dev"), ("mock", "mock")]
        assert model() == "staging"
    MARKMODULE
    @pytest.mark.dspy_profile("staging")
    async def test_wide(wide):
        assert wide == "mock" and name() == "staging" and await in_tasks() == {"staging"}
    MARKMODULE
    async def test_wide_again(wide):
        assert wide == name() == "mock"
    def test_sync():
        assert name() == "mock"
"""


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_coroutines_and_their_fixtures_under_pytest_asyncio(
    run_both_ways: Any, suite: Any, mode: Any, dev_and_staging: Any
) -> None:
    strict = mode == "strict"
    text = COROUTINES.replace("MARKMODULE", "@pytest.mark.asyncio(loop_scope='module')").replace(
        "MARK", "@pytest.mark.asyncio" if strict else ""
    )
    if not strict:
        text = text.replace("@pytest_asyncio.fixture\n", "@pytest.fixture\n")
    suite(text)
    result = run_both_ways("--dspy-profile", "mock", "-o", f"asyncio_mode={mode}", *LOOPS)
    result.assert_outcomes(passed=8)


def test_what_was_held_back_in_a_coroutine_fails_the_test(run_both_ways: Any, suite: Any) -> None:
    suite("""
        import asyncio
        class Engine:
            def complete(self, request): raise SystemExit("the call left")
        class AsyncEngine:
            async def complete(self, request): raise SystemExit("the call left")
        async def call():
            lm = dspy.LM("openai/x", engine=Engine(), async_engine=AsyncEngine(), cache=False)
            await lm.acall("hello")
        async def test_raised():
            await call()
        async def test_gathered():
            await asyncio.gather(call(), return_exceptions=True)
        async def test_caught():
            try:
                await call()
            except BaseException:
                pass
        async def test_fine():
            assert await dspy.Predict("question -> answer").acall(question="?")
    """)
    result = run_both_ways(
        "--dspy-profile", "mock", "--dspy-live", "block", "-o", "asyncio_mode=auto", *LOOPS
    )
    result.assert_outcomes(passed=1, failed=3)
    for test in ("raised", "gathered", "caught"):
        result.stdout.fnmatch_lines([f"FAILED *::test_{test} - dspy: blocked live call:*"])


def test_a_matrix_of_coroutines(run_both_ways: Any, suite: Any, dev_and_staging: Any) -> None:
    suite("""
        import pytest_asyncio
        @pytest_asyncio.fixture
        async def narrow(dspy_profile):
            return dspy_profile.name
        @pytest.mark.asyncio
        async def test_each(narrow, request):
            assert request.node.callspec.id == narrow == name() == model()
    """)
    run_both_ways("--dspy-profile", "dev,staging", *LOOPS).assert_outcomes(passed=2)


def test_coroutines_under_anyio(run_both_ways: Any, suite: Any, dev_and_staging: Any) -> None:
    suite("""
        import anyio
        pytestmark = pytest.mark.anyio
        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"
        @pytest.fixture
        async def narrow():
            before = name()
            yield before
            await anyio.sleep(0)
            assert name() == before
        @pytest.fixture(scope="module")
        async def wide():
            before = name()
            yield before
            assert name() == before
        async def in_tasks():
            seen = []
            async def one(): seen.append(model())
            async with anyio.create_task_group() as group:
                group.start_soon(one)
                group.start_soon(one)
            return {*seen, await anyio.to_thread.run_sync(model)}
        @pytest.mark.dspy_profile("dev")
        async def test_dev(wide, narrow, dspy_profile):
            assert (wide, narrow, name(), dspy_profile.name) == ("mock", "dev", "dev", "dev")
            assert await in_tasks() == {"dev"}
        @pytest.mark.dspy_profile(None)
        async def test_none(wide, narrow):
            assert (wide, narrow, name()) == ("mock", None, None) and await in_tasks() == {None}
        async def test_session(wide, narrow):
            assert wide == narrow == name() == "mock" and await in_tasks() == {"mock"}
    """)
    run_both_ways("--dspy-profile", "mock", *LOOPS).assert_outcomes(passed=3)


def test_cases_of_unittest(run_both_ways: Any, suite: Any, dev_and_staging: Any) -> None:
    suite("""
        import unittest
        @pytest.mark.dspy_profile("dev")
        class TestCase(unittest.TestCase):
            @classmethod
            def setUpClass(cls): assert name() == "dev"
            @classmethod
            def tearDownClass(cls): assert name() == "dev"
            def setUp(self): self.before = name()
            def tearDown(self): assert name() == self.before
            def test_class(self):
                self.addCleanup(lambda: self.assertEqual(name(), "dev"))
                assert ask() and self.before == name() == model() == "dev"
            @pytest.mark.dspy_profile("staging")
            def test_method(self): assert self.before == name() == model() == "staging"
            @pytest.mark.dspy_profile(None)
            def test_none(self): assert self.before is None and model() is None
            @pytest.fixture(autouse=True)
            def of_pytest(self, dspy_usage): self.usage = dspy_usage
            def test_usage(self):
                ask()
                assert self.usage.calls == 1
            def test_sub(self):
                for n in range(2):
                    with self.subTest(n=n): assert name() == "dev"
            @unittest.skip("not today")
            def test_skipped(self): pass
            @unittest.expectedFailure
            def test_expected(self): assert name() == "staging"
        class TestPlain(unittest.TestCase):
            def test_session(self): assert name() == "mock"
    """)
    result = run_both_ways("--dspy-profile", "mock", "--dist", "loadscope")
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["skipped"], outcomes["xfailed"]) == (6, 1, 1)
    assert result.ret == 0


def test_asynchronous_cases_of_unittest(
    run_both_ways: Any, suite: Any, dev_and_staging: Any
) -> None:
    suite("""
        import asyncio, unittest
        class TestCase(unittest.IsolatedAsyncioTestCase):
            def setUp(self): self.before = name()
            async def asyncSetUp(self): assert name() == self.before
            async def asyncTearDown(self): assert name() == self.before
            async def in_tasks(self):
                async def one(): return model()
                return {*await asyncio.gather(one(), one()), await asyncio.to_thread(model)}
            @pytest.mark.dspy_profile("dev")
            async def test_dev(self):
                assert self.before == "dev" and await self.in_tasks() == {"dev"}
                assert (await dspy.Predict("question -> answer").acall(question="?")).answer
            @pytest.mark.dspy_profile(None)
            async def test_none(self):
                assert self.before is None and await self.in_tasks() == {None}
            async def test_session(self):
                assert self.before == "mock" and await self.in_tasks() == {"mock"}
            async def test_block(self):
                with profile("staging"):
                    assert await self.in_tasks() == {"staging"}
    """)
    result = run_both_ways("--dspy-profile", "mock")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*mock*2 tests*", "*dev*1 test * 1 call *"])


def test_doctests(run_both_ways: Any, write: Any, dev_and_staging: Any) -> None:
    write(
        "told.py",
        '''
        """A module.

        >>> import dspy
        >>> dspy.settings.lm.model
        'dev'
        """
        def function():
            """
            >>> from dspy_profiles import current_profile
            >>> current_profile().name
            'dev'
            >>> getfixture("dspy_profile").name
            'dev'
            """
        ''',
    )
    write("page.txt", ">>> import dspy\n>>> dspy.settings.lm.model\n'dev'\n")
    run_both_ways("--doctest-modules", "--dspy-profile", "dev", "told.py").assert_outcomes(passed=2)
    run_both_ways("--dspy-profile", "dev", "--doctest-glob", "*.txt").assert_outcomes(passed=1)
