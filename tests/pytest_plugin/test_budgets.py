"""The call that would pass a limit is not made, is not swallowed, and is nobody else's."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from .openai_server import Server

LIVE = ("--dspy-profile", "live")
POOL = """
from concurrent.futures import ThreadPoolExecutor
@pytest.mark.parametrize("n", range(8))
def test_asks_five_times(n):
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(ask, map(str, range(5))))
"""


@pytest.fixture
def server(write: Any) -> Iterator[Any]:
    with Server() as running:
        write("profiles.toml", running.profile("live") + running.profile("staging", "gpt-4o"))
        yield running


def refused(result: pytest.RunResult) -> dict[str, str]:
    """What each failed test was told, by the test's own name."""
    lines = (re.match(r"(?:FAILED|ERROR) (\S+) - dspy: budget: (.*)", x) for x in result.outlines)
    return {found[1].rpartition("::")[2]: found[2] for found in lines if found}


def test_exactly_as_many_calls_are_made_as_the_session_may_make(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite(POOL)

    result = run_both_ways(*LIVE, "--dspy-budget", "calls=17")

    assert len(server.asked) == 17
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] >= 4
    assert outcomes.get("passed", 0) + outcomes["failed"] == 8
    said = "budget of this session reached: 17 of 17 calls; blocked a call to openai/gpt-4o-mini"
    assert len(refused(result)) == outcomes["failed"]
    for line in refused(result).values():
        assert line.startswith(said), line
    result.stdout.fnmatch_lines(["*17 calls*"])


def test_a_profile_has_a_budget_of_its_own(run_both_ways: Any, suite: Any, server: Any) -> None:
    suite("""
        @pytest.mark.dspy_profile("live", "staging")
        @pytest.mark.parametrize("n", range(3))
        def test_asks_twice(n):
            for question in "ab":
                assert ask(question) == "Paris"
    """)

    result = run_both_ways("--dspy-budget", "staging.calls=3")

    result.assert_outcomes(passed=4, failed=2)
    assert len(server.asked) == 6 + 3
    for test, line in refused(result).items():
        assert "staging" in test
        assert line.startswith('budget of profile "staging" reached: 3 of 3 calls')


def test_a_mark_limits_each_test_by_itself(run_both_ways: Any, suite: Any, server: Any) -> None:
    suite("""
        @pytest.mark.dspy_budget(calls=2)
        class TestClass:
            @pytest.mark.parametrize("n", range(3))
            def test_within(self, n):
                ask("a"); ask("b")
            def test_beyond(self):
                ask("a"); ask("b"); ask("c")
            @pytest.mark.dspy_budget(calls=3)
            def test_the_nearest_mark_counts(self):
                ask("a"); ask("b"); ask("c")
            @pytest.mark.dspy_budget(calls=0)
            def test_none_at_all(self):
                ask("a")
    """)

    result = run_both_ways(*LIVE)

    result.assert_outcomes(passed=4, failed=2)
    assert len(server.asked) == 3 * 2 + 2 + 3
    lines = refused(result)
    assert "budget of test_it.py::TestClass::test_beyond reached: 2 of 2" in lines["test_beyond"]
    assert "0 of 0 calls" in lines["test_none_at_all"]


def test_tokens_and_dollars_hold_the_next_call_once_they_are_spent(
    run_both_ways: Any, suite: Any, write: Any
) -> None:
    with Server(tokens=(1_000_000, 0)) as server:  # 15 cents each
        write("profiles.toml", server.profile())
        suite("""
            @pytest.mark.dspy_budget(tokens=2_000_000)
            def test_tokens(dspy_usage):
                ask("a"); ask("b"); ask("c")
            @pytest.mark.dspy_budget(usd=0.2)
            def test_dollars():
                ask("a"); ask("b"); ask("c")
        """)

        result = run_both_ways(*LIVE)

        result.assert_outcomes(failed=2)
        assert len(server.asked) == 2 + 2
    lines = refused(result)
    assert "2,000,000 of 2,000,000 tokens" in lines["test_tokens"]
    assert "$0.30 of $0.20" in lines["test_dollars"]


@pytest.mark.parametrize("mark", [True, False], ids=["mark", "session"])
def test_dollars_cannot_be_kept_where_the_price_is_not_known(
    run_both_ways: Any, suite: Any, write: Any, mark: Any
) -> None:
    with Server() as server:
        write("profiles.toml", server.profile(model="my-own-model"))
        marked = "@pytest.mark.dspy_budget(usd=1)" if mark else ""
        suite(f"""
            {marked}
            def test_asks():
                try: ask()
                except BaseException: pass
        """)

        result = run_both_ways(*LIVE, *(() if mark else ("--dspy-budget", "usd=1")))

    result.assert_outcomes(failed=1)
    assert "price of openai/my-own-model is unknown" in refused(result)["test_asks"]
    result.stdout.fnmatch_lines(["*hint: limit tokens= or calls= instead of usd=*"])


@pytest.mark.parametrize(
    "text",
    ["calls=x", "cals=3", "calls=-1", "calls", "usd=nan", "usd=inf", "calls=1.5", "live.x=1"],
)
def test_a_budget_that_cannot_be_is_a_usage_error(
    run: Any, suite: Any, server: Any, text: Any
) -> None:
    suite("def test_asks(): ask()")

    result = run(*LIVE, "--dspy-budget", text)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *budget*", "*hint: *"])
    assert server.asked == []


@pytest.mark.parametrize("given", ["3", "", "cals=3", "calls='3'", "usd=-1", "calls=True"])
def test_a_mark_that_cannot_be_is_a_usage_error_with_its_place(
    run_both_ways: Any, suite: Any, server: Any, given: Any
) -> None:
    suite(f"@pytest.mark.dspy_budget({given})\ndef test_asks(): ask()", imports="import pytest\n")

    result = run_both_ways(*LIVE)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "\n".join(result.outlines + result.errlines)
    assert "test_it.py:2" in told
    assert "budget" in told
    assert server.asked == []


@pytest.mark.parametrize("where", ["option", "ini", "environment", "pyproject"])
def test_each_way_to_say_it_limits(
    run: Any, suite: Any, write: Any, server: Any, where: Any
) -> None:
    write("pytest.ini", f"[pytest]\n{'dspy_budget = calls=1' if where == 'ini' else ''}\n")
    if where == "pyproject":
        write("pyproject.toml", '[tool.dspy-profiles]\nbudget = "calls=1"\n')
    suite("def test_asks():\n    ask('a'); ask('b')")

    result = run(
        *LIVE,
        *(("--dspy-budget", "calls=1") if where == "option" else ()),
        env={"DSPY_PROFILES_BUDGET": "calls=1"} if where == "environment" else {},
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["dspy: *budget 1 call*"])
    assert len(server.asked) == 1


def test_what_is_cached_is_not_spent(run_both_ways: Any, suite: Any, write: Any) -> None:
    with Server() as server:
        write("profiles.toml", server.profile(cache=True))
        suite("""
            def test_asks_the_same(dspy_usage):
                ask(); ask(); ask()
                assert (dspy_usage.calls, dspy_usage.cached) == (1, 2)
        """)

        run_both_ways(*LIVE, "--dspy-budget", "calls=1").assert_outcomes(passed=1)

        assert len(server.asked) == 1


def test_the_mock_counts_too(run: Any, suite: Any) -> None:
    suite("def test_asks():\n    ask('a'); ask('b')")

    result = run("--dspy-profile", "mock", "--dspy-budget", "calls=1")

    assert "1 of 1 call; blocked a call to mock" in refused(result)["test_asks"]


SWALLOWING = """
import asyncio, contextlib, unittest
QA = dspy.Predict("question -> answer")
EXAMPLES = [dspy.Example(question=str(n), answer="x").with_inputs("question") for n in range(6)]
def metric(example, prediction, trace=None):
    return 1.0
def never(arguments, prediction):
    return 0.0

def test_evaluate():
    dspy.Evaluate(devset=EXAMPLES, metric=metric, num_threads=2, max_errors=99)(QA)
def test_parallel():
    dspy.Parallel(num_threads=2, max_errors=99)([(QA, each) for each in EXAMPLES])
def test_batch():
    QA.batch(EXAMPLES, num_threads=2, max_errors=99)
def test_best_of_n():
    dspy.BestOfN(module=QA, N=3, reward_fn=never, threshold=1.0, fail_count=3)(question="?")
def test_refine():
    dspy.Refine(module=QA, N=3, reward_fn=never, threshold=1.0, fail_count=3)(question="?")
def test_react():
    def look(word: str) -> str:
        return ask("more")
    dspy.ReAct("question -> answer", tools=[look])(question="?")
def test_bootstrap():
    dspy.BootstrapFewShot(metric=metric, max_errors=99).compile(QA, trainset=EXAMPLES)
def test_eats_everything():
    for question in "ab":
        with contextlib.suppress(BaseException):
            ask(question)
@pytest.mark.asyncio
async def test_gather():
    calls = (QA.acall(question=str(n)) for n in range(3))
    await asyncio.gather(*calls, return_exceptions=True)
class TestUnit(unittest.TestCase):
    def test_unit(self):
        for question in "ab":
            with contextlib.suppress(BaseException):
                ask(question)
"""


def test_nothing_of_dspy_swallows_a_refusal(run_both_ways: Any, suite: Any) -> None:
    suite("pytestmark = pytest.mark.dspy_budget(calls=1)\n" + SWALLOWING)

    result = run_both_ways("--dspy-profile", "mock", strict=())

    names = re.findall(r"def (test_\w+)", SWALLOWING)
    result.assert_outcomes(failed=len(names))
    assert refused(result).keys() == set(names)
    for name, line in refused(result).items():
        assert f"{name} reached: 1 of 1 call" in line, line


def test_what_a_refused_test_has_queued_is_not_charged_to_the_next(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("""
        QA = dspy.Predict("question -> answer")
        EXAMPLES = [dspy.Example(question=str(n)).with_inputs("question") for n in range(40)]
        @pytest.mark.parametrize("n", range(3))
        class TestQueue:
            @pytest.mark.dspy_budget(calls=2)
            def test_queues_many(self, n):
                dspy.Evaluate(
                    devset=EXAMPLES, metric=lambda *_: 1.0, num_threads=4, max_errors=99
                )(QA)
            @pytest.mark.dspy_budget(calls=1)
            def test_next(self, n, dspy_usage):
                assert ask("?") == "Paris"
                assert dspy_usage.calls == 1
    """)

    result = run_both_ways(*LIVE, "--dist", "loadscope")

    result.assert_outcomes(passed=3, failed=3)
    assert all("test_queues_many" in name for name in refused(result))
    assert len(server.asked) == 3 * (2 + 1)


def test_calls_of_a_wider_fixture_are_the_sessions_and_not_the_first_tests(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("""
        @pytest.fixture(scope="module")
        def knowledge():
            return ask("a"), ask("b")
        @pytest.mark.dspy_budget(calls=1)
        def test_first(knowledge, dspy_usage):
            assert dspy_usage.calls == 0
            ask("c")
            assert dspy_usage.calls == 1
        def test_second(knowledge):
            ask("d")
        def test_third(knowledge):
            ask("e")
    """)

    result = run_both_ways(
        *LIVE, "--dist", "loadfile", "--dspy-budget", "calls=4,live.calls=9", "-v"
    )

    result.assert_outcomes(passed=2, failed=1)
    assert "4 of 4 calls" in refused(result)["test_third"]
    assert len(server.asked) == 4


def test_a_wider_fixture_that_is_refused_is_an_error_of_its_test(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("""
        @pytest.fixture(scope="module")
        def knowledge():
            return ask("a"), ask("b")
        def test_wants_it(knowledge): pass
    """)

    result = run_both_ways(*LIVE, "--dspy-budget", "live.calls=1")

    result.assert_outcomes(errors=1)
    assert 'budget of profile "live" reached' in refused(result)["test_wants_it"]


def test_the_message_says_what_was_spent_on_what(run: Any, suite: Any, write: Any) -> None:
    with Server(tokens=(1_000_000, 0)) as server:
        write("profiles.toml", server.profile("live") + server.profile("staging", "gpt-4o"))
        suite("""
            def test_asks():
                ask("a"); ask("b")
                with profile("staging"):
                    ask("a"); ask("b")
        """)

        result = run(*LIVE, "--dspy-budget", "calls=3")

    result.stdout.fnmatch_lines(
        ["*(so far: 3 calls (openai/gpt-4o-mini 2, openai/gpt-4o 1), 3,000,000 tokens, $2.80)*"]
    )


def test_what_other_workers_have_spent_is_said_too(run: Any, suite: Any, server: Any) -> None:
    suite(POOL)

    result = run(*LIVE, "-n", "2", "--dist", "each", "--dspy-budget", "calls=17")

    assert len(server.asked) == 17
    result.stdout.fnmatch_lines(["*in other processes*"])


def test_the_sessions_tally_is_gone_afterwards(
    run_both_ways: Any, suite: Any, server: Any, project: Any
) -> None:
    folder = project / "temporary"
    folder.mkdir()
    suite(POOL)

    run_both_ways(*LIVE, "--dspy-budget", "calls=1", env={"TMPDIR": str(folder)})

    assert len(server.asked) == 1
    assert not list(folder.glob("dspy-profiles*"))
