"""Environments on disk, uv that is not there or fails, and what the command line refuses."""

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import dspy_profiles
from dspy_profiles.errors import WriteFailed
from dspy_profiles.versions import NoEnvironment, Project, Recipe, UvNotFound, clean, kept
from dspy_profiles.versions._environments import DRAFT, environments_folder
from dspy_profiles.versions._uv import _error, run_uv
from dspy_profiles.versions._wheel import OwnWheel

CANARY = "canary-4f1c9a7e2b"


def silent(_: str) -> None:
    pass


@pytest.fixture
def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a `uv` in front of all others: a script of Python."""

    def made(script: str) -> Path:
        folder = tmp_path / "tools"
        folder.mkdir(exist_ok=True)
        (folder / "uv").write_text(f"#!{sys.executable}\nimport os, sys, pathlib\n{script}\n")
        (folder / "uv").chmod(0o755)
        monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
        return folder

    return made


MAKES = """
if sys.argv[1] == "venv":
    folder = pathlib.Path(sys.argv[-1])
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text("version_info = 3.11.7\\n")
else:
    folder = pathlib.Path(sys.argv[sys.argv.index("--python") + 1]).parents[1]
    found = folder / "lib/python3.11/site-packages/dspy-3.1.3.dist-info"
    found.mkdir(parents=True)
    (found / "METADATA").write_text("Metadata-Version: 2.1\\nName: dspy\\nVersion: 3.1.3\\n")
    words = pathlib.Path(__file__).with_name("words.txt")
    words.write_text("\\n".join([*sys.argv, *(pathlib.Path(w).read_text() for w in sys.argv
                                              if w.endswith(".txt"))]))
"""


def test_an_environment_is_made_once_and_then_kept(fake_uv: Any) -> None:
    fake_uv(MAKES)
    heard: list[str] = []
    first = Recipe(Project.here()).environment("3.1", heard.append)
    assert (first.dspy, first.python, first.is_new) == ("3.1.3", "3.11.7", True)
    fake_uv("sys.exit('asked again')")
    second = Recipe(Project.here()).environment("3.1", heard.append)
    assert (second.folder, second.is_new) == (first.folder, False)
    assert heard == ["DSPy 3.1: making an environment"]
    assert [*environments_folder().iterdir()] == [first.folder]  # no draft is left


def test_requirements_travel_in_files_and_passwords_are_in_no_argument(fake_uv: Any) -> None:
    tools = fake_uv(MAKES.replace("*(pathlib", "'---', *(pathlib"))
    more = (f"extra @ https://you:{CANARY}@example.org/extra.whl",)
    made = Recipe(Project.here(), more=more).environment("3.1", silent)
    arguments, files = (tools / "words.txt").read_text().split("---")
    assert CANARY not in arguments
    assert CANARY in files
    assert "dspy==3.1.*" in files
    assert not [path for path in made.folder.rglob("*.json") if CANARY in path.read_text()]


def test_our_own_package_comes_from_here(fake_uv: Any) -> None:
    tools = fake_uv(MAKES)
    Recipe(Project.here(), with_pytest=True).environment("3.1", silent)
    words = (tools / "words.txt").read_text()
    assert "dspy-profiles[" in words
    assert "pytest" in words
    assert ".whl" in words
    assert "@ file:///" in words


def test_a_failure_leaves_nothing_behind(fake_uv: Any) -> None:
    fake_uv(
        MAKES.replace(
            "found.mkdir(parents=True)", "sys.exit('error: there is no version of dspy==3.1.*')"
        )
    )
    with pytest.raises(NoEnvironment, match=r"DSPy 3\.1 cannot be installed") as caught:
        Recipe(Project.here()).environment("3.1", silent)
    assert "versions that exist" in str(caught.value.hint)
    assert not [*environments_folder().iterdir()]


def test_an_environment_whose_python_is_gone_is_made_again(fake_uv: Any) -> None:
    fake_uv(MAKES)
    made = Recipe(Project.here()).environment("3.1", silent)
    (made.folder / "bin/python").unlink()
    assert Recipe(Project.here()).environment("3.1", silent).is_new


def test_without_uv_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(UvNotFound, match="uv not found") as caught:
        Recipe(Project.here()).environment("3.1", silent)
    assert caught.value.exit_code == 3


SAID = {
    "full": ("error: failed to write: No space left on device (os error 28)", WriteFailed, "free"),
    "version": (
        "  × No solution found\n  ╰─▶ Because there are no versions of dspy==3.77.*",
        NoEnvironment,
        "versions that exist",
    ),
    "newest": (
        "No solution found: Because only dspy<=3.4.1 is available",
        NoEnvironment,
        "versions that exist",
    ),
    "network": ("error: Failed to fetch: https://x/\n dns error", NoEnvironment, "connect once"),
    "python": ("error: No interpreter found for Python 3.99", NoEnvironment, "--python 3.12"),
    "conflict": ("No solution found: a needs b<1 and c needs b>1", NoEnvironment, "--with"),
    "else": ("error: something new", NoEnvironment, "uv pip install"),
}


@pytest.mark.parametrize(("said", "kind", "hint"), SAID.values(), ids=SAID)
def test_an_error_of_uv_is_one_line_with_a_hint(said: str, kind: Any, hint: str) -> None:
    error = _error("DSPy 3.1 cannot be installed", said)
    assert isinstance(error, kind)
    assert "\n" not in error.message
    assert error.message.startswith("DSPy 3.1 cannot be installed: ")
    assert hint in str(error.hint)


def test_passwords_in_what_uv_prints_are_masked(fake_uv: Any, project: Path) -> None:
    fake_uv(f"sys.exit('error: cannot get https://you:{CANARY}@example.org/x')")
    with pytest.raises(NoEnvironment) as caught:
        run_uv(["pip"], project, "no")
    assert CANARY not in str(caught.value)


def test_the_wheel_holds_what_runs_here(tmp_path: Path) -> None:
    one, other = OwnWheel(), OwnWheel()
    wheel = one.write(tmp_path)
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        source = file.read("dspy_profiles/__init__.py")
        assert "pytest_dspy_profiles/plugin.py" in names
        assert "dspy_profiles/run/site/sitecustomize.py" in names
        assert not [name for name in names if "__pycache__" in name]
        (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "pytest11" in file.read(entry_points).decode()
    assert source == Path(dspy_profiles.__file__).read_bytes()
    assert one.digest == other.digest
    (tmp_path / "again").mkdir()
    assert other.write(tmp_path / "again").read_bytes() == wheel.read_bytes()


def test_kept_environments_are_listed_and_cleaned(make_kept: Any) -> None:
    make_kept("3.1-aaaa", "3.1.3")
    make_kept("3.4-bbbb", "3.4.1")
    (environments_folder() / f"{DRAFT}left").mkdir()
    found = kept()
    assert [each.environment and each.environment.dspy for each in found] == [
        "3.1.3",
        "3.4.1",
        None,
    ]
    assert len(clean()) == 3
    assert kept() == []
    assert clean() == []


def test_a_damaged_manifest_is_no_environment(make_kept: Any) -> None:
    for nr, text in enumerate(("", "[]", "{}", '{"requested": 3}', "\0")):
        folder = make_kept(f"3.1-{nr}", "3.1.3")
        (folder / "dspy-profiles.json").write_text(text)
    assert all(each.environment is None for each in kept())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "no versions; as in dspy-profiles versions 3.1 3.4 -- pytest"),
        (("3.1", "3.4"), 2, "no command after --"),
        (("3.1", "3.4", "--"), 2, "no command after --"),
        (("3.1", "3.1", "--", "pytest"), 2, "a version is named twice"),
        (("3.1", "pytest"), 4, '"pytest" is not a version of DSPy'),
        (("2.6", "--", "pytest"), 4, "DSPy 2.6 is not supported"),
        (("3.1", "--nope", "--", "pytest"), 2, "--nope"),
        (("--list", "--clean"), 2, "exclude each other"),
        (("--list", "3.1"), 2, "take no versions"),
        (("3.1", "--profile", "prdo", "--", "pytest"), 3, 'profile "prdo" not found'),
        (("3.1", "--", "app.py"), 3, "cannot be kept offline"),
    ],
)
def test_wrong_words_are_one_error(words: Any, code: int, said: str, cli: Any) -> None:
    done = cli(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_list_and_clean_on_the_command_line(cli: Any, make_kept: Any) -> None:
    assert "no environments yet" in cli("--list").stderr
    make_kept("3.1-aaaa", "3.1.3")
    assert "3.1.3" in cli("--list").stdout
    found = json.loads(cli("--list", "--json").stdout)
    assert [each["dspy"] for each in found["environments"]] == ["3.1.3"]
    assert "deleted 1 environment" in cli("--clean").stdout
    assert json.loads(cli("--list", "--json").stdout)["environments"] == []
