"""Which words run in an environment, which cassettes they replay, and what is refused before."""

import sys
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles.errors import InvalidProfile, ProfileNotFound
from dspy_profiles.results import open_store
from dspy_profiles.versions import (
    Command,
    Environment,
    NoEnvironment,
    Project,
    Recipe,
    checked_version,
    compare,
    is_pytest,
    run_in,
)
from dspy_profiles.versions._cassettes import folder_of_tests
from dspy_profiles.versions._run import _environ

MOCK = """
    [dev.provider]
    class = "mock"

    [staging.lm]
    model = "openai/gpt-4o-mini"
"""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    programs = tmp_path / "environment/bin"
    programs.mkdir(parents=True)
    for name in ("python", "pytest"):
        (programs / name).touch(mode=0o755)
    return Environment(tmp_path / "environment", "3.1", "3.1.3", "3.11.7")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "runs/3.1"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("words", [["pytest", "-q"], ["python", "-m", "pytest"], ["-m", "pytest"]])
def test_pytest_gets_our_flags_in_front_of_its_own(
    words: Any, environment: Any, place: Any
) -> None:
    assert is_pytest(words)
    found = Command(words).words_in(environment, place)
    assert found[0].startswith(str(environment.programs))
    assert f"--dspy-cassette-dir={place / 'cassettes'}" in found
    assert "--dspy-live=block" in found
    assert found[-1] == words[-1] or found[-1].startswith("--")


@pytest.mark.parametrize("words", [["python", "app.py"], ["app.py"], ["make", "test"]])
def test_another_command_runs_as_run_does(
    words: Any, environment: Any, place: Any, write: Any
) -> None:
    write("profiles.toml", MOCK)
    assert not is_pytest(words)
    found = Command(words, profile="dev").words_in(environment, place)
    assert found[1:5] == ["-m", "dspy_profiles", "run", "--record"]
    assert "--cassette" not in found  # an offline profile needs none
    assert found[found.index("--") + 1 :][-1] == words[-1]


def test_a_program_on_a_live_profile_gets_a_cassette_without_responses(
    environment: Any, place: Any, write: Any
) -> None:
    write("profiles.toml", MOCK)
    found = Command(["app.py"], profile="staging").words_in(environment, place)
    assert found[found.index("--cassettes") + 1] == "none"
    assert not Path(found[found.index("--cassette") + 1]).exists()
    live = Command(["app.py"], profile="staging", live=True).words_in(environment, place)
    assert "--cassette" not in live


def test_cassettes_are_copied(environment: Any, place: Any, write: Any) -> None:
    original = write("cassettes/test_qa/test_a.jsonl", '{"cassette": 2}\n')
    Command(["pytest"]).words_in(environment, place)
    copy = place / "cassettes/test_qa/test_a.jsonl"
    assert copy.read_text() == original.read_text()
    copy.write_text("changed")
    assert original.read_text() == '{"cassette": 2}\n'


def test_errors_name_the_cassettes_and_not_their_copies(place: Any, write: Any) -> None:
    write("cassettes/a.jsonl", "")
    text = f"CassetteMiss: {place / 'cassettes/a.jsonl'} has no response"
    found = Command(["pytest"]).original(place, text)
    assert found == "CassetteMiss: cassettes/a.jsonl has no response"


@pytest.mark.parametrize(
    ("file", "text", "folder"),
    [
        ("pytest.ini", "[pytest]\n", "cassettes"),
        ("pytest.ini", "[pytest]\ndspy_cassette_dir = kept\n", "kept"),
        ("tests/pytest.ini", "[pytest]\n", "tests/cassettes"),
        ("pyproject.toml", "[tool.pytest.ini_options]\ndspy_cassette_dir = 'kept'\n", "kept"),
        ("pyproject.toml", "[tool.dspy-profiles]\ncassette-dir = 'here'\n", "here"),
        ("pyproject.toml", "[project]\nname = 'a'\n", "cassettes"),
        ("setup.cfg", "[tool:pytest]\n", "cassettes"),
    ],
)
def test_the_folder_of_cassettes_is_pytests(
    file: str, text: str, folder: str, write: Any, project: Any
) -> None:
    write("tests/test_a.py", "")
    write(file, text)
    assert folder_of_tests(["tests/test_a.py::test_a", "-q"]) == project / folder


@pytest.fixture
def this_python(tmp_path: Path) -> Path:
    """An environment whose Python is the one of these tests."""
    folder = tmp_path / "this/bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)
    return folder.parent


APP = "import dspy\nprint(dspy.Predict('question -> answer')(question='Why?').answer)\n"


def test_a_run_is_recorded_beside_its_output(this_python: Any, write: Any, tmp_path: Any) -> None:
    write("profiles.toml", MOCK)
    write("app.py", APP)
    environment = Environment(this_python, "3", dspy.__version__, "3.11.7")
    ran = run_in(environment, Command(["python", "app.py"], profile="dev"), tmp_path)
    assert (ran.exit_code, ran.imported) == (0, dspy.__version__)
    assert ran.output.startswith("mock answer")
    assert ran.experiment is not None
    assert ran.experiment.trials == 1


def test_another_dspy_than_that_of_the_environment_is_an_error(
    this_python: Any, write: Any, tmp_path: Any
) -> None:
    write("profiles.toml", MOCK)
    write("app.py", APP)
    environment = Environment(this_python, "3.0", "3.0.99", "3.11.7")
    with pytest.raises(NoEnvironment, match=f"imported DSPy {dspy.__version__}, not 3.0.99"):
        run_in(environment, Command(["python", "app.py"], profile="dev"), tmp_path)


def test_a_live_call_of_a_program_is_a_miss(this_python: Any, write: Any, tmp_path: Any) -> None:
    write("profiles.toml", MOCK)
    write("app.py", APP)
    environment = Environment(this_python, "3", dspy.__version__, "3.11.7")
    command = Command(["python", "app.py"], profile="staging")
    ran = run_in(environment, command, tmp_path)
    with open_store(f"file:{tmp_path / 'results'}") as store:
        (row,) = compare([ran], command, store).rows
    assert row.outcomes == ["miss"]
    assert str(tmp_path) not in str(row.cells[0] and row.cells[0].error)


def test_a_program_without_a_profile_is_refused_unless_it_may_be_live() -> None:
    with pytest.raises(ProfileNotFound, match="cannot be kept offline"):
        Command(["app.py"]).checked()
    Command(["app.py"], live=True).checked()


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ProfileNotFound, match="prdo"):
        Command(["pytest"], profile="mock,prdo").checked()
    Command(["pytest"], profile="mock").checked()
    with pytest.raises(ProfileNotFound, match="prdo"):
        Command(["app.py"], profile="prdo").checked()


def test_cassettes_are_refused_where_they_mean_nothing(tmp_path: Any) -> None:
    with pytest.raises(InvalidProfile, match="tests have cassettes of their own"):
        Command(["pytest"], cassette=tmp_path / "a.jsonl").checked()
    with pytest.raises(ProfileNotFound, match=r"a\.jsonl not found"):
        Command(["app.py"], cassette=tmp_path / "a.jsonl").checked()


def test_the_environment_comes_first_and_no_other_one_counts(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    monkeypatch.setenv("DSPY_PROFILES_SESSION", "{}")
    found = _environ(environment)
    assert found["VIRTUAL_ENV"] == str(environment.folder)
    assert found["PATH"].startswith(str(environment.programs))
    assert found["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert not {"PYTHONHOME", "DSPY_PROFILES_SESSION"} & found.keys()


@pytest.mark.parametrize("text", ["3.1", "3.4", "3", "3.1.2", "3.4.0b1"])
def test_versions_of_dspy_3_are_accepted(text: str) -> None:
    assert checked_version(text) == text


@pytest.mark.parametrize(
    "text", ["2.6", "4.0", "pytest", "3.x", "3.1 ", "-3", "", "３.1", "../3.1"]
)
def test_others_are_not(text: str) -> None:
    with pytest.raises(InvalidProfile):
        checked_version(text)


def test_an_environment_is_named_by_what_goes_into_it(write: Any) -> None:
    def name(**more: Any) -> str:
        return Recipe(Project.here(), **more)._hash("3.1")

    before = name()
    assert name() == before
    others = {name(python="3.12"), name(more=["tqdm"]), name(with_pytest=True)}
    requirements = write("more.txt", "tqdm\n")
    others.add(name(more=["-r more.txt"]))
    requirements.write_text("rich\n")
    others.add(name(more=["-r more.txt"]))
    write("pyproject.toml", "[project]\nname = 'a'\nversion = '1'\n")
    others.add(name())
    write("uv.lock", "version = 1\n")
    others.add(name())
    assert len(others | {before}) == 8


def test_the_lock_of_a_workspace_is_above(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write("uv.lock", "version = 1\n")
    write("pyproject.toml", "[tool.uv.workspace]\nmembers = ['qa']\n")
    monkeypatch.chdir(write("qa/pyproject.toml", "[project]\nname = 'qa'\n").parent)
    assert Project.here().lock == b"version = 1\n"


@pytest.mark.parametrize(
    ("text", "is_package", "said"),
    [
        ("[tool.ruff]\n", False, None),
        ("[project]\nname = 'qa'\n", False, "the requirements of qa"),
        (
            "[project]\nname = 'qa'\n[build-system]\nrequires = []\n",
            True,
            "qa is installed editable",
        ),
        ("[project]\nname = 'dspy-profiles'\n[build-system]\nrequires = []\n", False, "the req"),
        (
            "[project]\nname = 'qa'\n[build-system]\nrequires = []\n[tool.uv]\npackage = false\n",
            False,
            "the requirements of qa",
        ),
    ],
)
def test_a_project_is_installed_if_it_can_be(
    text: str, is_package: bool, said: str | None, write: Any
) -> None:
    write("pyproject.toml", text)
    project = Project.here()
    assert project.is_package is is_package
    assert (project.describe() or "").startswith(said or "")
    assert (project.describe() is None) is (said is None)


@pytest.mark.parametrize(
    ("text", "extras"),
    [
        ("[project]\ndependencies = ['dspy[mcp, optuna]>=3']\n", "[mcp,optuna]"),
        ("[project]\ndependencies = ['dspy>=3', 'dspy-other[x]']\n", ""),
        ("[dependency-groups]\ndev = ['dspy[mcp]', {include-group = 'a'}]\na = []\n", "[mcp]"),
        ("[project]\ndependencies = 3\n[dependency-groups]\ndev = 3\n", ""),
    ],
)
def test_extras_of_dspy_are_kept_where_its_requirement_is_overridden(
    text: str, extras: str, write: Any
) -> None:
    write("pyproject.toml", text)
    assert Project.here().extras_of_dspy == extras
