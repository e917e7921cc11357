"""Nothing that a test leaves behind is seen by the next."""

from textwrap import indent
from typing import Any

import pytest

MOCK = ("--dspy-profile", "mock", "--dist", "loadfile")

OWN_ENGINE = """
from threading import Thread
from dspy.clients.base_lm import GLOBAL_HISTORY
from dspy.utils.callback import BaseCallback

class Engine:
    offline = True
    made = 0
    def complete(self, request):
        Engine.made += 1
        said = dspy.lm15.TextPart("[[ ## answer ## ]]\\nown")
        return dspy.lm15.Response(
            id="x", model=request.model, finish_reason="stop",
            message=dspy.lm15.Message(role="assistant", parts=(said,)),
            usage=dspy.lm15.Usage(input_tokens=1, output_tokens=1),
        )
own = dspy.LM("own/model", engine=Engine())
CALLBACK = BaseCallback()
OPEN = []  # a context that nobody holds would be left by the garbage collector

def leave_open(context):
    OPEN.append(context)
    context.__enter__()

def asks_anew():
    before = Engine.made
    own("the same question")
    return Engine.made > before

def may_not_configure():
    try:
        dspy.configure(nothing=None)
    except RuntimeError:
        return True

def in_a_thread(function):
    thread = Thread(target=function)
    thread.start()
    thread.join()
"""

# What one test does, and how the next would see it.
OF_THE_PROGRAM = {
    "a configured setting": ("dspy.configure(max_errors=77)", "dspy.settings.max_errors == 77"),
    "a setting of its own": ("dspy.configure(mine=1)", "dspy.settings.get('mine') == 1"),
    "a callback": ("dspy.configure(callbacks=[CALLBACK])", "CALLBACK in dspy.settings.callbacks"),
    "a context left open": (
        "leave_open(dspy.context(num_threads=55))",
        "dspy.settings.num_threads == 55",
    ),
    "an answer in the cache": ("own('the same question')", "not asks_anew()"),
    "the history of all": ("own('a question')", "len(GLOBAL_HISTORY) > 0"),
}
OF_THE_PROFILE = {
    "a callback added in place": (
        "dspy.settings.callbacks.append(CALLBACK)",
        "CALLBACK in dspy.settings.callbacks",
    ),
    "the history of the LM": ("ask()", "len(dspy.settings.lm.history) > 0"),
    "a scripted answer": ("dspy.settings.lm.engine.answer(answer='left')", "ask() == 'left'"),
    "what the mock was asked": ("ask()", "len(dspy.settings.lm.engine.calls) > 0"),
    "a block left open": ("leave_open(profile('other'))", "name() == 'other'"),
    "an LM configured beneath": (
        "import warnings; warnings.simplefilter('ignore'); dspy.configure(lm=own)",
        "beneath().get('lm') is own",
    ),
}
ALL = {**OF_THE_PROGRAM, **OF_THE_PROFILE}
PROFILES = '[other.provider]\nclass = "mock"\n[other.settings]\nnum_threads = 2\n'

SHAPES = {
    "a function": "def test_{n}_leaves():\n{leaves}",
    "a failing function": "def test_{n}_leaves():\n{leaves}\n    assert not 'on purpose'",
    "an async test": "@pytest.mark.asyncio\nasync def test_{n}_leaves():\n{leaves}",
    "a unittest": (
        "class Test{n}(TestCase):\n    def test_leaves(self):\n{deeper}\n"
        "    def test_next(self):\n        assert not ({seen})"
    ),
    "an async unittest": (
        "class Test{n}(IsolatedAsyncioTestCase):\n    async def test_leaves(self):\n{deeper}\n"
        "    async def test_next(self):\n        assert not ({seen})"
    ),
}
NEXT = "\ndef test_{n}_next():\n    assert not ({seen})"


def pairs(changes: dict[str, tuple[str, str]], shape: str = "a function") -> str:
    """A test that leaves something behind, and after it one that looks for that; of each kind."""
    parts = [OWN_ENGINE, "from unittest import IsolatedAsyncioTestCase, TestCase"]
    parts.append(
        "from dspy_profiles.activation._session import SESSION; beneath = SESSION.unpinned_settings"
    )
    form = SHAPES[shape] if "unittest" in shape else SHAPES[shape] + NEXT
    for n, (leaves, seen) in enumerate(changes.values()):
        body = indent(leaves, "    ")
        parts.append(form.format(n=n, leaves=body, deeper=indent(body, "    "), seen=seen))
    return "\n".join(parts)


@pytest.fixture(autouse=True)
def profiles(write: Any) -> None:
    write("profiles.toml", PROFILES)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_next_test_sees_nothing_of_what_one_has_left(
    run_both_ways: Any, suite: Any, shape: Any
) -> None:
    suite(pairs(ALL, shape))
    suite(pairs(ALL, shape), "test_too.py")

    result = run_both_ways(*MOCK)

    failed = 2 * len(ALL) if "failing" in shape else 0
    result.assert_outcomes(passed=4 * len(ALL) - failed, failed=failed)
    result.stdout.no_fnmatch_line("FAILED *next*")


@pytest.mark.parametrize(
    ("words", "ini"),
    [(("--dspy-isolation", "false"), ""), ((), "dspy_isolation = false")],
    ids=["option", "ini"],
)
def test_all_of_it_is_seen_where_isolation_is_off(
    run: Any, suite: Any, write: Any, words: Any, ini: Any
) -> None:
    write("pytest.ini", f"[pytest]\n{ini}\n")
    suite(pairs(ALL))

    result = run(*MOCK, *words)

    result.assert_outcomes(passed=len(ALL), failed=len(ALL))


def test_without_a_profile_in_effect_nothing_is_touched(run: Any, suite: Any) -> None:
    suite(pairs(OF_THE_PROGRAM))

    result = run("--dspy-budget", "calls=1000")  # the suite is there, a profile is not

    result.assert_outcomes(passed=len(OF_THE_PROGRAM), failed=len(OF_THE_PROGRAM))


def test_a_test_without_a_profile_leaves_what_it_likes_among_tests_that_have_one(
    run: Any, suite: Any
) -> None:
    suite("""
        def test_leaves():
            dspy.configure(max_errors=77)
        @pytest.mark.dspy_profile("mock")
        def test_under_a_profile():
            assert dspy.settings.max_errors == 77
            dspy.configure(max_errors=78)
        def test_next():
            assert dspy.settings.max_errors == 77
    """)

    run().assert_outcomes(passed=3)


def test_a_thread_that_was_the_first_to_configure_does_not_keep_that_right(
    run: Any, suite: Any
) -> None:
    suite(
        OWN_ENGINE
        + """
def test_leaves():
    in_a_thread(lambda: dspy.configure(max_errors=3))
    assert may_not_configure()
def test_next():
    assert not may_not_configure()
"""
    )

    run(*MOCK).assert_outcomes(passed=2)


def test_the_cache_is_in_memory_and_empty_at_the_start_of_each_test(
    run_both_ways: Any, suite: Any, project: Any
) -> None:
    text = (
        OWN_ENGINE
        + """
@pytest.mark.parametrize("n", range(4))
def test_asks_once(n):
    assert asks_anew()
    assert not asks_anew()
"""
    )
    suite(text)
    suite(text, "test_too.py")
    folder = project / "cache"

    result = run_both_ways(*MOCK, env={"DSPY_CACHEDIR": str(folder)})

    result.assert_outcomes(passed=8)
    assert not folder.exists()


def test_the_cache_on_disk_is_made_where_isolation_is_off(
    run: Any, suite: Any, project: Any
) -> None:
    suite(OWN_ENGINE + "\ndef test_asks():\n    assert asks_anew()\n")
    folder = project / "cache"

    run(*MOCK, "--dspy-isolation=false", env={"DSPY_CACHEDIR": str(folder)})

    assert folder.exists()


def test_a_cache_that_was_there_before_is_there_again_afterwards(
    run: Any, suite: Any, home: Any
) -> None:
    suite(
        OWN_ENGINE
        + """
def test_fills_the_cache_without_a_profile():
    assert asks_anew()
@pytest.mark.dspy_profile("mock")
def test_under_a_profile_it_is_empty():
    assert asks_anew()
def test_finds_it_again():
    assert not asks_anew()
"""
    )

    run(env={"DSPY_CACHEDIR": str(home / "cache")}).assert_outcomes(passed=3)


WIDER = """
@pytest.fixture(scope="{scope}")
def configured():
    callbacks, errors = dspy.settings.callbacks, dspy.settings.max_errors
    dspy.configure(max_errors=31)
    callbacks.append(CALLBACK)
    with dspy.context(num_threads=41):
        yield
    assert dspy.settings.num_threads != 41
    dspy.configure(max_errors=errors)
    callbacks.remove(CALLBACK)

class Test:
    def test_sees_it_and_changes_it(self, configured):
        assert dspy.settings.max_errors == 31 and CALLBACK in dspy.settings.callbacks
        assert dspy.settings.num_threads == 41
        leave_open(dspy.context(num_threads=42))
        dspy.settings.callbacks.clear()
    def test_sees_it_again(self):
        assert CALLBACK in dspy.settings.callbacks
        assert dspy.settings.num_threads == 41
        assert ask() and {fails}
    def test_and_again(self):
        assert CALLBACK in dspy.settings.callbacks
"""


@pytest.mark.parametrize("scope", ["class", "module", "session"])
@pytest.mark.parametrize("fails", [False, True], ids=["passing", "failing"])
def test_what_a_wider_fixture_has_configured_stays_for_its_tests_and_no_longer(
    run_both_ways: Any, suite: Any, scope: Any, fails: Any
) -> None:
    suite(
        OWN_ENGINE
        + WIDER.format(scope=scope, fails="not 'on purpose'" if fails else "True")
        + "    def test_last(self):\n        assert dspy.settings.max_errors == 31\n"
    )

    result = run_both_ways(*MOCK)

    result.assert_outcomes(passed=3 if fails else 4, failed=1 if fails else 0)


@pytest.mark.parametrize("scope", ["class", "module"])
def test_what_a_wider_fixture_has_undone_is_gone_for_the_tests_after_it(
    run_both_ways: Any, suite: Any, scope: Any
) -> None:
    suite(OWN_ENGINE + WIDER.format(scope=scope, fails="True"), "test_a.py")
    suite(
        """
        def test_nothing_is_left():
            assert dspy.settings.max_errors == 10
            assert not dspy.settings.callbacks
            assert dspy.settings.num_threads == 8
        """,
        "test_b.py",
    )

    run_both_ways(*MOCK).assert_outcomes(passed=4)
