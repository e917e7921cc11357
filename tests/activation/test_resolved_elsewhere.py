"""A resolved profile that another process made is activated here, with the secrets of here."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import current_profile, profile, resolve, with_profile
from dspy_profiles.errors import InvalidProfile, MissingSecret

PROFILES = """
    [prod.lm]
    model = "openai/gpt-4o"
    api_key = "${SOME_KEY}"
    temperature = 0.5
"""
ELSEWHERE = """
import pickle, sys
import dspy
from dspy_profiles import profile

resolved = pickle.loads(sys.stdin.buffer.read())
with profile(resolved, lm={"max_tokens": 7}) as p:
    lm = dspy.settings.lm
    print(p.name, lm.model, lm.kwargs["api_key"], lm.kwargs["temperature"], lm.kwargs["max_tokens"])
"""


def test_it_is_activated_in_a_process_without_its_file(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("profiles.toml", PROFILES)
    monkeypatch.setenv("SOME_KEY", "key-of-here")
    sent = pickle.dumps(resolve("prod"))
    assert b"key-of-here" not in sent
    environment = {**os.environ, "SOME_KEY": "key-of-there"}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=sent,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode() == "prod openai/gpt-4o key-of-there 0.5 7\n", done.stderr.decode()


def test_it_stays_as_it_was_resolved(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "k")
    write("profiles.toml", PROFILES)
    resolved = resolve("prod")
    write("profiles.toml", PROFILES.replace("0.5", "0.9"))
    with profile(resolved):
        assert dspy.settings.lm.kwargs["temperature"] == 0.5
        assert current_profile() == resolved
    with profile("prod"):
        assert dspy.settings.lm.kwargs["temperature"] == 0.9


def test_a_secret_that_is_missing_here_is_an_error(write: Any) -> None:
    write("profiles.toml", PROFILES)
    with pytest.raises(MissingSecret, match="SOME_KEY"), profile(resolve("prod")):
        pass


def test_wrong_overrides_are_refused_as_ever() -> None:
    with pytest.raises(InvalidProfile), profile(resolve("mock"), lm={"temperature": "hot"}):
        pass


def test_a_forced_session_goes_before_it(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write("profiles.toml", PROFILES)
    monkeypatch.setenv("DSPY_PROFILE", "mock")
    monkeypatch.setenv("DSPY_PROFILE_FORCE", "1")
    with profile(resolve("mock")), profile(resolve("mock", lm={"model": "other"})):
        assert dspy.settings.lm.model == "mock"


def test_it_decorates_functions_too() -> None:
    @with_profile(resolve("mock"))
    def model() -> str:
        return str(dspy.settings.lm.model)

    assert model() == "mock"
