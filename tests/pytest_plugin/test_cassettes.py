"""Tests that were recorded once need neither the model nor its key: they are replayed."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .openai_server import Server

LIVE = ("--dspy-profile", "live")
ASKS = """
@pytest.mark.dspy_cassette
def test_asks():
    assert ask("the capital of France") == "Paris"
"""


@pytest.fixture
def server(write: Any) -> Iterator[Any]:
    with Server() as running:
        write("profiles.toml", running.profile("live"))
        yield running


def cassettes(folder: str = "cassettes") -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*.jsonl"))


def test_a_marked_test_is_recorded_when_it_is_told_to_and_replayed_from_then_on(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite(ASKS)
    run_both_ways(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=1)
    assert len(server.asked) == 1
    assert cassettes() == ["test_it/test_asks.jsonl"]

    result = run_both_ways(*LIVE)

    result.assert_outcomes(passed=1)
    assert len(server.asked) == 1
    result.stdout.fnmatch_lines(["*0 calls · 1 replayed*", "cassettes  1 replayed"])


def test_what_is_not_recorded_fails_and_says_how_to_record_it(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite(ASKS)

    result = run_both_ways(*LIVE)

    result.assert_outcomes(failed=1)
    assert server.asked == []
    result.stdout.fnmatch_lines(
        ["*hint: pytest 'test_it.py::test_asks' --dspy-profile live --dspy-cassettes new"]
    )
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_asks - dspy: not recorded: *"])


def test_the_command_that_a_miss_prints_records(run: Any, suite: Any, server: Any) -> None:
    suite(ASKS)
    said = "\n".join(run(*LIVE).outlines)
    words = said.partition("hint: pytest ")[2].splitlines()[0].replace("'", "").split()

    run(*LIVE, *words).assert_outcomes(passed=1)
    run(*LIVE).assert_outcomes(passed=1)


def test_without_a_mark_a_mode_holds_for_every_test_but_those_on_a_mock(
    run: Any, suite: Any, server: Any
) -> None:
    suite("""
        def test_live():
            ask("x")
        @pytest.mark.dspy_profile("mock")
        def test_mocked():
            ask("x")
    """)
    run(*LIVE, "--dspy-cassettes", "new").assert_outcomes(passed=2)
    assert cassettes() == ["test_it/test_live.jsonl"]
    run(*LIVE, "--dspy-cassettes", "none").assert_outcomes(passed=2)
    assert len(server.asked) == 1


def test_each_test_class_and_parameter_has_a_file_that_any_system_can_keep(
    run: Any, suite: Any, server: Any
) -> None:
    suite("""
        class TestChat:
            @pytest.mark.parametrize("q", ["fr", "a/b:c?", "a/b;c?", "GPT"])
            def test_asks(self, q):
                ask(q)
    """)
    run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=4)
    found = cassettes()
    assert "test_it/TestChat.test_asks[fr].jsonl" in found
    assert len({name.lower() for name in found}) == 4
    assert not any(set(Path(name).name) & set('<>:"/\\|?*;') for name in found)


def test_in_a_matrix_each_profile_has_a_file_of_its_own(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    write("profiles.toml", server.profile("live") + server.profile("other", "gpt-4o"))
    suite("def test_asks():\n    ask('x')\n")
    run("--dspy-profile", "live,other", "--dspy-cassettes", "once").assert_outcomes(passed=2)
    assert cassettes() == ["test_it/test_asks[live].jsonl", "test_it/test_asks[other].jsonl"]


@pytest.mark.parametrize(("more", "kept"), [([], []), (["--dspy-cassettes-keep"], 1)])
def test_a_failed_test_leaves_no_half_a_cassette_unless_it_is_wanted(
    run: Any, suite: Any, server: Any, more: Any, kept: Any
) -> None:
    suite(ASKS + "    assert 0\n")
    run(*LIVE, "--dspy-cassettes", "once", *more).assert_outcomes(failed=1)
    assert len(cassettes()) == (kept or 0)


def test_recorded_again_unchanged_a_file_is_the_same_to_the_byte(
    run: Any, suite: Any, server: Any
) -> None:
    suite(ASKS)
    run(*LIVE, "--dspy-cassettes", "once")
    path = Path("cassettes/test_it/test_asks.jsonl")
    before = path.read_bytes()
    run(*LIVE, "--dspy-cassettes", "all").assert_outcomes(passed=1)
    assert len(server.asked) == 2
    assert path.read_bytes() == before


def test_a_wider_fixture_has_a_cassette_of_its_own(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("""
        @pytest.fixture(scope="module")
        def corpus():
            return ask("the corpus")
        def test_one(corpus):
            ask("one")
        def test_two(corpus):
            ask("two")
    """)
    run_both_ways(*LIVE, "--dspy-cassettes", "new").assert_outcomes(passed=2)
    asked = len(server.asked)
    assert "test_it/corpus.fixture.jsonl" in cassettes()
    run_both_ways(*LIVE, "--dspy-cassettes", "none").assert_outcomes(passed=2)
    assert len(server.asked) == asked


def test_a_full_run_tells_what_nobody_has_used(run_both_ways: Any, suite: Any, server: Any) -> None:
    suite("def test_asks():\n    ask('one')\n    ask('two')\ndef test_gone():\n    ask('x')\n")
    run_both_ways(*LIVE, "--dspy-cassettes", "once")
    suite("def test_asks():\n    ask('one')\n")

    result = run_both_ways(*LIVE, "--dspy-cassettes", "none")

    result.stdout.fnmatch_lines(
        [
            "unused *cassettes/test_it/test_gone.jsonl",
            "unused *1 request in cassettes/test_it/test_asks.jsonl",
            "*dspy-profiles cassettes prune",
        ]
    )
    told = json.loads(Path(".dspy/cassettes.json").read_text("utf-8"))
    assert [Path(name).name for name in told["files"]] == ["test_gone.jsonl"]


def test_a_run_of_some_tests_tells_nothing_of_the_others(run: Any, suite: Any, server: Any) -> None:
    suite("def test_one():\n    ask('one')\ndef test_two():\n    ask('two')\n")
    run(*LIVE, "--dspy-cassettes", "once", "-k", "test")
    for words in (["test_it.py::test_one"], ["-k", "one"]):
        result = run(*LIVE, "--dspy-cassettes", "none", *words)
        assert "unused" not in result.stdout.str()
    assert not Path(".dspy").exists()


@pytest.mark.parametrize(
    ("left_out", "workers"),
    [
        ("@pytest.mark.skip\ndef test_two():\n    ask('two')\n", ()),
        ("def test_two():\n    pytest.skip()\n    ask('two')\n", ()),
        ("@pytest.mark.xfail\ndef test_two():\n    assert 0\n    ask('two')\n", ()),
        ("@pytest.mark.xfail(run=False)\ndef test_two():\n    ask('two')\n", ()),
        ("@pytest.mark.skip\ndef test_two():\n    ask('two')\n", ("-n", "2")),
    ],
)
def test_what_a_test_has_that_did_not_run_is_in_use(
    run: Any, suite: Any, server: Any, left_out: Any, workers: Any
) -> None:
    one = "def test_one():\n    ask('one')\n"
    suite(f"{one}def test_two():\n    ask('two')\n")
    run(*LIVE, "--dspy-cassettes", "once", "-k", "test")
    suite(one + left_out)

    result = run(*LIVE, "--dspy-cassettes", "none", *workers)

    assert result.ret == 0
    assert "unused" not in result.stdout.str()
    assert not Path(".dspy").exists()


def test_a_conftest_that_deselects_tests_makes_no_full_run(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    suite("def test_one():\n    ask('one')\ndef test_two():\n    ask('two')\n")
    run(*LIVE, "--dspy-cassettes", "once", "-k", "test")
    write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(config, items):
            config.hook.pytest_deselected(items=items[1:])
            del items[1:]
        """,
    )
    result = run(*LIVE, "--dspy-cassettes", "none")
    result.assert_outcomes(passed=1, deselected=1)
    assert "unused" not in result.stdout.str()


def test_tests_that_share_a_cassette_are_all_recorded_also_where_it_is_to_be_once(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("""
        pytestmark = pytest.mark.dspy_cassette("shared")
        def test_one():
            assert ask("one") == "Paris"
        def test_two():
            assert ask("two") == "Paris"
        def test_fails():
            ask("three")
            assert 0
    """)
    run_both_ways(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=2, failed=1)
    said = Path("cassettes/test_it/shared.jsonl").read_text("utf-8")
    assert ["one\\n" in said, "two\\n" in said, "three\\n" in said] == [True, True, False]
    server.asked.clear()

    result = run_both_ways(*LIVE, "--dspy-cassettes", "once")

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*has no response for this request*"])
    assert server.asked == []


def test_a_parametrized_fixture_is_recorded_for_each_of_its_parameters(
    run: Any, suite: Any, server: Any
) -> None:
    suite("""
        @pytest.fixture(scope="module", params=["one", "two"])
        def said(request):
            return ask(request.param)
        def test_it(said):
            assert said == "Paris"
    """)
    run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=2)
    run(*LIVE, "--dspy-cassettes", "none").assert_outcomes(passed=2)
    assert len(server.asked) == 2


def test_a_test_that_is_run_again_is_replayed_from_the_beginning(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    pytest.importorskip("pytest_rerunfailures")
    suite("""
        from pathlib import Path
        @pytest.mark.dspy_cassette
        def test_asks():
            assert ask("one") == ask("one")
            first = not Path("ran").exists()
            Path("ran").touch()
            assert not first
    """)
    for words, asked in ((("--dspy-cassettes", "once"), 4), ((), 4)):
        Path("ran").unlink(missing_ok=True)
        result = run_both_ways(*LIVE, *words, "--reruns", "1", strict=())
        assert result.parseoutcomes()["rerun"] == 1
        assert result.ret == 0
        assert len(server.asked) == asked
    (name,) = cassettes()
    last = Path("cassettes", name).read_text("utf-8").splitlines()[-1]
    assert last.count('"finish_reason"') == 2


def test_the_hint_of_a_miss_names_the_profile_that_was_asked_for(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    write("profiles.toml", server.profile("live") + server.profile('"it\'s mine"', "gpt-4o"))
    suite(ASKS.replace("()", "(n)").replace("@", "@pytest.mark.parametrize('n', [\"it's\"])\n@"))
    result = run("--dspy-profile", "it's mine")
    said = result.stdout.str().partition("hint: pytest ")[2].splitlines()[0]
    run(*shlex.split(said)).assert_outcomes(passed=1)
    run("--dspy-profile", "it's mine").assert_outcomes(passed=1)


def test_workers_do_not_tear_a_file(run: Any, suite: Any, server: Any) -> None:
    suite("""
        @pytest.mark.parametrize("n", range(6))
        @pytest.mark.dspy_cassette(name="shared")
        def test_asks(n):
            ask(str(n))
    """)
    run(*LIVE, "--dspy-cassettes", "all", "-n", "2").assert_outcomes(passed=6)
    assert cassettes() == ["test_it/shared.jsonl"]
    run(*LIVE, "-n", "2").assert_outcomes(passed=6)
    assert len(server.asked) == 6


def test_a_replayed_call_is_live_for_no_guard_and_no_budget(
    run: Any, suite: Any, server: Any
) -> None:
    suite(ASKS)
    run(*LIVE, "--dspy-cassettes", "once")
    run(*LIVE, "--dspy-live", "block", "--dspy-budget", "calls=0").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ('mode="onec"', 'unknown cassette mode "onec"'),
        ('match=("mesages",)', "mesages"),
        ("name=3", "dspy_cassette: name must be a string, not 3"),
        ("file='x'", "dspy_cassette takes only name, mode and match"),
    ],
)
def test_a_wrong_mark_is_told_before_any_test_runs(
    run: Any, suite: Any, mark: Any, told: Any
) -> None:
    suite(f"@pytest.mark.dspy_cassette({mark})\ndef test_asks():\n    pass\n")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{told}*"])
    result.stderr.fnmatch_lines(["*test_it.py:*"])


def test_a_broken_cassette_is_told_with_its_line(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    suite(ASKS)
    run(*LIVE, "--dspy-cassettes", "once")
    path = Path("cassettes/test_it/test_asks.jsonl")
    path.write_text(path.read_text("utf-8")[:-40], encoding="utf-8")
    result = run(*LIVE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*test_asks.jsonl:*"])


def test_the_secret_of_a_profile_is_on_no_cassette(run: Any, suite: Any, write: Any) -> None:
    with Server(echoes_key=True) as server:
        write("profiles.toml", server.profile("live"))
        suite("def test_asks():\n    print(ask('x'))\n")
        key = "sk-canary-0123456789"
        result = run(*LIVE, "--dspy-cassettes", "once", "-rA", env={"TEST_KEY": key})
        result.assert_outcomes(passed=1)
        assert server.keys == [key]
        assert key not in result.stdout.str()
        (name,) = cassettes()
        assert key not in Path("cassettes", name).read_text("utf-8")
