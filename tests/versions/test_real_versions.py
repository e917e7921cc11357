"""The example under real versions of DSPy, each in an environment of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.loopback import Loopback, Reply

PAGE = Path(__file__).parents[2] / "docs/how-to/upgrade-dspy.md"
CANARY = "sk-canary-4f1c9a7e2b"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("uv"), reason="needs uv")]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cache folder in which all tests of this module find the same environments."""
    folder = tmp_path_factory.mktemp("cache")
    uv = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=False)
    kept = os.environ.get("UV_CACHE_DIR")
    os.environ["UV_CACHE_DIR"] = uv.stdout.strip()  # the home of a test is empty
    probe = folder / "probe"
    command = ["uv", "pip", "install", "-q", "--no-deps", "--target", str(probe), "dspy==3.1.*"]
    done = subprocess.run(
        [*command, "--python", sys.executable], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"DSPy cannot be installed: {done.stderr.strip()[-200:]}")
    yield str(folder)
    if kept is None:
        del os.environ["UV_CACHE_DIR"]
    else:
        os.environ["UV_CACHE_DIR"] = kept


@pytest.fixture
def versions(cli: Any, cache: str) -> Any:
    uv_cache = os.environ.get("UV_CACHE_DIR", "")
    return lambda *words, **more: cli(
        *words, **{"XDG_CACHE_HOME": cache, "UV_CACHE_DIR": uv_cache, "NO_COLOR": "1", **more}
    )


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p): p.read_bytes() for p in found if "__pycache__" not in p.parts}


def test_the_table_says_what_an_upgrade_changes(versions: Any, upgrade: Path) -> None:
    before = files(upgrade)
    done = versions("3.1", "3.4", "--", "pytest")
    assert done.returncode == 1, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["test_qa.py::test_capital", "passed", "passed"] in lines
    assert ["test_qa.py::test_talk", "passed", "miss"] in lines
    assert ["test_qa.py::test_place", "failed", "passed"] in lines
    assert "{+Respond with the corresponding output fields" in " ".join(done.stdout.split())
    assert "AdapterParseError" in done.stdout
    assert "2 of 3 tests ended differently" in done.stdout
    assert "the requirements of upgrade are installed, that on dspy overridden" in done.stderr
    assert files(upgrade) == before


def test_the_page_shows_what_the_command_prints(versions: Any, upgrade: Path) -> None:
    done = versions("3.1", "3.4", "--", "pytest", COLUMNS="100")
    text = PAGE.read_text("utf-8")
    block = text.partition("$ dspy-profiles versions 3.1 3.4 -- pytest\n")[2].partition("```")[0]

    def plain(lines: str) -> list[str]:
        kept = re.sub(r"made in [\d.]+ s|kept", "kept", lines)
        kept = re.sub(r"[\d.]+ m?s$", "", kept, flags=re.MULTILINE)
        kept = re.sub(r"3\.(1[1-9])\.\d+", r"3.x", kept)
        return [" ".join(line.split()) for line in kept.splitlines() if line.strip()]

    printed = plain(done.stdout)
    assert [line for line in plain(block) if line in printed] == printed


def test_json_says_the_same_and_the_environments_are_kept(versions: Any, upgrade: Path) -> None:
    versions("3.1", "3.4", "--", "pytest")
    # Neither uv nor a network: the environments are there.
    done = versions("3.1", "3.4", "--json", "--", "pytest", PATH="/usr/bin:/bin")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["differs"] is True
    assert [each["new"] for each in found["versions"]] == [False, False]
    assert [each["imported"].rpartition(".")[0] for each in found["versions"]] == ["3.1", "3.4"]
    tests = {each["name"].partition("::")[2]: each for each in found["tests"]}
    outcomes = {name: [cell["outcome"] for cell in each["cells"]] for name, each in tests.items()}
    assert outcomes == {
        "test_capital": ["passed", "passed"],
        "test_talk": ["passed", "miss"],
        "test_place": ["failed", "passed"],
    }
    assert "prompt" in {each["what"] for each in tests["test_talk"]["differences"]}
    assert tests["test_capital"]["differences"] == []


def test_a_program_is_compared_call_by_call(versions: Any, upgrade: Path) -> None:
    (upgrade / "app.py").write_text("from qa import capital\nprint(capital(country='France'))\n")
    done = versions("3.1", "3.4", "--profile", "mock", "--", "app.py")
    assert done.returncode == 0, done.stderr
    assert "no difference in 1 test" in done.stdout
    blocked = versions("3.1", "3.4", "--profile", "staging", "--", "app.py")
    (row,) = (line.split() for line in blocked.stdout.splitlines() if line.startswith("Predict  "))
    assert row == ["Predict", "miss", "miss"]


def test_a_command_that_is_not_there_fails(versions: Any, upgrade: Path) -> None:
    done = versions("3.4", "--profile", "mock", "--", "no-such-command")
    assert done.returncode == 1
    assert 'command "no-such-command" not found' in done.stderr


def test_a_version_that_does_not_exist_is_one_error(versions: Any, upgrade: Path) -> None:
    done = versions("3.77", "--", "pytest")
    assert (done.returncode, done.stdout) == (4, "")
    assert "DSPy 3.77 cannot be installed" in done.stderr
    assert "name versions that exist" in done.stderr


class Model(Loopback):
    """A model that answers otherwise if its instructions stand in the prompt twice."""

    def reply(self, path: str, headers: Any, asked: Any) -> Reply:
        prompt = json.dumps(asked["messages"])
        is_told_twice = prompt.count("Respond with the corresponding output fields") > 1
        answer = "Quechua, and Spanish." if is_told_twice else "Spanish, and Quechua."
        message = {"role": "assistant", "content": f"[[ ## answer ## ]]\n{answer}"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        facts = {"id": "a", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini"}
        return Reply({**facts, "choices": [choice], "usage": usage})


def test_live_asks_for_what_is_not_recorded_and_writes_nothing_back(
    versions: Any, upgrade: Path
) -> None:
    before = files(upgrade)
    with Model() as model:
        base = f"{model.root}/v1"
        done = versions(
            *("3.1", "3.4", "--live", "--json", "--", "pytest", "-k", "talk"),
            OPENAI_API_BASE=base,
            OPENAI_BASE_URL=base,
            OPENAI_API_KEY=CANARY,
        )
    (test,) = json.loads(done.stdout)["tests"]
    assert done.returncode == 0, done.stderr
    assert [each["outcome"] for each in test["cells"]] == ["passed", "passed"]
    assert [each["replayed"] for each in test["cells"]] == [1, 0]
    changed = {each["what"] for each in test["differences"]}
    assert changed == {"prompt", "response", "parsed output", "cost"}
    assert files(upgrade) == before
    assert CANARY not in done.stdout + done.stderr
