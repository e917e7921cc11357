"""From a word to the file that runs: as a shell finds it, or an error with a shell's code."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dspy_profiles.run import cut_off_by, program_words
from dspy_profiles.run._command_line import CommandNotFound, NotExecutable, find_program


@pytest.fixture
def folder(project: Path) -> Path:
    (project / "bin").mkdir()
    (project / "bin" / "runs").write_text("#!/bin/sh\n")
    (project / "bin" / "runs").chmod(0o755)
    (project / "bin" / "text").write_text("no program")
    (project / "bin" / "within").mkdir()
    return project / "bin"


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.text() | st.lists(st.sampled_from(["bin", "runs", "text", ".", "..", ""])).map("/".join),
    st.sampled_from(["bin", "", "bin:", "/nowhere:bin", "bin/runs"]),
)
@example("x" * 300, "bin")
@example("x/" * 3000, "bin")
def test_any_word_is_a_program_or_an_error_of_a_shell(
    folder: Path, command: str, path: Any
) -> None:
    found = shutil.which(command, path=path)
    if found is not None:
        assert find_program(command, {"PATH": path}) == found
        return
    with pytest.raises((CommandNotFound, NotExecutable)) as raised:
        find_program(command, {"PATH": path})
    assert raised.value.exit_code == (127 if raised.type is CommandNotFound else 126)


@pytest.mark.parametrize("command", ["text", "bin/text", "within", "bin/within"])
def test_a_file_that_is_no_program_is_told_from_none(folder: Path, command: str) -> None:
    with pytest.raises(NotExecutable, match="cannot be run: ") as raised:
        find_program(command, {"PATH": "bin"})
    assert raised.value.exit_code == 126


def test_no_word_is_no_command(folder: Path) -> None:
    with pytest.raises(CommandNotFound):
        find_program("", {"PATH": "bin"})


def test_a_command_beside_our_python_is_named(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    with pytest.raises(CommandNotFound) as raised:
        find_program("runs", {"PATH": "/nowhere"})
    assert "which is not on PATH" in str(raised.value.hint)
    with pytest.raises(CommandNotFound) as raised:
        find_program("./runs", {"PATH": "/nowhere"})
    assert raised.value.hint is None


@pytest.mark.parametrize("words", [["-m", "a"], ["-mtimeit"], ["-c", "1"], ["a.py", "x"]])
def test_a_script_runs_with_the_python_that_runs_us(words: Any) -> None:
    assert program_words(words) == [sys.executable, *words]
    assert program_words(["ls", *words]) == ["ls", *words]


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("python -I job.py", "-I"),
        ("/usr/bin/python3.12 -u -E -m job", "-E"),
        ("python -uS job.py", "-S"),
        ("python -ISc pass", "-I"),
        ("python -W error -Xdev -X utf8 -I job.py", "-I"),
        ("python --check-hash-based-pycs always -I", "-I"),
        ("env -i -u NAME A=1 python -I job.py", "-I"),
        ("bin/isolated", "-I"),
        ("isolated", "-I"),
        ("bin/split", "-E"),
        ("python job.py -I", None),
        ("python -c -I", None),
        ("python -mjob -I", None),
        ("python -uBsP -WI -XS - -I", None),
        ("python -- -I", None),
        ("python", None),
        ("grep -I word", None),
        ("env", None),
        ("runs", None),
        ("itself", None),
        ("nowhere", None),
    ],
)
def test_an_option_that_lets_nobody_into_a_python_is_seen(
    folder: Path, command: str, option: Any
) -> None:
    for name, first in {
        "isolated": "/usr/bin/python3 -sI",
        "split": "/usr/bin/env -S python -E",
        "itself": folder / "itself",
    }.items():
        (folder / name).write_text(f"#!{first}\nimport dspy\n")
        (folder / name).chmod(0o755)
    assert cut_off_by(command.split(), {"PATH": str(folder)}) == option
