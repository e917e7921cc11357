"""A secret that a profile refers to is in nothing that a run prints or writes.

Not reached: what a test prints past pytest's capture (`-s`, `--capture=tee-sys`), and what it
writes to files.
"""

from typing import Any

import pytest

from .openai_server import Server

CANARY = """sk-canary'<&"-7f3a9b2c"""
TRACES = ("canary", "7f3a9b2c")  # of each way to quote it

SUITE = """
import logging, os, unittest, warnings
def key():
    return os.environ["TEST_KEY"]
def say():
    print("said", key(), repr(key()), {"key": key()})
    logging.getLogger("app").warning("logged %s", key())

def test_asks():
    local = key()
    say()
    answer = ask()
    assert answer == "Paris", answer
def test_passes():
    say()
def test_compares():
    assert [key(), {"deep": key()}] == [1, {"deep": 2}]
def test_raises():
    local = {"headers": {"Authorization": "Bearer " + key()}}
    say()
    raise ValueError("no " + key())
def test_chains():
    try:
        raise KeyError(key())
    except KeyError as error:
        raise ValueError(f"no {key()}") from error
def test_groups():
    raise ExceptionGroup(key(), [ValueError(key()), KeyError(key())])
def test_notes():
    error = ValueError("no")
    error.add_note(key())
    raise error
def test_fails():
    pytest.fail(key())
def test_fails_without_a_trace():
    pytest.fail(key(), pytrace=False)
def test_skips():
    say()
    pytest.skip("no " + key())
@pytest.mark.xfail
def test_xfails():
    pytest.xfail("no " + key())
@pytest.mark.xfail(raises=ValueError)
def test_xfails_otherwise():
    raise ValueError(key())
@pytest.fixture
def broken():
    say()
    raise OSError(key())
def test_setup(broken): pass
@pytest.fixture
def late():
    yield
    say()
    raise OSError(key())
def test_teardown(late): pass
def test_property(record_property):
    record_property("key", key())
class TestUnit(unittest.TestCase):
    def test_unit(self):
        self.assertEqual(key(), "")
    def test_skips(self):
        self.skipTest(key())
    def test_parts(self):
        with self.subTest(part=1):
            self.fail(key())
"""


@pytest.fixture
def secret(write: Any) -> None:
    """In the `.env` of the project; its value is what that says."""
    write(".env", f"TEST_KEY={quoted(CANARY)}\n")


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def assert_is_not_in(text: str, what: str) -> None:
    lines = [line for line in text.splitlines() if any(trace in line for trace in TRACES)]
    assert not lines, (what, lines)


@pytest.fixture
def written(project: Any) -> Any:
    """All that a run has printed and written, by where it stands."""

    def found(result: pytest.RunResult) -> dict[str, str]:
        files = {name: (project / name).read_text("utf-8") for name in ("junit.xml", "out.json")}
        return {"stdout": result.stdout.str(), "stderr": result.stderr.str(), **files}

    return found


HOW = ("--showlocals", "-rA", "-vv", "-o", "junit_logging=all")
FILES = ("--junit-xml", "junit.xml", "--dspy-report", "out.json")


@pytest.mark.parametrize(
    ("status", "style"), [(200, "long"), (401, "long"), (429, "short"), (500, "native")]
)
@pytest.mark.usefixtures("secret")
def test_it_is_in_no_output_and_in_no_file(
    run_both_ways: Any, suite: Any, write: Any, written: Any, status: Any, style: Any
) -> None:
    suite(SUITE)
    with Server(status, "[[ ## answer ## ]] Paris, with", echoes_key=True) as server:
        write("profiles.toml", server.profile())

        result = run_both_ways("--dspy-profile", "live", *HOW, *FILES, f"--tb={style}")

        assert CANARY in server.keys  # it was sent to whom it belongs
    assert result.parseoutcomes()["failed"] >= 9
    result.stdout.fnmatch_lines(["*said ${TEST_KEY}*"])
    for where, text in written(result).items():
        assert_is_not_in(text, where)


@pytest.mark.usefixtures("secret")
def test_it_is_not_in_an_error_of_the_collection(
    run_both_ways: Any, suite: Any, write: Any, written: Any
) -> None:
    suite("import os\nprint(os.environ['TEST_KEY'])\nraise ValueError(os.environ['TEST_KEY'])")
    with Server() as server:
        write("profiles.toml", server.profile())

    result = run_both_ways("--dspy-profile", "live", *HOW, *FILES)

    assert result.parseoutcomes()["errors"] >= 1
    for where, text in written(result).items():
        assert_is_not_in(text, where)


def test_nothing_of_it_is_left_where_pytest_shortens_a_value(
    run_both_ways: Any, suite: Any, write: Any, project: Any
) -> None:
    suite("""
        import os
        KEY = os.environ["TEST_KEY"]
        def test_end():
            assert "key is Bearer " + KEY == "x"
        def test_start():
            assert KEY + " is the key, and there is more to say " * 9 == "x"
        def test_called():
            assert str("key is Bearer " + KEY).isdigit()
    """)
    write(".env", "TEST_KEY=sk-proj-0123456789-7f3a9b2c-abcdefghijkl-mnopqrstuvwxyz-canary\n")
    with Server() as server:
        write("profiles.toml", server.profile())

    result = run_both_ways("--dspy-profile", "live", "--junit-xml", "junit.xml")

    result.assert_outcomes(failed=3)
    for text in (result.stdout.str(), (project / "junit.xml").read_text("utf-8")):
        assert "..." in text
        assert "${TEST_KEY}" in text
        for part in ("sk-proj", "7f3a", "abcdef", "uvwxyz", "canary"):
            assert part not in text


@pytest.mark.usefixtures("secret")
def test_it_is_not_in_a_warning(run_both_ways: Any, suite: Any, write: Any) -> None:
    suite("""
        import os, warnings
        warnings.warn("at import: " + os.environ["TEST_KEY"])
        def test_warns():
            warnings.warn("w " + os.environ["TEST_KEY"], DeprecationWarning)
    """)
    with Server() as server:
        write("profiles.toml", server.profile())

    result = run_both_ways("--dspy-profile", "live", strict=())

    result.stdout.fnmatch_lines(["*UserWarning: at import: ${TEST_KEY}"])
    result.stdout.fnmatch_lines(["*DeprecationWarning: w ${TEST_KEY}"])
    assert_is_not_in(result.stdout.str(), "stdout")


@pytest.mark.usefixtures("secret")
def test_it_is_not_in_live_logs_and_in_the_log_file(  # which xdist has none of
    run: Any, suite: Any, write: Any, project: Any
) -> None:
    suite("""
        import logging, os
        @pytest.fixture
        def logs():
            logging.getLogger("app").warning("set up %s", os.environ["TEST_KEY"])
            yield
            logging.getLogger("app").warning("tore down %s", os.environ["TEST_KEY"])
        def test_logs(logs, caplog):
            logging.getLogger("app").warning("ran %s", os.environ["TEST_KEY"])
            assert os.environ["TEST_KEY"] in caplog.text
    """)
    with Server() as server:
        write("profiles.toml", server.profile())

    result = run("--dspy-profile", "live", "--log-cli-level=INFO", "--log-file=log.txt")

    result.assert_outcomes(passed=1)
    for text in (result.stdout.str(), (project / "log.txt").read_text("utf-8")):
        for when in ("set up", "ran", "tore down"):
            assert f"{when} ${{TEST_KEY}}" in text
        assert_is_not_in(text, "log")


def test_it_would_be_in_them_without_us(run: Any, suite: Any, project: Any) -> None:
    suite(SUITE)

    result = run("-rA", "--junit-xml", "junit.xml", env={"TEST_KEY": CANARY})

    result.stdout.fnmatch_lines([f"*said {CANARY.replace('[', '[[]')}*"])
    assert "7f3a9b2c" in (project / "junit.xml").read_text("utf-8")


def test_it_is_not_in_an_answer_that_the_report_names(
    run_both_ways: Any, suite: Any, write: Any, project: Any
) -> None:
    suite("""
        import os
        @pytest.mark.parametrize("n", [1], ids=["7f3a9b2c"])
        def test_asks(n): ask()
    """)
    write(".env", "TEST_KEY=7f3a9b2c\n")
    with Server() as server:
        write("profiles.toml", server.profile())

        result = run_both_ways("--dspy-profile", "live", "--dspy-report", "out.json")

    result.assert_outcomes(passed=1)
    assert "[${TEST_KEY}]" in (project / "out.json").read_text("utf-8")
    assert_is_not_in((project / "out.json").read_text("utf-8"), "out.json")
