"""Names of secrets that are new in this release: masked and warned about, not refused."""

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles import ProfileWarning, profile
from dspy_profiles.errors import PlaintextSecret
from dspy_profiles.profiles import fetch, resolve
from dspy_profiles.secrets import Names, Secret, load_env_files, redact, remember_environment
from dspy_profiles.secrets._names import NEW_SECRET_KEYS

SK = "sk-canary-0123456789"
KEYS = [pattern.replace("*", "my_") for pattern in NEW_SECRET_KEYS]
SPELLED = ["OPENAI_KEY", "anthropicKey", "Ocp-Apim-Subscription-Key", "vertex_credentials"]


@pytest.mark.parametrize("key", [*KEYS, *SPELLED])
def test_plaintext_under_a_new_name_is_masked_and_warned_about(write: Any, key: str) -> None:
    path = write("profiles.toml", f'[p.lm]\nmodel = "m"\n{key} = "{SK}"\n')
    with pytest.warns(ProfileWarning) as caught:
        found = resolve("p")
    assert [str(one.message).splitlines() for one in caught] == [
        [
            f'profile "p": lm.{key} is a plaintext secret; the next release refuses it',
            f"  at {path}:3",
            f"  hint: run dspy-profiles secrets move, or add {key} to not-secret",
        ]
    ]
    assert isinstance(found.lm[key], Secret)
    assert found.lm[key].reveal() == SK
    assert SK not in repr(found) + redact(SK)


def test_a_fallback_under_a_new_name_is_masked_and_used(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("profiles.toml", f'[p.lm]\njwt = "${{MINE:-{SK}}}"\n')
    with pytest.warns(ProfileWarning, match="jwt"):
        found = resolve("p")
    assert fetch(found, "lm")["lm"]["jwt"].reveal() == SK
    assert SK not in redact(f"{found.lm['jwt']} {SK}")
    monkeypatch.setenv("MINE", "another-one-0123")
    assert fetch(found, "lm")["lm"]["jwt"].reveal() == "another-one-0123"


def test_each_place_is_warned_about_once(write: Any) -> None:
    write("profiles.toml", f'[p.lm]\njwt = "{SK}"\n[q]\nextends = "p"\n')
    with pytest.warns(ProfileWarning, match="jwt") as caught:
        for name in ("p", "q", "p"):
            resolve(name)
    assert len(caught) == 1


@pytest.mark.parametrize("key", KEYS)
def test_a_reference_under_a_new_name_is_a_secret(
    write: Any, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MINE", SK)
    write("profiles.toml", f'[p.lm]\n{key} = "${{MINE}}"\n')
    assert isinstance(fetch(resolve("p"), "lm")["lm"][key], Secret)
    assert redact(SK) == "${MINE}"


@pytest.mark.parametrize(
    "key",
    [
        "prompt_cache_key",
        "public_key",
        "langfuse_public_key",
        "my_key",
        "key",
        "sort_key",
        "primary_key",
        "keyboard",
        "access_key_id",
        "credentials_file",
        "cookies_enabled",
        "pwd_path",
    ],
)
def test_a_name_that_is_only_alike_is_not_secret(write: Any, key: str) -> None:
    write("profiles.toml", f'[p.lm]\n{key} = "a plain value"\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve("p").lm[key] == "a plain value"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/gcp",
        "~/gcp",
        "./gcp",
        "../gcp",
        "gcp.json",
        "${HOME}/gcp",
        "C:\\\\gcp",
        "keys/gcp.json",
    ],
)
@pytest.mark.parametrize("key", ["credentials", "vertex_credentials", "pwd"])
def test_a_path_is_not_a_secret(write: Any, key: str, path: str) -> None:
    write("profiles.toml", f'[p.lm]\n{key} = "{path}"\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = resolve("p")
    assert not isinstance(found.lm[key], Secret)
    assert found.secret_keys == frozenset()


def test_a_path_under_a_name_that_is_refused_today_stays_refused(write: Any) -> None:
    write("profiles.toml", '[p.lm]\napi_key = "/etc/not-a-path-but-a-key"\n')
    with pytest.raises(PlaintextSecret):
        resolve("p")


def test_the_working_directory_of_a_shell_stays_readable(
    write: Any, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setenv("PWD", str(project))
    monkeypatch.setenv("MYSQL_PWD", SK)
    write("profiles.toml", '[p.lm]\nfolder = "${PWD}/data"\n')
    remember_environment(Names())
    assert fetch(resolve("p"), "lm")["lm"]["folder"] == f"{project}/data"
    assert redact(f"{project} {SK}") == f"{project} ${{MYSQL_PWD}}"


def test_a_new_name_of_secret_keys_is_refused(write: Any) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nsecret-keys = ["jwt"]\n')
    write("profiles.toml", f'[p.lm]\njwt = "{SK}"\n')
    with pytest.raises(PlaintextSecret):
        resolve("p")


def test_not_secret_takes_a_new_name_from_the_list(write: Any) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nnot-secret = ["jwt"]\n')
    write("profiles.toml", '[p.lm]\njwt = "plain"\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve("p").lm["jwt"] == "plain"


def test_a_profile_with_tolerated_plaintext_works(write: Any) -> None:
    write("profiles.toml", f'[p]\nextends = "mock"\nenv.OPENAI_KEY = "{SK}"\n')
    with pytest.warns(ProfileWarning), profile("p"):
        assert os.environ["OPENAI_KEY"] == SK


def test_keys_of_env_files_under_new_names_are_masked(write: Any, project: Path) -> None:
    write(".env", f"OPENAI_KEY={SK}\n")
    load_env_files([project / ".env"], lambda _: True)
    remember_environment(Names())
    assert redact(SK) == "${OPENAI_KEY}"


def test_run_gives_tolerated_plaintext_to_the_program(write: Any, project: Path) -> None:
    import subprocess
    import sys

    write("profiles.toml", f'[p]\nextends = "mock"\nenv.OPENAI_KEY = "{SK}"\n')
    write("a.py", "import os, dspy\nprint(len(os.environ['OPENAI_KEY']), dspy.settings.lm.model)")
    done = subprocess.run(
        [sys.executable, "-m", "dspy_profiles", "run", "-p", "p", "a.py"],
        capture_output=True,
        text=True,
        check=True,
        cwd=project,
    )
    assert done.stdout == "20 mock\n"
    assert done.stderr.count("env.OPENAI_KEY is a plaintext secret") == 1
    assert SK not in done.stderr
