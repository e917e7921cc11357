"""With live calls blocked nothing leaves the machine, whoever makes the call or eats its error."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .openai_server import Server

BLOCKED = ("--dspy-live", "block")

IMPORTS = """\
import asyncio, os, threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from unittest import IsolatedAsyncioTestCase, SkipTest, TestCase
import dspy, pytest
from dspy_profiles import current_profile

URL = os.environ["SERVER"]
HOW = {"api_base": URL + "/v1", "api_key": "k", "num_retries": 0}
LIVE = dspy.LM("openai/gpt-4o-mini", cache=False, **HOW)
CACHED = dspy.LM("openai/gpt-4o-mini", **HOW)
QA = dspy.Predict("question -> answer")
EXAMPLES = [dspy.Example(question=str(n), answer="Paris").with_inputs("question") for n in range(4)]
def ask(question="?"):
    with dspy.context(lm=LIVE):
        return QA(question=question).answer
def metric(example, prediction, trace=None):
    return prediction.answer == example.answer

class Engine:
    def complete(self, request):
        said = dspy.lm15.TextPart("[[ ## answer ## ]]\\nParis")
        return dspy.lm15.Response(
            id="x", model=request.model, finish_reason="stop",
            message=dspy.lm15.Message(role="assistant", parts=(said,)),
            usage=dspy.lm15.Usage(input_tokens=1, output_tokens=1),
        )
class OfflineEngine(Engine):
    offline = True
"""

# Each is the body of a test, and what it would ask.
CALLS = {
    "an_lm_of_its_own": ("LIVE('hello')", "a live call to openai/gpt-4o-mini"),
    "a_context": ("ask()", "a live call to openai/gpt-4o-mini"),
    "a_pinned_lm": ("qa = QA.deepcopy(); qa.set_lm(LIVE); qa(question='?')", "openai/gpt-4o-mini"),
    "a_loaded_program": (
        (
            "qa = QA.deepcopy(); qa.set_lm(LIVE); qa.save(tmp_path / 'p.json')\n"
            "    loaded = dspy.Predict('question -> answer'); loaded.load(tmp_path / 'p.json')\n"
            "    loaded.lm = loaded.lm.copy(api_base=URL + '/v1', api_key='k')\n"
            "    loaded(question='?')"
        ),
        "a live call to openai/gpt-4o-mini",
    ),
    "litellm": (
        ("dspy.LM('openai/gpt-4o-mini', engine='litellm', cache=False, **HOW)('hello')"),
        "a live call to openai/gpt-4o-mini",
    ),
    "an_engine_that_does_not_say": (
        "dspy.LM('own/model', engine=Engine())('hello')",
        "a live call to own/model",
    ),
    "an_awaited_call": ("asyncio.run(LIVE.acall('hello'))", "a live call to openai/gpt-4o-mini"),
    "a_stream": (
        (
            "with dspy.context(lm=LIVE):\n"
            "        list(dspy.streamify(QA, async_streaming=False)(question='?'))"
        ),
        "a live call to openai/gpt-4o-mini",
    ),
    "an_embedder": (
        "dspy.Embedder('openai/text-embedding-3-small', api_base=URL + '/v1', api_key='k')(['x'])",
        "the embedder openai/text-embedding-3-small",
    ),
    "an_awaited_embedder": (
        (
            "asyncio.run(dspy.Embedder('openai/text-embedding-3-small', api_base=URL + '/v1',"
            " api_key='k').acall(['x']))"
        ),
        "the embedder openai/text-embedding-3-small",
    ),
    "a_retriever": ("dspy.ColBERTv2(URL + '/search')('x')", "the retriever http://127.0.0.1"),
    "a_posting_retriever": (
        "dspy.ColBERTv2(URL + '/search', post_requests=True)('x')",
        "the retriever http://127.0.0.1",
    ),
    "a_bare_thread": (
        (
            "caught = []\n"
            "    def call():\n"
            "        try: ask()\n"
            "        except BaseException as error: caught.append(error)\n"
            "    thread = threading.Thread(target=call); thread.start(); thread.join()"
        ),
        "a live call to openai/gpt-4o-mini",
    ),
    "a_pool": (
        "with ThreadPoolExecutor() as pool: list(pool.map(lambda n: ask(), range(3)))",
        "a live call to openai/gpt-4o-mini",
    ),
    "parallel": (
        (
            "with dspy.context(lm=LIVE):\n"
            "        dspy.Parallel(num_threads=2)([(QA, each) for each in EXAMPLES])"
        ),
        "a live call to openai/gpt-4o-mini",
    ),
    "evaluate": (
        (
            "with dspy.context(lm=LIVE):\n"
            "        dspy.Evaluate(devset=EXAMPLES, metric=metric, num_threads=2, max_errors=9)(QA)"
        ),
        "a live call to openai/gpt-4o-mini",
    ),
    "a_test_that_eats_everything": (
        "try: ask()\n    except BaseException: pass",
        "a live call to openai/gpt-4o-mini",
    ),
    "a_test_that_eats_it_and_skips_as_unittest_does": (
        "try: ask()\n    except BaseException: raise SkipTest('no model')",
        "a live call to openai/gpt-4o-mini",
    ),
    "a_test_that_eats_it_and_is_expected_to_fail": (
        "try: ask()\n    except BaseException: pytest.xfail('no model')",
        "a live call to openai/gpt-4o-mini",
    ),
    "a_test_that_eats_it_and_skips": (
        "try: ask()\n    except BaseException: pytest.skip('no model')",
        "a live call to openai/gpt-4o-mini",
    ),
}

ASYNC_AND_UNITTEST = """
@pytest.mark.asyncio
async def test_async():
    with dspy.context(lm=LIVE):
        await QA.acall(question="?")

@pytest.mark.asyncio
async def test_gather():
    with dspy.context(lm=LIVE):
        await asyncio.gather(*(QA.acall(question=str(n)) for n in range(3)), return_exceptions=True)

@pytest.mark.asyncio
async def test_a_group_of_tasks():
    with dspy.context(lm=LIVE):
        async with asyncio.TaskGroup() as group:
            group.create_task(QA.acall(question="?"))

@pytest.mark.anyio
async def test_anyio():
    with dspy.context(lm=LIVE):
        await QA.acall(question="?")

@pytest.fixture
def anyio_backend():
    return "asyncio"

class TestUnit(TestCase):
    def test_plain(self):
        ask()
    def test_eats_everything(self):
        try: ask()
        except BaseException: pass
    def test_eats_it_and_skips(self):
        try: ask()
        except BaseException: self.skipTest("no model")

class TestAsyncUnit(IsolatedAsyncioTestCase):
    async def test_awaits(self):
        with dspy.context(lm=LIVE):
            await QA.acall(question="?")
"""


def written_as_tests(calls: dict[str, tuple[str, str]]) -> str:
    return "\n".join(f"def test_{name}(tmp_path):\n    {body}" for name, (body, _) in calls.items())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with Server() as running:
        monkeypatch.setenv("SERVER", running.root)
        yield running


def told(result: pytest.RunResult) -> dict[str, str]:
    """The line of each failed test at the end of the run, by the test's own name."""
    lines = (re.match(r"(?:FAILED|ERROR) (\S+) - (.*)", line) for line in result.outlines)
    return {found[1].rpartition("::")[2]: found[2] for found in lines if found}


@pytest.mark.parametrize("words", [(), ("--dspy-profile", "mock")], ids=["alone", "under mock"])
def test_no_call_of_any_kind_reaches_the_server(
    run_both_ways: Any, suite: Any, server: Any, words: Any
) -> None:
    suite(written_as_tests(CALLS), imports=IMPORTS)

    result = run_both_ways(*BLOCKED, *words)

    result.assert_outcomes(failed=len(CALLS))
    assert server.asked == []
    for name, (_, what) in CALLS.items():
        line = told(result)[f"test_{name}"]
        assert line.startswith("dspy: blocked live call"), line
        assert f" in test_it.py::test_{name} (" in line, line
        assert what in line, line
        assert "(--dspy-live b" in line, line


def test_the_same_calls_do_reach_it_where_they_are_allowed(
    run: Any, suite: Any, server: Any
) -> None:
    calls = {n: call for n, call in CALLS.items() if not re.search("eats|engine|embedder", n)}
    suite(written_as_tests(calls), imports=IMPORTS)

    result = run("--dspy-live", "allow", strict=())

    result.assert_outcomes(passed=len(calls))
    chats = [path for path in server.asked if path == "/v1/chat/completions"]
    assert len(chats) == 8 + 3 + 2 * 4  # eight kinds, a pool of three, twice four examples
    assert len(server.asked) - len(chats) == 2


@pytest.mark.parametrize("words", [(), ("--dspy-profile", "mock")], ids=["alone", "under mock"])
def test_asynchronous_tests_and_unittests_are_held_too(
    run_both_ways: Any, suite: Any, server: Any, words: Any
) -> None:
    suite(ASYNC_AND_UNITTEST, imports=IMPORTS)

    result = run_both_ways(*BLOCKED, *words)

    result.assert_outcomes(failed=8)
    assert server.asked == []
    for line in told(result).values():
        assert line.startswith("dspy: blocked live call"), line


@pytest.mark.parametrize("words", [(), ("--dspy-profile", "mock")], ids=["alone", "under mock"])
def test_what_asks_nobody_passes(run_both_ways: Any, suite: Any, server: Any, words: Any) -> None:
    suite(
        """
        @pytest.mark.dspy_profile("mock")
        def test_mock():
            assert QA(question="?").answer
        def test_dummy():
            with dspy.context(lm=dspy.utils.DummyLM([{"answer": "Paris"}])):
                assert QA(question="?").answer == "Paris"
        @pytest.mark.asyncio
        async def test_awaited_dummy():
            with dspy.context(lm=dspy.utils.DummyLM([{"answer": "Paris"}])):
                assert (await QA.acall(question="?")).answer == "Paris"
        def test_an_engine_that_says_so():
            with dspy.context(lm=dspy.LM("own/model", engine=OfflineEngine())):
                assert QA(question="?").answer == "Paris"
        """,
        imports=IMPORTS,
    )

    run_both_ways(*BLOCKED, *words).assert_outcomes(passed=4)


def test_embeddings_of_a_function_pass_and_those_of_a_model_reach_it_where_allowed(
    run: Any, suite: Any, server: Any
) -> None:
    pytest.importorskip("numpy")
    suite(
        """
        def test_a_function():
            assert len(dspy.Embedder(lambda texts: [[1.0] for _ in texts])(["x"])) == 1
        def test_a_model():
            found = dspy.Embedder("openai/e", api_base=URL + "/v1", api_key="k", caching=False)
            assert len(found(["x"])) == 1
        """,
        imports=IMPORTS,
    )

    run(*BLOCKED).assert_outcomes(passed=1, failed=1)
    assert server.asked == []
    run("--dspy-live", "allow", strict=()).assert_outcomes(passed=2)
    assert server.asked == ["/v1/embeddings"]


def test_what_is_cached_passes(run: Any, suite: Any, server: Any, home: Path) -> None:
    suite(
        "def test_asks():\n    assert CACHED('hello') == CACHED('hello')",
        imports=IMPORTS,
    )
    cache = {"DSPY_CACHEDIR": str(home / "cache")}
    run("--dspy-live", "allow", env=cache).assert_outcomes(passed=1)
    assert len(server.asked) == 1

    run(*BLOCKED, env=cache).assert_outcomes(passed=1)

    assert len(server.asked) == 1


SAID = {
    "option": (BLOCKED, "pytest.ini", "[pytest]", {}, "--dspy-live block"),
    "ini": ((), "pytest.ini", "[pytest]\ndspy_live = block", {}, "dspy_live block"),
    "environment": (
        *((), "pytest.ini", "[pytest]"),
        *({"DSPY_PROFILES_LIVE": "block"}, "DSPY_PROFILES_LIVE block"),
    ),
    "pyproject": (
        *((), "pyproject.toml", '[tool.dspy-profiles]\nlive = "block"'),
        *({}, "pyproject.toml:2 live = block"),
    ),
}


@pytest.mark.parametrize("profile", [(), ("--dspy-profile", "mock")], ids=["alone", "under mock"])
@pytest.mark.parametrize("said", SAID)
def test_each_way_to_say_it_blocks(
    run: Any, suite: Any, write: Any, server: Any, said: Any, profile: Any
) -> None:
    words, file, text, env, who = SAID[said]
    write(file, text)
    suite("def test_asks():\n    ask()", imports=IMPORTS)

    result = run(*words, *profile, env=env)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["dspy: *live calls blocked*"])
    assert told(result)["test_asks"].endswith(f" in test_it.py::test_asks ({who})")
    assert server.asked == []


def test_the_command_line_allows_what_the_project_blocks(
    run: Any, suite: Any, write: Any, server: Any
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nlive = "block"\n')
    suite("def test_asks():\n    assert ask() == 'Paris'", imports=IMPORTS)

    run("--dspy-live", "allow", env={"DSPY_CACHEDIR": str(Path("c").resolve())}).assert_outcomes(
        passed=1
    )

    assert len(server.asked) == 1


def test_an_unknown_way_is_a_usage_error(run: Any, suite: Any, write: Any) -> None:
    write("pytest.ini", "[pytest]\ndspy_live = blok\n")
    suite("def test_nothing(): pass")

    result = run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*live must be allow or block, not 'blok'*"])


def test_a_forced_offline_profile_blocks_what_knows_nothing_of_us(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("def test_asks():\n    ask()", imports=IMPORTS)

    result = run_both_ways("--dspy-profile", "mock", "--dspy-profile-force")

    assert "(--dspy-profile-force)" in told(result)["test_asks"]
    assert server.asked == []


def test_a_call_in_a_fixture_fails_what_wants_the_fixture(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite(
        """
        @pytest.fixture(scope="module")
        def answer():
            with suppress(BaseException):
                return ask()
        @pytest.fixture
        def late():
            yield
            with suppress(BaseException):
                ask()
        def test_wants_it(answer): pass
        def test_ends_badly(late): pass
        """,
        imports=IMPORTS,
    )

    result = run_both_ways(*BLOCKED)

    result.assert_outcomes(errors=2, passed=1)
    lines = told(result)
    assert " in the module fixture answer (--dspy-live block)" in lines["test_wants_it"]
    assert " in test_it.py::test_ends_badly (--dspy-live block)" in lines["test_ends_badly"]
    assert server.asked == []


def test_a_thread_that_outlives_its_test_is_held_in_that_tests_name(
    run: Any, suite: Any, server: Any, project: Path
) -> None:
    suite(
        """
        GO, DONE = threading.Event(), threading.Event()
        def late():
            GO.wait()
            with suppress(BaseException):
                ask()
            DONE.set()
        def test_starts_it():
            threading.Thread(target=late, daemon=True).start()
        def test_lets_it_go():
            GO.set()
            DONE.wait()
        """,
        imports=IMPORTS,
    )

    run(*BLOCKED)

    assert server.asked == []
