"""What a run has used: told to the test, below the tests, in JUnit's file and as JSON."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest

from .openai_server import Server

LIVE = ("--dspy-profile", "live")

# What `--dspy-report` writes.
USAGE = {
    "calls": {"type": "integer"},
    "tokens": {"type": "integer"},
    "cost": {"type": ["number", "null"]},
    "cached": {"type": "integer"},
    "replayed": {"type": "integer"},
}
TEST = {
    "nodeid": {"type": "string"},
    "profile": {"type": ["string", "null"]},
    "outcome": {"enum": ["passed", "failed", "error", "skipped", "xfailed"]},
    "duration": {"type": "number"},
    **USAGE,
}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "version": {"enum": [1]},
        "rootdir": {"type": "string"},
        "profiles": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": ["string", "null"]},
                    "tests": {"type": "integer"},
                    **USAGE,
                },
            },
        },
        "total": {"type": "object", "properties": {"tests": {"type": "integer"}, **USAGE}},
        "tests": {"type": "array", "items": {"type": "object", "properties": TEST}},
    },
}
KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def assert_fits(value: Any, schema: dict[str, Any], path: str = "report") -> None:
    """Every key of the schema is there, none besides, each of its type."""
    if "enum" in schema:
        assert value in schema["enum"], path
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert not isinstance(value, bool), path
    assert any(isinstance(value, KINDS[kind]) for kind in kinds), (path, value)
    if isinstance(value, dict):
        assert value.keys() == schema["properties"].keys(), path
        for key, inner in schema["properties"].items():
            assert_fits(value[key], inner, f"{path}.{key}")
    if isinstance(value, list):
        for place, each in enumerate(value):
            assert_fits(each, schema["items"], f"{path}[{place}]")


@pytest.fixture
def server(write: Any) -> Iterator[Any]:
    with Server(tokens=(1_000_000, 0)) as running:  # 15 cents, and 2.5 dollars
        parts = (
            running.profile("live", cache=True),
            running.profile("dear", "gpt-4o"),
            running.profile("own", "my-own-model"),
        )
        write("profiles.toml", "".join(parts))
        yield running


@pytest.fixture
def report(project: Any) -> Any:
    """Reads the file that was written, and checks its form."""

    def read() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((project / "out.json").read_text("utf-8"))
        assert_fits(found, SCHEMA)
        return found

    return read


def below(result: pytest.RunResult) -> list[str]:
    """The lines of the summary, with single blanks; no line of it comes twice."""
    start = [n for n, line in enumerate(result.outlines) if re.match(r"-{3,} dspy: ", line)]
    assert len(start) <= 1, "told twice"
    lines: list[str] = []
    for line in result.outlines[start[0] + 1 :] if start else []:
        if re.match(r"={3,}|\d+ (passed|failed)", line):
            break
        lines.append(re.sub(" +", " ", line).strip())
    return lines


def test_a_test_is_told_what_it_has_used_so_far(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("""
        import threading
        def test_counts(dspy_usage):
            assert (dspy_usage.calls, dspy_usage.tokens, dspy_usage.cost) == (0, 0, 0)
            ask("a")
            assert (dspy_usage.calls, dspy_usage.tokens) == (1, 1_000_000)
            assert dspy_usage.cost == pytest.approx(0.15)
            thread = threading.Thread(target=ask, args=("b",))
            thread.start()
            thread.join()
            assert (dspy_usage.calls, dspy_usage.tokens) == (2, 2_000_000)
            assert dspy_usage.cost == pytest.approx(0.3)
        def test_starts_at_nothing(dspy_usage):
            assert dspy_usage.calls == 0
        def test_cached_calls_are_not_paid_for(dspy_usage):
            ask("a"); ask("a"); ask("a")
            assert (dspy_usage.calls, dspy_usage.cached) == (1, 2)
            assert dspy_usage.cost == pytest.approx(0.15)
        @pytest.mark.dspy_profile("own")
        def test_an_unknown_price_is_no_price(dspy_usage):
            ask("a")
            assert (dspy_usage.calls, dspy_usage.cost) == (1, None)
        @pytest.mark.dspy_profile("mock")
        def test_the_mock_is_free(dspy_usage):
            ask("a")
            assert (dspy_usage.calls, dspy_usage.cost) == (1, 0) and dspy_usage.tokens > 0
        @pytest.fixture
        def early(dspy_usage):
            ask("early")
        def test_its_own_fixtures_count(early, dspy_usage):
            assert dspy_usage.calls == 1
    """)

    run_both_ways(*LIVE).assert_outcomes(passed=6)


def test_a_failed_call_is_a_call(run: Any, suite: Any, write: Any) -> None:
    with Server(500) as server:
        write("profiles.toml", server.profile())
        suite("""
            def test_fails(dspy_usage):
                with pytest.raises(dspy.LMError):
                    ask()
                assert (dspy_usage.calls, dspy_usage.tokens) == (len(ASKED), 0)
            ASKED = [1]
        """)

        run(*LIVE).assert_outcomes(passed=1)

        assert len(server.asked) == 1


SUITE = """
@pytest.mark.parametrize("n", range(3))
def test_asks(n):
    ask("a"); ask("a")
def test_asks_most():
    ask("a"); ask("b"); ask("c")
def test_asks_nothing(): pass
"""


@pytest.mark.parametrize("quiet", [(), ("-q",)], ids=["", "quiet"])
def test_the_sums_of_all_processes_are_told_once(
    run_both_ways: Any, suite: Any, server: Any, quiet: Any
) -> None:
    suite(SUITE)

    result = run_both_ways(*LIVE, *quiet, "--dspy-budget", "live.usd=1.5,tokens=10_000_000")

    first, budget, slowest, costliest = below(result)
    assert first == "5 tests · 6 calls · 3 cached · 6,000,000 tokens · $0.900 of $1.50"
    assert budget == "budget of this session: 10,000,000 tokens"
    assert re.fullmatch(r"slowest test_it.py::test_asks\S+ \d+\.\d\d s .*", slowest)
    assert re.fullmatch(
        r"costliest test_it.py::test_asks_most \d+\.\d\d s 3 calls \$0\.450", costliest
    )
    result.stdout.fnmatch_lines(["dspy: profile live (--dspy-profile) · profiles.toml · budget *"])


def test_each_profile_has_a_line_and_all_have_one(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("""
        @pytest.mark.dspy_profile("live")
        def test_live(): ask()
        @pytest.mark.dspy_profile("dear")
        def test_dear(): ask(); ask()
        @pytest.mark.dspy_profile("mock")
        def test_mock(): pass
        def test_none(): pass
    """)

    result = run_both_ways("--dspy-budget", "calls=5,dear.calls=2")

    lines = {line.partition(" ")[0]: line for line in below(result)}
    assert lines["live"] == "live 1 test · 1 call · 1,000,000 tokens · $0.150"
    assert lines["dear"] == "dear 1 test · 2 calls of 2 · 2,000,000 tokens · $5.00"
    assert lines["mock"] == "mock 1 test · 0 calls · 0 tokens · $0"
    assert lines["all"] == "all 4 tests · 3 calls of 5 · 3,000,000 tokens · $5.15"


def test_an_unknown_cost_is_said_to_be_unknown(run_both_ways: Any, suite: Any, server: Any) -> None:
    suite("""
        def test_known(): ask()
        @pytest.mark.dspy_profile("own")
        def test_unknown(): ask()
    """)

    result = run_both_ways(*LIVE, "--dspy-budget", "calls=5")

    lines = {line.partition(" ")[0]: line for line in below(result)}
    assert lines["live"].endswith("$0.150")
    assert lines["own"].endswith("cost unknown")
    assert lines["all"].endswith("cost unknown")


def test_a_cost_of_less_than_a_hundredth_of_a_cent_is_not_nothing(
    run: Any, suite: Any, write: Any
) -> None:
    with Server(tokens=(10, 0)) as server:  # 1.5 millionths of a dollar
        write("profiles.toml", server.profile())
        suite("def test_asks(): ask()")

        first, *_ = below(run(*LIVE))

    assert first == "1 test · 1 call · 10 tokens · $0.0000015"


def test_nothing_is_told_where_no_profile_is_in_effect_and_nobody_asks(
    run: Any, suite: Any
) -> None:
    suite("def test_nothing(): pass")

    result = run("--dspy-budget", "calls=5")

    assert below(result) == []
    assert "dspy:" not in result.stdout.str().partition("collected")[2]


def test_what_wider_fixtures_use_is_in_the_sums(
    run_both_ways: Any, suite: Any, server: Any, report: Any
) -> None:
    suite("""
        @pytest.fixture(scope="session")
        def knowledge():
            ask("a"); ask("b")
            yield
            ask("c")
        def test_uses_it(knowledge): ask("d")
    """)

    result = run_both_ways(*LIVE, "--dspy-report", "out.json")

    assert below(result)[0].startswith("1 test · 4 calls · 4,000,000 tokens · $0.600")
    assert report()["total"]["calls"] == 4
    assert report()["tests"][0]["calls"] == 1


def test_a_worker_that_dies_takes_only_its_last_test_with_it(
    run: Any, suite: Any, server: Any, report: Any
) -> None:
    suite("""
        import os
        @pytest.mark.parametrize("n", range(6))
        def test_asks(n): ask(str(n))
        def test_dies():
            ask("last")
            os._exit(1)
        @pytest.mark.parametrize("n", range(6, 12))
        def test_asks_more(n): ask(str(n))
    """)

    result = run("-n", "2", *LIVE, "--dspy-report", "out.json")

    result.assert_outcomes(passed=12, failed=1)
    assert len(server.asked) == 13
    lines = below(result)
    assert lines[0] == "13 tests · 12 calls · 12,000,000 tokens · $1.80"
    assert any(
        re.fullmatch(r"gw\d died: the usage of its last test .* is not counted", x) for x in lines
    )
    assert report()["total"]["calls"] == 12
    crashed = next(test for test in report()["tests"] if "dies" in test["nodeid"])
    assert crashed["outcome"] == "failed"


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_junits_file_has_the_usage_of_each_test(
    run_both_ways: Any, suite: Any, server: Any, project: Any, family: Any
) -> None:
    suite("""
        def test_asks(): ask("a"); ask("b")
        @pytest.mark.dspy_profile("own")
        def test_unknown(): ask("a")
        def test_asks_nothing(): pass
        def test_fails():
            ask("a")
            assert not "on purpose"
    """)

    run_both_ways(*LIVE, "--junit-xml", "junit.xml", "-o", f"junit_family={family}")

    cases = ET.parse(project / "junit.xml").getroot().iter("testcase")
    found = {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in cases
    }
    asked_once = {"dspy.calls": "1", "dspy.tokens": "1000000"}
    assert found == {
        "test_asks": {"dspy.calls": "2", "dspy.tokens": "2000000", "dspy.cost": "0.3"},
        "test_unknown": asked_once,
        "test_asks_nothing": {},
        "test_fails": {**asked_once, "dspy.cost": "0.15"},
    }


OUTCOMES = """
import unittest
@pytest.mark.dspy_profile("live", "dear")
def test_passes(): ask("a"); ask("a")
def test_fails():
    ask("a")
    assert not "on purpose"
def test_skips(): pytest.skip("why not")
@pytest.mark.skip
def test_is_skipped(): pass
@pytest.mark.xfail
def test_xfails(): assert not "on purpose"
@pytest.fixture
def broken():
    ask("b")
    raise OSError
def test_error(broken): pass
@pytest.fixture
def broken_later():
    yield
    raise OSError
def test_late_error(broken_later): pass
@pytest.mark.dspy_profile("own")
def test_unknown(): ask("a")
@pytest.mark.dspy_profile("mock")
class TestUnit(unittest.TestCase):
    def test_unit(self): ask("a")
@pytest.mark.dspy_profile(None)
def test_none(): pass
"""


def test_the_report_tells_each_test_and_the_sums(
    run: Any, suite: Any, server: Any, report: Any, project: Any
) -> None:
    suite(OUTCOMES)

    run(*LIVE, "--dspy-report", "out.json")

    found = report()
    tests = {test["nodeid"].rpartition("::")[2]: test for test in found["tests"]}
    assert {name: test["outcome"] for name, test in tests.items()} == {
        "test_passes[live]": "passed",
        "test_passes[dear]": "passed",
        "test_fails": "failed",
        "test_skips": "skipped",
        "test_is_skipped": "skipped",
        "test_xfails": "xfailed",
        "test_error": "error",
        "test_late_error": "error",
        "test_unknown": "passed",
        "test_unit": "passed",
        "test_none": "passed",
    }
    assert tests["test_passes[dear]"]["profile"] == "dear"
    assert tests["test_passes[dear]"]["cost"] == pytest.approx(5.0)
    assert tests["test_unknown"]["cost"] is None
    assert tests["test_none"]["profile"] is None
    assert tests["test_error"]["calls"] == 1
    assert found["rootdir"] == str(project)
    assert found["total"]["tests"] == 11
    assert found["total"]["calls"] == 1 + 2 + 1 + 1 + 1 + 1 == len(server.asked) + 1  # the mock's
    assert found["total"]["cached"] == 1
    assert found["total"]["cost"] is None
    profiles = {each["name"]: each for each in found["profiles"]}
    assert profiles.keys() == {"live", "dear", "own", "mock", None}
    assert profiles["live"]["cost"] == pytest.approx(0.45)
    assert sum(each["tests"] for each in profiles.values()) == 11


def test_the_report_is_the_same_under_xdist(run: Any, suite: Any, server: Any, report: Any) -> None:
    suite(OUTCOMES)

    def reported(*words: str) -> dict[str, Any]:
        run(*words, *LIVE, "--dspy-report", "out.json")
        found: dict[str, Any] = report()
        for test in found["tests"]:
            del test["duration"]
        for several, name in (("tests", "nodeid"), ("profiles", "name")):
            found[several].sort(key=lambda each, name=name: str(each[name]))
        return found

    assert reported("-n", "2") == reported()


def test_a_report_is_written_also_where_nobody_asks_a_model(
    run_both_ways: Any, suite: Any, report: Any
) -> None:
    suite("def test_nothing(): pass")

    run_both_ways("--dspy-report", "out.json").assert_outcomes(passed=1)

    found = report()
    assert found["total"] == {
        "tests": 1,
        "calls": 0,
        "tokens": 0,
        "cost": 0.0,
        "cached": 0,
        "replayed": 0,
    }


def test_a_folder_for_the_report_is_made(run: Any, suite: Any, project: Any) -> None:
    suite("def test_nothing(): pass")

    run("--dspy-report", "made/too/out.json").assert_outcomes(passed=1)

    assert_fits(json.loads((project / "made/too/out.json").read_text("utf-8")), SCHEMA)


@pytest.mark.parametrize("path", ["profiles.toml/out.json", "."])
def test_a_report_that_cannot_be_written_is_told_in_one_line(
    run_both_ways: Any, suite: Any, server: Any, project: Any, path: Any
) -> None:
    suite("def test_asks(): ask()")

    result = run_both_ways(*LIVE, "--dspy-report", path)

    said = "\n".join(result.outlines + result.errlines)
    assert result.ret != pytest.ExitCode.OK
    assert "cannot write the report" in said
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    assert below(result)[0].startswith("1 test · 1 call")


RERUN = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):  # as plugins for flaky tests do it
    where = {"nodeid": item.nodeid, "location": item.location}
    item.ihook.pytest_runtest_logstart(**where)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        for report in reports:
            if report.failed:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(**where)
    return True
"""


def test_a_test_that_is_run_again_counts_once_with_all_that_it_used(
    run_both_ways: Any, suite: Any, write: Any, server: Any, report: Any
) -> None:
    write("conftest.py", RERUN)
    suite("""
        TIMES = []
        def test_flaky():
            TIMES.append(1)
            ask("a")
            assert len(TIMES) == 2
        def test_steady(): ask("a")
    """)

    result = run_both_ways(*LIVE, "--dspy-report", "out.json", "--dspy-budget", "calls=3")

    assert result.parseoutcomes()["passed"] == 2
    assert len(server.asked) == 3
    assert below(result)[0].startswith("2 tests · 3 calls · 3,000,000 tokens")
    flaky = next(test for test in report()["tests"] if "flaky" in test["nodeid"])
    assert (flaky["outcome"], flaky["calls"]) == ("passed", 2)
