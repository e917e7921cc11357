"""Files and environment change while a program runs: the next activation knows."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import ProfileError, ProfileWarning, lm, profile, resolve
from dspy_profiles.activation import _cache as prepared
from dspy_profiles.activation import _watch as watch


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    return clock


def mock(model: str, more: str = "") -> str:
    return f'[p.provider]\nclass = "mock"\n[p.lm]\nmodel = "{model}"\n{more}'


def model() -> str:
    with profile("p"):
        name: str = dspy.settings.lm.model
        return name


def test_an_edited_file_is_seen_at_the_next_activation(write: Any, project: Path) -> None:
    write(project / "profiles.toml", mock("one"))
    assert model() == "one"
    write(project / "profiles.toml", mock("two"))
    assert model() == "two"


def test_a_replaced_file_is_seen_at_the_next_activation(write: Any, project: Path) -> None:
    file = write(project / "profiles.toml", mock("one")) or project / "profiles.toml"
    assert model() == "one"
    write(project / "new.toml", mock("two"))
    (project / "new.toml").replace(project / "profiles.toml")
    assert model() == "two"
    assert file is not None


def test_a_nearer_file_that_newly_appears_is_seen_within_a_second(
    write: Any, project: Path, clock: Clock
) -> None:
    write(project / "profiles.toml", mock("far"))
    inner = project / "inner"
    inner.mkdir()
    os.chdir(inner)
    assert model() == "far"
    write(inner / "profiles.toml", mock("near"))
    clock.now += 1.01
    assert model() == "near"


def test_a_layer_that_comes_to_have_a_say_is_seen_at_the_next_activation(
    write: Any, project: Path, home: Path
) -> None:
    write(home / ".dspy" / "profiles.toml", mock("users"))
    write(project / "profiles.toml", "[other]\n")
    assert model() == "users"
    write(project / "profiles.toml", mock("projects"))
    assert model() == "projects"
    write(home / ".dspy" / "profiles.toml", mock("users, changed"))
    assert model() == "projects"
    write(project / "profiles.toml", '[p]\nextends = "p"\n')
    assert model() == "users, changed"
    write(home / ".dspy" / "profiles.toml", mock("users, again"))
    assert model() == "users, again"


def test_another_working_directory_is_another_project(write: Any, project: Path) -> None:
    for name in ("a", "b"):
        write(project / name / "profiles.toml", mock(name))
    os.chdir(project / "a")
    assert model() == "a"
    os.chdir(project / "b")
    assert model() == "b"


def test_a_changed_variable_counts_at_once(
    write: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "profiles.toml", mock("${MODEL_NAME}"))
    monkeypatch.setenv("MODEL_NAME", "one")
    assert model() == "one"
    monkeypatch.setenv("MODEL_NAME", "two")
    assert model() == "two"


def test_a_changed_dspy_profile_counts_at_once(
    write: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "profiles.toml", mock("one") + '[q]\nextends = "p"\n[q.lm]\nmodel = "two"\n')
    for name, expected in (("p", "one"), ("q", "two")):
        monkeypatch.setenv("DSPY_PROFILE", name)
        with profile():
            assert dspy.settings.lm.model == expected


def test_env_files_and_settings_are_followed_within_a_second(
    write: Any, project: Path, clock: Clock
) -> None:
    write(project / "profiles.toml", mock("${MODEL_NAME}"))
    write(project / ".env", "MODEL_NAME=one")
    assert model() == "one"
    write(project / ".env", "MODEL_NAME=two-now")
    clock.now += 1.01
    assert model() == "two-now"
    write(project / "other.env", "MODEL_NAME=three")
    write(project / "pyproject.toml", '[tool.dspy-profiles]\nenv-file = "other.env"\n')
    clock.now += 1.01
    assert model() == "three"


def test_a_secret_file_that_changes_makes_another_lm(
    write: Any, project: Path, clock: Clock
) -> None:
    write(project / "key", "sk-first")
    text = f'[p.lm]\nmodel = "openai/x"\napi_key = "file:{project / "key"}"\n'
    write(project / "profiles.toml", text)
    first = lm("p")
    assert first.kwargs["api_key"] == "sk-first"
    assert lm("p") is first
    write(project / "key", "sk-second-one")
    clock.now += 1.01
    assert lm("p").kwargs["api_key"] == "sk-second-one"


def test_a_file_broken_meanwhile_keeps_the_last_good_one_with_one_warning(
    write: Any, project: Path
) -> None:
    write(project / "profiles.toml", mock("good"))
    assert model() == "good"
    write(project / "profiles.toml", "[p\n")
    with pytest.warns(ProfileWarning, match="stays as it was") as told:
        assert model() == "good"
        assert model() == "good"
    assert len(told) == 1
    assert "profiles.toml:1" in str(told[0].message)
    assert told[0].filename == __file__
    write(project / "profiles.toml", mock("mended"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model() == "mended"


@pytest.mark.parametrize(
    "fault", ["[p.lmm]\n", '[p.settings]\nnum_thread = "x"\n', "[p]\nlm = 3\n"]
)
def test_a_profile_made_invalid_meanwhile_stays_as_it_was(
    write: Any, project: Path, fault: str
) -> None:
    write(project / "profiles.toml", mock("good"))
    assert model() == "good"
    write(project / "profiles.toml", fault)
    with pytest.warns(ProfileWarning):
        assert model() == "good"


def test_a_profile_that_is_gone_is_gone(write: Any, project: Path) -> None:
    write(project / "profiles.toml", mock("good"))
    assert model() == "good"
    write(project / "profiles.toml", "")
    with pytest.raises(ProfileError, match='profile "p" not found'):
        model()


def test_a_file_that_is_gone_is_gone(write: Any, project: Path) -> None:
    write(project / "profiles.toml", mock("good"))
    assert model() == "good"
    (project / "profiles.toml").unlink()
    with pytest.raises(ProfileError, match='profile "p" not found'):
        model()


def test_an_environment_that_is_kept_in_another_way_is_asked_in_the_usual_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "environ", {"NAME": "value"})
        spell, look_up = watch._raw_environment()
        assert look_up(spell("NAME")) == "value"


@pytest.mark.parametrize(("then", "expected"), [("two", "two"), (None, "one")])
def test_a_file_that_is_empty_for_a_moment_is_looked_at_again(
    write: Any, project: Path, monkeypatch: pytest.MonkeyPatch, then: str | None, expected: str
) -> None:
    class Editor:
        """It empties the file, and writes it while somebody waits for it."""

        def sleep(self, _: float) -> None:
            write(project / "profiles.toml", mock(then) if then else "[half\n")

    write(project / "profiles.toml", mock("one"))
    assert model() == "one"
    monkeypatch.setattr(prepared, "time", Editor())
    write(project / "profiles.toml", "")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert model() == expected
    assert bool(told) is (then is None)


def test_what_was_not_used_for_long_is_made_anew(
    write: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "profiles.toml", mock("one") + '[q]\nextends = "p"\n[r]\nextends = "p"\n')
    monkeypatch.setattr(prepared, "KEPT", 2)
    first = prepared.CACHE.get("p", {})
    for name in ("q", "r"):
        prepared.CACHE.get(name, {})
    again = prepared.CACHE.get("p", {})
    assert again is not first
    assert prepared.CACHE.get("p", {}) is again
    assert again.values["lm"] is first.values["lm"]


def test_a_file_that_is_broken_from_the_start_is_an_error(write: Any, project: Path) -> None:
    write(project / "profiles.toml", "[p\n")
    with pytest.raises(ProfileError, match=r"profiles.toml:1"):
        model()


def test_nothing_is_half_activated_when_building_fails(write: Any, project: Path) -> None:
    text = '[p.settings]\nnum_threads = 3\n[p.lm]\nmodel = "openai/x"\napi_key = "${NOT_THERE}"\n'
    write(project / "profiles.toml", text)
    before = dict(dspy.settings.config)
    with pytest.raises(ProfileError, match="NOT_THERE"):
        model()
    assert dict(dspy.settings.config) == before


def test_an_unchanged_file_is_not_read_again(
    write: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "profiles.toml", mock("one"))
    assert model() == "one"
    monkeypatch.setattr(
        "dspy_profiles.config._document.read_toml", lambda path: pytest.fail(f"read {path}")
    )
    assert model() == "one"


def test_dspy_profile_in_an_env_file_names_the_profile_each_time(
    write: Any, project: Path, clock: Clock
) -> None:
    write(project / "profiles.toml", mock("one") + '[q]\nextends = "p"\n[q.lm]\nmodel = "two"\n')
    write(project / ".env", "DSPY_PROFILE=q\nDSPY_PROFILE_FORCE=1\nDSPY_PROFILES_PATH=/elsewhere\n")
    for _ in range(2):
        assert resolve().name == "q"
        with profile() as active:
            assert (active.name, active.reason) == ("q", "from DSPY_PROFILE in .env")
        with profile("p") as active:
            assert active.name == "p"
    write(project / ".env", "DSPY_PROFILE=p")
    clock.now += 1.01
    with profile() as active:
        assert active.name == "p"
    assert "DSPY_PROFILE" not in os.environ


def test_a_working_directory_that_is_gone_leaves_the_last_good_one_in_force(
    write: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPY_PROFILES_PATH", str(write(project / "profiles.toml", mock("one"))))
    gone = project / "gone"
    gone.mkdir()
    os.chdir(gone)
    assert model() == "one"
    gone.rmdir()
    with pytest.warns(ProfileWarning, match="working directory does not exist"):
        assert model() == "one"
