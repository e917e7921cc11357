"""Which profile a name, or none, comes to."""

import os
from typing import Any

import pytest

from dspy_profiles import ProfileError, list_profiles, resolve
from dspy_profiles.errors import ProfileNotFound

FILE = """
[prod.lm]
model = "p"
[dev.lm]
model = "d"
[default.lm]
model = "x"
"""


@pytest.fixture
def setting(write: Any) -> Any:
    def given(value: Any) -> Any:
        return write("pyproject.toml", f'[tool.dspy-profiles]\ndefault = "{value}"\n')

    return given


def test_the_argument_wins_over_everything(write: Any, setting: Any) -> None:
    write("profiles.toml", FILE)
    setting("dev")
    os.environ["DSPY_PROFILE"] = "dev"
    found = resolve("prod")
    assert (found.name, found.reason) == ("prod", "from the argument")


def test_then_comes_dspy_profile(write: Any, setting: Any) -> None:
    write("profiles.toml", FILE)
    setting("prod")
    os.environ["DSPY_PROFILE"] = "dev"
    found = resolve()
    assert (found.name, found.reason) == ("dev", "from DSPY_PROFILE")


def test_then_the_setting_with_its_place(write: Any, setting: Any) -> None:
    write("profiles.toml", FILE)
    path = setting("dev")
    found = resolve()
    assert (found.name, found.reason) == ("dev", f"from the setting default, {path}:2")


def test_then_the_profile_called_default(write: Any) -> None:
    write("profiles.toml", FILE)
    found = resolve()
    assert (found.name, found.reason) == ("default", 'the profile called "default"')


def test_and_then_it_is_an_error_that_names_those_that_exist(write: Any) -> None:
    write("profiles.toml", "[prod]\n[dev]\n")
    with pytest.raises(ProfileNotFound, match="no default") as error:
        resolve()
    assert error.value.hint is not None
    assert "dev, prod, mock" in error.value.hint
    assert error.value.hint is not None
    assert "DSPY_PROFILE" in error.value.hint


def test_an_empty_dspy_profile_names_nothing(write: Any) -> None:
    write("profiles.toml", FILE)
    os.environ["DSPY_PROFILE"] = ""
    assert resolve().name == "default"


def test_an_empty_setting_names_nothing(write: Any, setting: Any) -> None:
    write("profiles.toml", FILE)
    setting("")
    assert resolve().name == "default"


@pytest.mark.parametrize("giver", ["argument", "variable", "setting"])
def test_an_unknown_name_lists_those_that_exist_whoever_gave_it(
    write: Any, setting: Any, giver: Any
) -> None:
    write("profiles.toml", FILE)
    if giver == "variable":
        os.environ["DSPY_PROFILE"] = "prd"
    if giver == "setting":
        setting("prd")
    with pytest.raises(ProfileNotFound, match='profile "prd" not found') as error:
        resolve("prd" if giver == "argument" else None)
    assert error.value.hint is not None
    assert 'did you mean "prod"?' in error.value.hint
    assert error.value.hint is not None
    assert "default, dev, prod, mock" in error.value.hint
    reasons = {"argument": "", "variable": "(from DSPY_PROFILE)", "setting": "pyproject.toml:2)"}
    assert error.value.message.endswith(reasons[giver])
    assert error.value.exit_code == 3


def test_an_unknown_name_never_falls_through_to_the_next_giver(write: Any) -> None:
    write("profiles.toml", FILE)
    os.environ["DSPY_PROFILE"] = "gone"
    with pytest.raises(ProfileNotFound):
        resolve()


@pytest.mark.parametrize("value", ["1", "true", "yes", "anything"])
def test_force_makes_every_name_the_sessions_and_drops_overrides(write: Any, value: Any) -> None:
    write("profiles.toml", FILE)
    os.environ |= {"DSPY_PROFILE": "dev", "DSPY_PROFILE_FORCE": value}
    found = resolve("prod", lm={"model": "other"})
    assert (found.name, found.lm["model"]) == ("dev", "d")
    assert found.reason == "from DSPY_PROFILE_FORCE"


@pytest.mark.parametrize("value", ["", "0", "false", "No", "OFF"])
def test_force_that_is_off_forces_nothing(write: Any, value: Any) -> None:
    write("profiles.toml", FILE)
    os.environ |= {"DSPY_PROFILE": "dev", "DSPY_PROFILE_FORCE": value}
    assert resolve("prod").name == "prod"


def test_force_without_a_session_says_what_to_set(write: Any) -> None:
    write("profiles.toml", FILE)
    os.environ["DSPY_PROFILE_FORCE"] = "1"
    with pytest.raises(ProfileNotFound, match="DSPY_PROFILE_FORCE") as error:
        resolve("prod")
    assert error.value.hint is not None
    assert "DSPY_PROFILE" in error.value.hint


def test_names_are_listed_sorted_over_all_layers_with_mock_last(home: Any, write: Any) -> None:
    write("profiles.toml", '"$schema" = "x"\n[b]\n["a.b"]\n')
    write(home / ".dspy/profiles.toml", "[a]\n[b]\n")
    assert list_profiles() == ["a", "a.b", "b", "mock"]


def test_mock_is_there_without_any_file(project: Any) -> None:
    found = resolve("mock")
    assert found.provider == {"class": "mock"}
    assert found.origin("provider.class").layer == "built-in"
    assert (found.files, found.place("provider")) == ((), "built-in")


def test_a_file_may_define_mock_anew(write: Any) -> None:
    write("profiles.toml", '[mock.lm]\nmodel = "m"\n')
    assert resolve("mock").values == {"lm": {"model": "m"}}
    assert list_profiles() == ["mock"]


def test_a_file_may_extend_the_mock_that_is_built_in(write: Any) -> None:
    write("profiles.toml", '[mock]\nextends = "mock"\n[mock.provider]\nlatency = 1.0\n')
    assert resolve("mock").provider == {"class": "mock", "latency": 1.0}


@pytest.mark.parametrize(
    "name", ["", " ", ".", "a.b", '"', "'", "ü", "two\nlines", "$schema", "\0"]
)
def test_a_weird_name_is_found_or_not_found(project: Any, name: Any) -> None:
    with pytest.raises(ProfileNotFound):
        resolve(name)


@pytest.mark.parametrize("name", ["", " ", ".", "a.b", '"', "'", "ü", "two\nlines", "[x]", "#"])
def test_a_profile_may_have_a_weird_name(write: Any, name: Any) -> None:
    quoted = '"' + name.replace('"', '\\"').replace("\n", "\\n") + '"'
    path = write("profiles.toml", f"\n[{quoted}.lm]\nmodel = 'm'\n")
    found = resolve(name)
    assert found.name == name
    assert str(found.origin("lm.model")) == f"{path}:2"


def test_every_error_here_is_a_profile_error() -> None:
    assert issubclass(ProfileNotFound, ProfileError)
