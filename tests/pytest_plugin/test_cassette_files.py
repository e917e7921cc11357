"""Each test has a file of its own: whatever its id is, on every file system, and for good."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_dspy_profiles._cassettes import LONGEST, path_for, safe

from .openai_server import Server

LIVE = ("--dspy-profile", "live")
# What Windows keeps for devices, with any ending.
RESERVED = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in (1, 9)))


@pytest.fixture
def server(write: Any) -> Iterator[Any]:
    with Server() as running:
        write("profiles.toml", running.profile("live") + running.profile("other", "gpt-4o"))
        yield running


def cassettes() -> list[str]:
    return sorted(p.relative_to("cassettes").as_posix() for p in Path("cassettes").rglob("*.jsonl"))


@pytest.mark.parametrize("name", ["test_a", "TestA.test_b", "test_c[1-fr]", "test_d[a=1,b+c.d]"])
def test_a_plain_name_stays_as_it_is(name: Any) -> None:
    assert safe(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "test_a[" + "x" * 5000 + "]",
        "test_a[" + "ü" * 200 + "]",
        "test_a[../../etc/passwd]",
        "test_a[/]",
        "test_a[\\]",
        "test_a[C:\\x]",
        "test_a[a\0b\n\t]",
        'test_a[<>:"|?*]',
        "test_a[ ]",
        "test_a[trailing. ]",
        "test_a[日本語]",
        "test_a[\ud800]",
        "test_a[A]",
        "...",
        "",
        *RESERVED,
        *(f"{name.upper()}.fixture" for name in RESERVED),
    ],
)
def test_any_name_becomes_one_that_every_file_system_takes(name: Any) -> None:
    made = safe(name)
    assert made.isascii()
    assert 0 < len(made.encode()) <= LONGEST + 10
    assert not set(made) & set('<>:"/\\|?*\0\n\t ')
    assert not made.startswith("-")
    assert made == made.strip(". ")
    assert made.split(".")[0].casefold() not in RESERVED
    assert safe(name) == made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("test_a[x y]", "test_a[x/y]"),
        ("test_a[x y]", "test_a[x-y]"),
        ("test_a[Ä]", "test_a[Ö]"),
        ("test_a[a]", "test_a[A]"),
        ("test_a[" + "x" * 500 + "1]", "test_a[" + "x" * 500 + "2]"),
        ("test_a[\ud800]", "test_a[\ud801]"),
        ("nul", "nul-"),
        ("test_a[.]", "test_a[..]"),
        ("", "."),
        ("con", "nul"),
    ],
)
def test_two_names_never_share_a_file_also_where_capitals_do_not_count(
    one: Any, other: Any
) -> None:
    assert safe(one).casefold() != safe(other).casefold()


def test_a_module_gives_its_folders(tmp_path: Path) -> None:
    made = path_for(tmp_path, Path("tests/deep/test_qa.py"), "test_a")
    assert made == tmp_path / "tests/deep/test_qa/test_a.jsonl"


@pytest.mark.parametrize("module", ["test_a.b.py", "pages/how-to.md"])
def test_modules_with_dots_and_pages_have_folders_of_their_own(tmp_path: Path, module: Any) -> None:
    assert path_for(tmp_path, Path(module), "x").parent.name in ("test_a.b", "how-to")


def test_ids_of_every_kind_are_recorded_and_found_again(
    run_both_ways: Any, suite: Any, server: Any
) -> None:
    suite("""
        IDS = ["x" * 300, "grüße", "日本語", "a/b", "a\\\\b", ".."]
        IDS += ["a:b", "con", "nul", "a", "A", " "]
        @pytest.mark.parametrize("n", range(len(IDS)), ids=IDS)
        def test_it(n):
            assert ask(str(n)) == "Paris"
        class TestOne:
            def test_in_a_class(self):
                ask("one")
            class TestDeep:
                def test_in_a_class(self):
                    ask("deep")
    """)
    run_both_ways(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=14)
    found = cassettes()
    assert len(found) == len({name.casefold() for name in found}) == 14
    assert all(name.startswith("test_it/") for name in found)
    assert len(server.asked) == 14
    run_both_ways(*LIVE, "--dspy-cassettes", "none").assert_outcomes(passed=14)
    assert cassettes() == found
    assert len(server.asked) == 14


def test_names_that_differ_by_capitals_alone_have_files_of_their_own(
    run: Any, suite: Any, server: Any
) -> None:
    suite("""
        def test_a():
            assert ask("a") == "Paris"
        def test_A():
            assert ask("A") == "Paris"
        class TestOne:
            def test_Alone(self):
                assert ask("one") == "Paris"
        class TestONE:
            def test_it(self):
                assert ask("ONE") == "Paris"
        class Testone:
            def test_it(self):
                assert ask("all small") == "Paris"
    """)
    run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=5)
    found = cassettes()
    assert len(found) == len({name.casefold() for name in found}) == 5
    assert "test_it/test_a.jsonl" in found  # in small letters: it keeps its name
    run(*LIVE, "--dspy-cassettes", "none").assert_outcomes(passed=5)


def test_capitals_that_tell_nobody_apart_change_no_name(run: Any, suite: Any, server: Any) -> None:
    suite("""
        def test_LM_answers():
            ask("a")
        class TestLM:
            def test_LM_answers(self):
                ask("b")
    """)
    run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=2)
    assert cassettes() == ["test_it/TestLM.test_LM_answers.jsonl", "test_it/test_LM_answers.jsonl"]


def test_nested_classes_of_one_name_have_files_of_their_own(
    run: Any, suite: Any, server: Any
) -> None:
    suite("""
        class TestA:
            class TestX:
                def test_it(self):
                    assert ask("a") == "Paris"
        class TestB:
            class TestX:
                def test_it(self):
                    assert ask("b") == "Paris"
    """)
    run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=2)
    assert len(cassettes()) == 2


def test_the_matrix_is_in_the_name_also_of_a_named_cassette(
    run: Any, suite: Any, server: Any
) -> None:
    suite("""
        @pytest.mark.dspy_profile("live", "other")
        @pytest.mark.dspy_cassette(mode="once")
        def test_asks():
            ask("x")
        @pytest.mark.dspy_profile("live", "other")
        @pytest.mark.dspy_cassette("shared", mode="once")
        def test_shares():
            ask("x")
    """)
    run().assert_outcomes(passed=4)
    found = cassettes()
    assert found == [
        f"test_it/{name}[{profile}].jsonl"
        for name in ("shared", "test_asks")
        for profile in ("live", "other")
    ]
    server.asked.clear()
    run("--dspy-cassettes", "none").assert_outcomes(passed=4)
    assert server.asked == []


def test_unittest_doctests_and_pages_have_cassettes_too(
    run: Any, suite: Any, server: Any, write: Any
) -> None:
    suite('''
        import unittest
        class Case(unittest.TestCase):
            def test_asks(self):
                assert ask("unittest") == "Paris"
        def documented():
            """
            >>> ask("doctest")
            'Paris'
            """
    ''')
    write(
        "page.txt", ">>> import dspy\n>>> dspy.Predict('q -> answer')(q='page').answer\n'Paris'\n"
    )
    words = (*LIVE, "--doctest-modules", "--doctest-glob=*.txt")
    run(*words, "--dspy-cassettes", "once").assert_outcomes(passed=3)
    asked = len(server.asked)
    assert len(cassettes()) == asked == 3
    run(*words, "--dspy-cassettes", "none").assert_outcomes(passed=3)
    assert len(server.asked) == asked


def test_another_folder_may_be_said(run: Any, suite: Any, server: Any) -> None:
    suite("def test_asks():\n    ask('x')\n")
    run(*LIVE, "--dspy-cassettes", "once", "--dspy-cassette-dir", "tapes").assert_outcomes(passed=1)
    assert Path("tapes/test_it/test_asks.jsonl").is_file()
    assert not Path("cassettes").exists()


def test_what_is_run_from_a_folder_below_finds_the_same_file(
    run: Any, suite: Any, server: Any, project: Path
) -> None:
    suite("@pytest.mark.dspy_cassette\ndef test_asks():\n    ask('x')\n", path="deep/test_it.py")
    Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    run(*LIVE, "--dspy-cassettes", "once").assert_outcomes(passed=1)
    below = project / "deep"
    run(*LIVE, cwd=below).assert_outcomes(passed=1)
    Path("cassettes/deep/test_it/test_asks.jsonl").unlink()
    result = run(*LIVE, cwd=below)
    result.stdout.fnmatch_lines(["*hint: pytest 'test_it.py::test_asks' *"])
