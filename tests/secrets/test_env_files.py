"""`.env` files and `[x.env]`: who wins, what follows a changed file, what stays."""

import os
import threading
from typing import Any

import pytest

from dspy_profiles.errors import InvalidFile, InvalidProfile, Place
from dspy_profiles.profiles import Scene
from dspy_profiles.secrets import invalid_lines, load_env_files, names_in_files, set_variables_once


def load() -> None:
    load_env_files(Scene.now().env_files, lambda _: True)


def test_the_nearest_of_the_three_files_that_has_a_name_wins(
    home: Any, project: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("profiles.toml", "")
    write(home / ".dspy/.env", "A=user\nB=user\nC=user\n")
    write(".env", "A=root\nB=root\n")
    write("sub/.env", "A=here\n")
    monkeypatch.chdir(project / "sub")
    load()
    assert [os.environ[name] for name in "ABC"] == ["here", "root", "user"]


def test_the_setting_replaces_all_three(home: Any, write: Any) -> None:
    write(home / ".dspy/.env", "A=user\n")
    write(".env", "A=root\n")
    write("ci.env", "B=ci\n")
    write("late.env", "B=late\nC=late\n")
    write("pyproject.toml", '[tool.dspy-profiles]\nenv-file = ["ci.env", "late.env"]\n')
    load()
    assert "A" not in os.environ
    assert (os.environ["B"], os.environ["C"]) == ("ci", "late")


def test_what_the_environment_had_before_wins_even_when_it_is_empty(write: Any) -> None:
    os.environ |= {"A": "before", "B": ""}
    write(".env", "A=file\nB=file\n")
    load()
    assert (os.environ["A"], os.environ["B"]) == ("before", "")


def test_an_env_that_is_a_folder_or_not_there_is_none(project: Any) -> None:
    (project / ".env").mkdir()
    before = dict(os.environ)
    load()
    assert dict(os.environ) == before


def test_a_line_that_says_nothing_is_told_once_with_its_place_and_unshown(
    write: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(".env", "A=1\nsk-canary x\nB='canary\nC=3\n")
    load()
    load()
    assert names_in_files([path]) == {"A", "C"}
    assert caplog.messages == [
        f"dspy-profiles: {path}:{line}: not NAME=VALUE; ignored" for line in (2, 3)
    ]


def test_a_broken_line_that_was_asked_for_is_told_by_nobody_else(
    write: Any, caplog: pytest.LogCaptureFixture, project: Any
) -> None:
    path = write(".env", "what is this\n")
    assert invalid_lines([path, project / "gone.env"]) == [(path, 1)]
    load()
    assert caplog.messages == []


def test_resolving_loads_nothing(write: Any) -> None:
    write(".env", "A=file\n")
    Scene.now()
    assert "A" not in os.environ


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\xef\xbb\xbfA=bom\n", "bom"),
        (b"A=crlf\r\nZ=1\r\n", "crlf"),
        (b"export A=exported\n", "exported"),
        (b'A="double # quoted" # comment\n', "double # quoted"),
        (b"A='single'\n", "single"),
        (b'A="two\nlines"\n', "two\nlines"),
        (b"A = spaced \n", "spaced"),
        (b"A=x=y#z\n", "x=y#z"),
        (b"# A=no\nA=last", "last"),
        (b"A=first\nA=second\n", "second"),
        (b"A=\n", ""),
        ("A=grün\n".encode(), "grün"),
    ],
)
def test_the_usual_ways_to_write_one(project: Any, raw: Any, expected: Any) -> None:
    (project / ".env").write_bytes(raw)
    load()
    assert os.environ["A"] == expected


@pytest.mark.parametrize(
    "raw", [b"A\n", b"", b"\n\n", b"'A=B'=x\n", b"=x\n", b"A='x\0y'\n", b"\0=x"]
)
def test_what_no_environment_can_hold_is_passed_over(project: Any, raw: Any) -> None:
    (project / ".env").write_bytes(raw)
    before = dict(os.environ)
    load()
    assert dict(os.environ) == before


def test_one_that_is_not_utf_8_is_told_with_its_path(project: Any) -> None:
    (project / ".env").write_bytes(b"A=sk-\xe9\xe9\n")
    with pytest.raises(InvalidFile, match="not UTF-8") as error:
        load()
    assert isinstance(error.value.where, Place)
    assert error.value.where.file == project / ".env"
    assert "sk-" not in str(error.value)
    assert "A" not in os.environ


def test_our_values_follow_a_changed_file(write: Any) -> None:
    write(".env", "A=1\nB=1\n")
    load()
    write(".env", "A=2\nC=1\n")
    load()
    assert (os.environ["A"], os.environ["C"]) == ("2", "1")
    assert "B" not in os.environ


def test_our_values_go_with_the_file(project: Any, write: Any) -> None:
    file = write(".env", "A=1\n")
    load()
    file.unlink()
    load()
    assert "A" not in os.environ


def test_our_values_fall_back_to_the_next_file(home: Any, write: Any) -> None:
    write(home / ".dspy/.env", "A=user\n")
    file = write(".env", "A=root\n")
    load()
    file.unlink()
    load()
    assert os.environ["A"] == "user"


def test_what_somebody_else_has_changed_stays_theirs(write: Any) -> None:
    file = write(".env", "A=1\nB=1\n")
    load()
    os.environ["A"] = "theirs"
    write(".env", "A=2\nB=2\n")
    load()
    assert (os.environ["A"], os.environ["B"]) == ("theirs", "2")
    file.unlink()
    load()
    assert os.environ["A"] == "theirs"
    assert "B" not in os.environ


def test_sixteen_threads_may_load_at_once(write: Any) -> None:
    write(".env", "".join(f"V{n}=one\n" for n in range(200)))
    barrier = threading.Barrier(16)
    failures = []

    def work() -> None:
        try:
            barrier.wait()
            for _ in range(5):
                load()
        except BaseException as error:  # noqa: BLE001 - whatever a thread raises fails the test
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {os.environ[f"V{n}"] for n in range(200)} == {"one"}
    write(".env", "V0=two\n")
    load()
    assert (os.environ["V0"], os.environ.get("V1")) == ("two", None)


def test_a_profiles_variables_are_set_where_unset_and_stay() -> None:
    os.environ["A"] = "before"
    set_variables_once("p", {"A": "p", "B": "p"})
    assert (os.environ["A"], os.environ["B"]) == ("before", "p")
    load_env_files([], lambda _: True)
    assert os.environ["B"] == "p"


def test_two_profiles_that_disagree_are_told_so_without_the_values() -> None:
    set_variables_once("p", {"A": "sk-one"})
    with pytest.warns(UserWarning, match='"q" sets A to another value than profile "p"') as warned:
        set_variables_once("q", {"A": "sk-two"})
    assert "sk-" not in str(warned[0].message)
    assert os.environ["A"] == "sk-one"
    set_variables_once("p", {"A": "sk-edited"})
    set_variables_once("q", {"A": "sk-one"})


def test_a_value_that_no_environment_can_hold_is_told_without_it() -> None:
    with pytest.raises(InvalidProfile, match='profile "p": cannot set A, C') as error:
        set_variables_once("p", {"A": "sk-\0", "B": "fine", "C": "sk-\ud800"})
    assert "sk-" not in str(error.value)
    assert os.environ["B"] == "fine"
