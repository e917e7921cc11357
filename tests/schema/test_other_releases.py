"""Real releases of DSPy beside the installed one, each in a folder of its own, none imported."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.schema import check
from dspy_profiles.schema._describe import describe

pytestmark = pytest.mark.slow


def oldest_allowed() -> Any:
    for folder in Path(__file__).parents:
        if (folder / "pyproject.toml").exists():
            project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
            (wanted,) = (d for d in project["project"]["dependencies"] if d.startswith("dspy"))
            found = re.search(r">=([\d.]+)", wanted)
            assert found is not None
            version = found[1]
            return version + ".0" * (2 - version.count("."))
    return pytest.fail("no pyproject.toml above the tests")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Describe a release by its number."""
    made = {}

    def described(version: Any) -> Any:
        if version not in made:
            made[version] = describe(install(version, tmp_path_factory.mktemp("release")))
        return made[version]

    return described


def install(version: Any, folder: Any) -> Any:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on PATH")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps"]
    done = subprocess.run(
        [*command, "--target", str(folder), f"dspy=={version}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"dspy {version} cannot be installed: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.parametrize("version", [oldest_allowed(), "3.2.1", "3.4.0"])
def test_another_release_is_read_whole(release: Any, version: Any) -> None:
    made = release(version)
    assert (made["version"], made["open"], made["settings_open"]) == (version, False, None)
    assert [n for n, c in made["classes"].items() if not c["read"]] == []
    assert {"dspy.LM", "dspy.Embedder", "dspy.ColBERTv2", "dspy.JSONAdapter"} <= {*made["classes"]}
    assert {"dspy.MIPROv2", "dspy.COPRO", "dspy.SIMBA"} <= {*made["optimizers"]}
    assert {"num_threads", "track_usage", "max_errors"} <= {*made["settings"]}


def test_what_is_good_for_the_oldest_is_good_for_the_installed(
    release: Any, installed: Any, profile: Any
) -> None:
    values = {
        "lm": {"model": "x/y", "temperature": 0.5, "num_retries": 2},
        "adapter": {"class": "dspy.ChatAdapter"},
        "settings": {"num_threads": 4, "track_usage": True},
    }
    oldest = release(oldest_allowed())
    assert check(profile(values), oldest) == []
    assert check(profile(values), installed) == []


def test_a_key_that_a_release_lacks_is_a_fault_there(release: Any, profile: Any) -> None:
    values = {"lm": {"model": "x", "engine": "lm15"}, "settings": {"interpreter_factory": "a.b"}}
    assert [f.key for f in check(profile(values), release("3.2.1"))] == [
        ("lm", "engine"),
        ("settings", "interpreter_factory"),
    ]
