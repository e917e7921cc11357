"""The files that other tools read name commands, sessions and types that exist."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FRAGMENTS = sorted((ROOT / "changelog.d").glob("*.*.md"))
# In pieces, since no file of the project may hold them whole.
HOSTS = [
    f"{name}.{ending}".encode()
    for name, ending in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("debian", "org"),
    )
]


def read(name: Any) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def steps(workflow: Any, key: Any) -> Any:
    """The values of this key in all steps of a workflow."""
    jobs = read(f".github/workflows/{workflow}.yml")["jobs"].values()
    return [step[key] for job in jobs for step in job["steps"] if key in step]


def local_hooks() -> Any:
    (local,) = [r for r in read(".pre-commit-config.yaml")["repos"] if r["repo"] == "local"]
    return local["hooks"]


@pytest.mark.parametrize("hook", read(".pre-commit-hooks.yaml"), ids=lambda hook: hook["id"])
def test_hooks_for_users_run_commands_that_exist(hook: Any) -> None:
    program, *command = hook["entry"].split()
    assert program in PROJECT["project"]["scripts"]
    done = subprocess.run(
        [sys.executable, "-m", "dspy_profiles", *command, "--help"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: {hook['entry']} ")


def test_hooks_for_users_are_those_of_the_page(all_pages: Any) -> None:
    page = next(page for page in all_pages if page.name == "docs/how-to/pre-commit.md")
    (block,) = [b for b in page.blocks if b.file == ".pre-commit-config.yaml"]
    (shown,) = yaml.safe_load(block.text)["repos"]
    offered = read(".pre-commit-hooks.yaml")
    assert shown["hooks"] == [
        {k: v for k, v in hook.items() if k != "description"} | {"language": "system"}
        for hook in offered
    ]
    for hook in offered:
        row = f"| `{hook['id']}` | `{hook['entry']}` |"
        assert any(line.startswith(row) for line in page.lines)


@pytest.mark.parametrize("hook", local_hooks(), ids=lambda hook: hook["id"])
def test_own_hooks_run_programs_of_the_environment(hook: Any) -> None:
    words = hook["entry"].split()
    if hook["language"] == "pygrep":
        re.compile(hook["entry"].encode())
    elif words[:2] == ["uv", "run"]:
        assert shutil.which(words[2], path=Path(sys.executable).parent)
    else:
        assert words[0] == "bash"


@pytest.mark.parametrize(
    "file",
    sorted((ROOT / ".github").rglob("*.yml")),
    ids=lambda file: file.relative_to(ROOT).as_posix(),
)
def test_files_for_the_forge_are_tables(file: Any) -> None:
    assert isinstance(yaml.safe_load(file.read_text("utf-8")), dict)


def test_the_workflow_runs_the_ci_script() -> None:
    assert ".ci/run" in steps("ci", "run")


def test_the_workflow_names_sessions_and_pythons_of_nox() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
    sessions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    (pythons,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PYTHONS"
    ]
    matrix = read(".github/workflows/ci.yml")["jobs"]["matrix"]["strategy"]["matrix"]
    named = {*matrix["session"], *(each["session"] for each in matrix["include"])}
    named |= set(re.findall(r"--session (\w+)", "\n".join(steps("ci", "run"))))
    assert named <= sessions
    assert matrix["python"] == list(pythons)


def test_a_release_needs_no_token() -> None:
    jobs = read(".github/workflows/release.yml")["jobs"]
    publish = jobs["publish"]
    assert publish["environment"]
    assert publish["permissions"] == {"id-token": "write"}
    assert "permissions" not in jobs["build"]
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text("utf-8")


def test_fragments_have_a_known_type() -> None:
    types = {each["directory"] for each in PROJECT["tool"]["towncrier"]["type"]}
    assert {file.name.split(".")[-2] for file in FRAGMENTS} <= types


def test_the_next_changelog_has_every_fragment() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "99.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## 99.0, ")
    shown = " ".join(done.stdout.split())
    for file in FRAGMENTS:
        assert " ".join(file.read_text("utf-8").split()) in shown


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout: git lists no files")
def test_no_file_names_the_host_of_a_registry() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    texts = ((file, file.read_bytes()) for file in files if file.is_file())
    assert not [(file, host) for file, text in texts for host in HOSTS if host in text]
