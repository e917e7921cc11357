"""A report says what went wrong between a program and its model, in the user's own lines."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.loopback import nobody

from .openai_server import Server, profile

NO_SUCH_MODEL = "{'error': 'Invalid model name passed in model=gpt-9. Call `/v1/models`'}"

# By the name of a test: how its provider behaves, the kind that is told, and words of advice.
KINDS: dict[str, tuple[dict[str, Any] | None, str, str]] = {
    "refused": (
        {"status": 401, "says": "Incorrect API key provided"},
        "key refused",
        "check that the key is the right one",
    ),
    "forbidden": (
        {"status": 403, "says": "not for you"},
        "key refused",
        "check that the key is the right one",
    ),
    "billing": ({"status": 402, "says": "no credit"}, "not paid for", "add credit"),
    "rate_limit": (
        {"status": 429, "says": "slow down", "headers": {"retry-after": "7"}},
        "rate limit",
        "the provider asks for a pause of 7 s",
    ),
    "wrong_model": (
        {"status": 404, "says": "The model does not exist"},
        "wrong model",
        "check lm.model",
    ),
    "proxy": ({"status": 400, "says": NO_SUCH_MODEL}, "wrong model", "check lm.model"),
    "broken": ({"status": 500, "says": "oh no"}, "provider down", "check that the provider is up"),
    "overloaded": (
        {"status": 503, "says": "later"},
        "provider down",
        "check that the provider is up",
    ),
    "unreachable": (None, "provider down", "check that the provider is up"),
}
SUITE = """
@pytest.mark.dspy_profile("{name}")
def test_{name}():
    answer = ask("what is it?")  # my own line
    assert answer
"""
NO_KEY = """
[no_key.lm]
model = "openai/gpt-4o-mini"
[no_secret.lm]
model = "openai/gpt-4o-mini"
api_key = "${NOT_THERE}"
"""


@pytest.fixture
def providers(write: Any) -> Iterator[Any]:
    with ExitStack() as running:
        text = NO_KEY
        for name, (how, _, _) in KINDS.items():
            url = (
                f"http://{nobody()}/v1" if how is None else running.enter_context(Server(**how)).url
            )
            text += profile(name, url)
        write("profiles.toml", text)
        yield


def sections(result: pytest.RunResult) -> dict[str, list[str]]:
    """The report of each failed test, by its name."""
    found: dict[str, list[str]] = {}
    here: list[str] = []
    told = "|".join({"no key", "no LM", *(kind for _, kind, _ in KINDS.values())})
    for line in result.outlines:
        heading = re.match(r"_{3,} (?:ERROR at \w+ of )?(\S+) _{3,}$", line)
        if heading:
            here = found.setdefault(heading[1], [])
        elif re.match(rf"={{3,}}|-+ dspy: (?!({told})\b)", line):  # the sums of the session
            here = []
        else:
            here.append(line)
    if pytest.version_tuple < (8, 4):  # which shows every plugin that a group has come through
        found.pop("test_group", None)
    return found


def last_lines(result: pytest.RunResult) -> dict[str, str]:
    """The line of each failed test at the end of the run, by the test's name."""
    lines = (re.match(r"(?:FAILED|ERROR) (\S+) - (.*)", line) for line in result.outlines)
    return {found[1].rpartition("::")[2]: found[2] for found in lines if found}


def assert_is_short_and_the_users(report: list[str], name: str) -> None:
    text = "\n".join(report)
    assert len(report) < 30, text
    assert "site-packages" not in text
    assert re.search(rf"test_it\.py:\d+: in test_{name}\b", text), text
    assert "# my own line" in text


def test_each_kind_of_failure_is_told_apart(run_both_ways: Any, suite: Any, providers: Any) -> None:
    suite("".join(SUITE.format(name=name) for name in KINDS))

    result = run_both_ways()

    result.assert_outcomes(failed=len(KINDS))
    for name, (_, kind, advice) in KINDS.items():
        report = sections(result)[f"test_{name}"]
        assert last_lines(result)[f"test_{name}"].startswith(f"dspy: {kind}: ")
        assert_is_short_and_the_users(report, name)
        assert any(re.match(f"-+ dspy: {kind} -+$", line) for line in report), report
        told = [line for line in report if advice in line]
        assert told, report
        assert f'profile "{name}": ' in told[0]


def test_no_key_and_no_secret_name_the_variable(
    run_both_ways: Any, suite: Any, providers: Any
) -> None:
    suite(SUITE.format(name="no_key") + SUITE.format(name="no_secret"))

    result = run_both_ways()

    result.assert_outcomes(failed=1, errors=1)
    lines, reports = last_lines(result), sections(result)
    assert lines["test_no_key"].startswith("dspy: no key: ")
    assert_is_short_and_the_users(reports["test_no_key"], "no_key")
    assert "set OPENAI_API_KEY" in "\n".join(reports["test_no_key"])
    assert lines["test_no_secret"].startswith("dspy: no key: ")
    assert "NOT_THERE" in lines["test_no_secret"]
    assert "profiles.toml:5" in "\n".join(reports["test_no_secret"])
    assert len(reports["test_no_secret"]) < 10


def test_a_secret_that_a_mark_overrides_with_is_missing_at_the_mark(
    run_both_ways: Any, suite: Any, providers: Any
) -> None:
    suite("""
        @pytest.mark.dspy_profile("refused", lm={"api_key": "${NOT_THERE}"})
        def test_it(): pass
    """)

    result = run_both_ways()

    result.assert_outcomes(errors=1)
    report = "\n".join(sections(result)["test_it"])
    assert "NOT_THERE" in report
    assert "at test_it.py:10" in report


def test_a_call_without_an_lm_says_how_to_get_one(run_both_ways: Any, suite: Any) -> None:
    suite("""
        @pytest.mark.dspy_profile("mock")
        def test_with(): ask()
        def test_without():
            ask()  # my own line
    """)

    result = run_both_ways()

    assert last_lines(result)["test_without"].startswith("dspy: no LM: No LM is loaded")
    report = sections(result)["test_without"]
    assert_is_short_and_the_users(report, "without")
    assert '@pytest.mark.dspy_profile("mock")' in "\n".join(report)


def test_what_we_hold_back_is_told_apart_too(run_both_ways: Any, suite: Any) -> None:
    suite("""
        @pytest.mark.dspy_profile("mock")
        @pytest.mark.dspy_budget(calls=0)
        def test_budget():
            ask()  # my own line
        def test_live():
            lm = dspy.LM("openai/gpt-4o-mini", api_key="k")
            with dspy.context(lm=lm):
                ask()  # my own line
    """)

    result = run_both_ways("--dspy-live", "block")

    result.assert_outcomes(failed=2)
    lines, reports = last_lines(result), sections(result)
    assert lines["test_budget"].startswith("dspy: budget: budget of test_it.py::test_budget")
    assert lines["test_live"].startswith("dspy: blocked live call: blocked a live call to ")
    for name in ("budget", "live"):
        assert_is_short_and_the_users(reports[f"test_{name}"], name)
        assert "hint: " in "\n".join(reports[f"test_{name}"])


def test_a_failure_in_a_fixture_is_told_in_its_errors_line(
    run_both_ways: Any, suite: Any, providers: Any
) -> None:
    suite("""
        pytestmark = pytest.mark.dspy_profile("rate_limit")
        @pytest.fixture
        def early():
            ask()
        @pytest.fixture
        def late():
            yield
            ask()
        def test_early(early): pass
        def test_late(late): pass
    """)

    result = run_both_ways()

    result.assert_outcomes(passed=1, errors=2)
    for line in last_lines(result).values():
        assert line.startswith("dspy: rate limit: ")


@pytest.mark.parametrize("style", ["long", "short", "line", "native", "no"])
def test_the_kind_is_told_in_every_style(run: Any, suite: Any, providers: Any, style: Any) -> None:
    suite(SUITE.format(name="refused"))

    result = run(f"--tb={style}")

    assert last_lines(result)["test_refused"].startswith("dspy: key refused: ")
    assert "site-packages/dspy" not in "\n".join(result.outlines)


def test_an_error_of_ones_own_that_comes_from_the_lms_keeps_its_own_words(
    run: Any, suite: Any, providers: Any
) -> None:
    suite("""
        @pytest.mark.dspy_profile("rate_limit")
        def test_own():
            try:
                ask()
            except dspy.LMError as error:
                raise RuntimeError("the poem could not be written") from error
    """)

    result = run()

    line = last_lines(result)["test_own"]
    assert line == "dspy: rate limit: the poem could not be written"
    report = "\n".join(sections(result)["test_own"])
    assert "RuntimeError: the poem could not be written" in report


def test_an_error_that_is_expected_stays_the_tests_own_business(
    run_both_ways: Any, suite: Any, providers: Any
) -> None:
    suite("""
        @pytest.mark.dspy_profile("rate_limit")
        def test_expects_it():
            with pytest.raises(dspy.LMRateLimitError):
                ask()
        @pytest.mark.dspy_profile("refused")
        def test_expects_another():
            try:
                ask()
            except dspy.LMAuthError:
                assert 1 == 2
    """)

    result = run_both_ways()

    result.assert_outcomes(passed=1, failed=1)
    assert last_lines(result)["test_expects_another"] == "assert 1 == 2"


ORDINARY = """
def deeper(number):
    return {"answer": number}["question"]
def test_assert():
    answer = "Paris"
    print("said", answer)
    assert answer == "London"
def test_lists():
    assert [1, 2, {"a": "b"}] == [1, 2, {"a": "c"}]
def test_raises():
    deeper(3)
def test_chain():
    try:
        deeper(4)
    except KeyError as error:
        raise ValueError("no question") from error
def test_group():
    raise ExceptionGroup("two", [ValueError("one"), KeyError("other")])
def test_fail():
    pytest.fail("because")
@pytest.fixture
def broken():
    raise OSError("no disk")
def test_setup(broken): pass
def test_other_value_error():
    raise ValueError("No LM")
"""


@pytest.mark.parametrize("words", [(), ("--showlocals",), ("--tb=short",)])
def test_every_other_failure_looks_as_it_does_without_us(run: Any, suite: Any, words: Any) -> None:
    suite(ORDINARY)
    without = run("-p", "no:dspy_profiles", *words)

    result = run("--dspy-profile", "mock", *words)

    result.assert_outcomes(failed=7, errors=1)
    assert sections(result) == sections(without)
    assert last_lines(result) == last_lines(without)
