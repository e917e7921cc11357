"""What a conftest or a plugin keeps off the cassettes: on recording, and on replay alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .openai_server import ANSWER, Server

LIVE = ("--dspy-profile", "live")
ASKS = """
@pytest.mark.dspy_cassette
def test_asks():
    assert ask("call 555-1234 for ada@example.com") == "Paris"
"""
REPLACING = """
def replaced(said, old, new):
    if isinstance(said, str):
        return said.replace(old, new)
    if isinstance(said, list):
        return [replaced(each, old, new) for each in said]
    if isinstance(said, dict):
        return {key: replaced(each, old, new) for key, each in said.items()}
    return said
"""
CONFTEST = f"""
{REPLACING}
def pytest_dspy_filter_request(request):
    return replaced(request, "ada@example.com", "someone")
"""


@pytest.fixture
def server(write: Any) -> Iterator[Any]:
    with Server() as running:
        write("profiles.toml", running.profile("live"))
        yield running


def tape(name: str = "test_it/test_asks") -> str:
    return Path("cassettes", f"{name}.jsonl").read_text("utf-8")


def test_what_the_hook_replaces_is_on_no_cassette_and_is_found_again(
    run_both_ways: Any, suite: Any, server: Any, write: Any
) -> None:
    suite(ASKS)
    write("conftest.py", CONFTEST)
    run_both_ways(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=1)
    assert "ada@example.com" not in tape()
    assert "555-1234 for someone" in tape()

    run_both_ways(*LIVE).assert_outcomes(passed=1)
    assert len(server.asked) == 1


def test_another_request_that_is_filtered_to_the_same_gets_the_same_answer(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    suite(ASKS)
    write("conftest.py", CONFTEST)
    run(*LIVE, "--dspy-cassettes", "once")
    suite(ASKS.replace("ada@example.com", "someone"))
    run(*LIVE).assert_outcomes(passed=1)


def test_without_the_filter_what_was_recorded_with_it_is_a_miss(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    suite(ASKS)
    path = write("conftest.py", CONFTEST)
    run(*LIVE, "--dspy-cassettes", "once")
    path.unlink()
    result = run(*LIVE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*[[]-someone-] {+ada@example.com+}*"])


def test_the_model_is_asked_for_what_the_test_has_asked(run: Any, suite: Any, write: Any) -> None:
    suite("""
        import house
        @pytest.mark.dspy_cassette(mode="once")
        def test_asks():
            ask("who is ada@example.com")
            assert "ada@example.com" in house.asked[0]
    """)
    write("conftest.py", CONFTEST)
    write(
        "house.py",
        """
        from dspy.lm15 import Message, Response, Usage
        asked = []
        class Gateway:
            def complete(self, request):
                asked.append(request.messages[-1].parts[0].text)
                message = Message.assistant("[[ ## answer ## ]]\\nyes")
                usage = Usage(input_tokens=1, output_tokens=1)
                return Response(id=None, model=request.model, message=message,
                                finish_reason="stop", usage=usage)
        """,
    )
    write("profiles.toml", '[live.lm]\nmodel = "h/l"\n[live.provider]\nclass = "house.Gateway"\n')
    run(*LIVE).assert_outcomes(passed=1)
    assert "ada@" not in tape()


def test_several_are_asked_one_after_the_other_the_nearest_conftest_first(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    each = """
    def pytest_dspy_filter_request(request):
        text = request["messages"][0]["parts"][0]
        text["text"] += " {}"
        return {}
    """
    write("plugin_of_mine.py", each.format("plugin", "request"))
    write("conftest.py", each.format("outer", "None"))  # what it changes in place counts as well
    write("deep/conftest.py", each.format("inner", "request"))
    write("other/conftest.py", each.format("elsewhere", "request"))
    suite(ASKS, path="deep/test_it.py")
    for words in (("--dspy-cassettes", "once"), ()):
        run(*LIVE, "-p", "plugin_of_mine", *words).assert_outcomes(passed=1)
    assert "inner outer plugin" in tape("deep/test_it/test_asks")
    assert "elsewhere" not in tape("deep/test_it/test_asks")


def test_a_hook_learns_the_kind_and_the_test(run: Any, suite: Any, server: Any, write: Any) -> None:
    suite(ASKS)
    write(
        "conftest.py",
        """
        def pytest_dspy_filter_request(request, kind, item):
            return {**request, "rollout_id": f"{kind} of {item.name}"}
        """,
    )
    run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=1)
    assert '"rollout_id":"lm of test_asks"' in tape()


def test_what_the_response_filter_returns_is_kept_and_is_what_the_test_gets(
    run: Any, suite: Any, write: Any
) -> None:
    with Server(says=ANSWER.replace("Paris", "call ada")) as server:
        write("profiles.toml", server.profile("live"))
        write(
            "conftest.py",
            f"""{REPLACING}
def pytest_dspy_filter_response(response):
    return replaced(response, "call ada", "Paris")
""",
        )
        suite(ASKS)
        run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=1)
        run(*LIVE).assert_outcomes(passed=1)
    assert "call ada" not in tape()


def test_a_wider_fixture_is_filtered_as_well(run: Any, suite: Any, server: Any, write: Any) -> None:
    suite("""
        @pytest.fixture(scope="module")
        def answer():
            return ask("who is ada@example.com")
        @pytest.mark.dspy_cassette
        def test_asks(answer):
            assert answer == "Paris"
    """)
    write("conftest.py", CONFTEST)
    run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=1)
    assert "someone" in tape("test_it/answer.fixture")
    assert "ada@" not in tape("test_it/answer.fixture")
    run(*LIVE, "--dspy-cassettes", "none").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "wrong",
    [
        ("raise KeyError('mine')", "cassette filter failed: KeyError: 'mine'"),
        ("return 3", "pytest_dspy_filter_request returned int, and not a table"),
    ],
)
def test_a_filter_that_fails_fails_the_test_and_nothing_is_written(
    run: Any, suite: Any, server: Any, write: Any, wrong: Any
) -> None:
    body, said = wrong
    suite("""
        @pytest.mark.dspy_cassette
        def test_asks():
            try:
                ask("x")
            except Exception:
                pass
    """)
    write("conftest.py", f"def pytest_dspy_filter_request(request):\n    {body}\n")
    result = run(*LIVE, "--dspy-cassettes", "once")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{said}*"])
    assert server.asked == []
    assert not Path("cassettes").exists()


def test_a_hook_of_a_suite_without_cassettes_is_never_asked(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    suite("def test_asks():\n    assert ask('x') == 'Paris'\n")
    write("conftest.py", "def pytest_dspy_filter_request(request):\n    1 / 0\n")
    run(*LIVE).assert_outcomes(passed=1)


def test_an_argument_that_the_hook_has_not_is_told_by_pytest(
    run: Any, suite: Any, write: Any
) -> None:
    suite("def test_nothing():\n    pass\n")
    write("conftest.py", "def pytest_dspy_filter_request(requests):\n    return requests\n")
    result = run()
    assert result.ret != 0
    assert "pytest_dspy_filter_request" in "\n".join(result.outlines + result.errlines)
