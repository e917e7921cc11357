"""Suite settings: who gives a value, who wins, and what is said about a wrong one."""

import os
from typing import Any

import pytest

from dspy_profiles.config import SETTINGS
from dspy_profiles.config import _locations as locations
from dspy_profiles.config import _settings as settings
from dspy_profiles.errors import InvalidFile
from dspy_profiles.profiles import Scene


def load(**givers: Any) -> Any:
    return settings.load_settings(locations.find_locations(), **givers)


def given(name: Any, **givers: Any) -> Any:
    return load(**givers).values[name]


def test_without_any_giver_every_setting_is_built_in(project: Any) -> None:
    loaded = load()
    assert {value.origin for value in loaded.values.values()} == {"built-in"}
    assert not loaded.is_given("default")
    assert loaded.text("default") is None
    assert loaded.texts("env-file") == ()


def test_each_giver_wins_over_the_one_before(home: Any, project: Any, write: Any) -> None:
    assert given("secret-keys").value == ()
    write(home / ".dspy/config.toml", 'secret-keys = "user"\n')
    assert given("secret-keys").value == ("user",)
    write("pyproject.toml", '[tool.dspy-profiles]\nsecret-keys = ["project"]\n')
    assert given("secret-keys").value == ("project",)
    os.environ["DSPY_PROFILES_SECRET_KEYS"] = "one, two"
    assert given("secret-keys").value == ("one", "two")


def test_pytests_ini_lies_below_the_environment_and_its_options_above(
    project: Any, write: Any
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nlive = "allow"\n')
    assert given("live", ini={"live": "block"}).value == "block"
    os.environ["DSPY_PROFILES_LIVE"] = "allow"
    assert given("live", ini={"live": "block"}).value == "allow"
    assert given("live", ini={"live": "allow"}, flags={"live": "block"}).value == "block"


def test_a_setting_of_two_choices_takes_no_third(project: Any, write: Any) -> None:
    write("pyproject.toml", "[tool.dspy-profiles]\nisolation = false\n")
    assert given("isolation").value == "false"
    path = write("pyproject.toml", '[tool.dspy-profiles]\nlive = "blok"\n')
    with pytest.raises(InvalidFile, match="allow or block") as raised:
        load()
    assert str(raised.value.where) == f"{path}:2"
    assert raised.value.hint == 'did you mean "block"?'
    os.environ["DSPY_PROFILES_MISSING_SECRETS"] = "ignore"
    write("pyproject.toml", "")
    with pytest.raises(InvalidFile, match="DSPY_PROFILES_MISSING_SECRETS"):
        load()


def test_a_budget_that_cannot_be_kept_is_told_with_whoever_gave_it(
    home: Any, project: Any, write: Any
) -> None:
    path = write("pyproject.toml", '[tool.dspy-profiles]\nbudget = "calls=5"\n')
    assert given("budget").value == "calls=5"
    path.write_text('[tool.dspy-profiles]\n\nbudget = "usd=0.5,cals=1"\n')
    with pytest.raises(InvalidFile, match='unknown kind of budget "cals"') as raised:
        load()
    assert str(raised.value.where) == f"{path}:3"
    assert raised.value.hint == 'did you mean "calls"?'
    path.unlink()
    os.environ["DSPY_PROFILES_BUDGET"] = "x"
    with pytest.raises(InvalidFile, match='"x" is not a budget') as raised:
        load()
    assert raised.value.where == "DSPY_PROFILES_BUDGET"


def test_each_value_says_who_gave_it(home: Any, project: Any, write: Any) -> None:
    config = write(home / ".dspy/config.toml", '\ndefault = "user"\n')
    pyproject = write("pyproject.toml", '[tool.dspy-profiles]\nnot-secret = "x"\n')
    os.environ["DSPY_PROFILES_ENV_FILE"] = ".env.ci"
    loaded = load(ini={"budget": "calls=1"}, flags={"live": "block"})
    assert loaded.values["default"].origin == f"{config}:1"
    assert loaded.values["not-secret"].origin == f"{pyproject}:2"
    assert loaded.values["env-file"].origin == "DSPY_PROFILES_ENV_FILE"
    assert loaded.values["budget"].origin == "dspy_budget"
    assert loaded.values["live"].origin == "--dspy-live"


def test_a_setting_that_is_left_out_keeps_what_a_lower_giver_said(
    home: Any, project: Any, write: Any
) -> None:
    write(home / ".dspy/config.toml", 'default = "user"\n')
    write("pyproject.toml", "[tool.dspy-profiles]\nnot-secret = []\n")
    assert load().text("default") == "user"


def test_the_nearest_pyproject_that_has_the_table_counts(
    project: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "outer"\n')
    write("a/pyproject.toml", '[project]\nname = "a"\n')
    (project / "a/b").mkdir()
    monkeypatch.chdir(project / "a/b")
    assert load().text("default") == "outer"
    write("a/b/pyproject.toml", "[tool.dspy-profiles]\n")
    assert load().text("default") is None


def test_a_pyproject_beyond_the_repository_does_not_count(
    project: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "outer"\n')
    (project / "inner/.git").mkdir(parents=True)
    monkeypatch.chdir(project / "inner")
    assert load().text("default") is None


def test_the_profile_variable_is_no_setting(project: Any) -> None:
    os.environ["DSPY_PROFILE"] = "x"
    assert not load().is_given("default")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("default = 3", "default must be a string"),
        ('default = ["a"]', "default must be a string"),
        ("env-file = 3", "a string or a list of strings"),
        ('env-file = ["a", 3]', "a string or a list of strings"),
        ("secret-keys = { a = 1 }", "a string or a list of strings"),
    ],
)
def test_a_wrong_type_is_told_with_its_line(
    project: Any, write: Any, line: Any, expected: Any
) -> None:
    path = write("pyproject.toml", f"[tool.dspy-profiles]\n\n{line}\n")
    with pytest.raises(InvalidFile, match=expected) as error:
        load()
    assert str(error.value.where) == f"{path}:3"


def test_an_unknown_key_is_told_with_its_line_and_the_nearest(
    home: Any, project: Any, write: Any
) -> None:
    path = write(home / ".dspy/config.toml", '# mine\nsecret-key = "x"\n')
    with pytest.raises(InvalidFile, match='unknown setting "secret-key"') as error:
        load()
    assert str(error.value.where) == f"{path}:2"
    assert error.value.hint == 'did you mean "secret-keys"?'


def test_an_unknown_key_that_is_near_to_none_lists_them_all(project: Any, write: Any) -> None:
    write("pyproject.toml", "[tool.dspy-profiles]\nqqq = 1\n")
    with pytest.raises(InvalidFile) as error:
        load()
    assert error.value.hint is not None
    assert all(name in error.value.hint for name in ("default", "env-file", "not-secret"))


def test_a_table_that_is_none_is_told_with_its_line(project: Any, write: Any) -> None:
    path = write("pyproject.toml", "[tool]\ndspy-profiles = 3\n")
    with pytest.raises(InvalidFile, match="not a table") as error:
        load()
    assert str(error.value.where) == f"{path}:2"


def test_a_pyproject_that_is_no_toml_is_told_with_its_line(project: Any, write: Any) -> None:
    path = write("pyproject.toml", "[tool.dspy-profiles]\ndefault = \n")
    with pytest.raises(InvalidFile) as error:
        load()
    assert str(error.value.where) == f"{path}:2"


def test_relative_env_files_start_at_the_folder_of_the_file_that_names_them(
    home: Any, project: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    write("pyproject.toml", '[tool.dspy-profiles]\nenv-file = ["ci/.env", "~/own.env", "/x"]\n')
    assert list(map(str, Scene.now().env_files)) == [
        f"{project}/ci/.env",
        f"{home}/own.env",
        "/x",
    ]
    os.environ["DSPY_PROFILES_ENV_FILE"] = "here.env"
    assert Scene.now().env_files == (project / "sub/here.env",)


def test_one_string_is_a_list_of_one_and_an_empty_list_is_none_at_all(
    project: Any, write: Any
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nenv-file = "a.env"\n')
    assert Scene.now().env_files == (project / "a.env",)
    write("pyproject.toml", "[tool.dspy-profiles]\nenv-file = []\n")
    assert Scene.now().env_files == ()


def test_a_list_from_the_environment_has_no_empty_members(project: Any) -> None:
    os.environ["DSPY_PROFILES_ENV_FILE"] = "a.env,, b.env ,"
    assert Scene.now().env_files == (project / "a.env", project / "b.env")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("profile", "default"),  # its flag
        ("dspy_profile", "default"),  # its ini key
        ("DSPY_PROFILES_CASSETTE_DIR", "cassette-dir"),
        ("cassette_dir", "cassette-dir"),
        ("--store", "store"),
    ],
)
def test_what_a_setting_is_called_elsewhere_leads_to_its_name(
    project: Any, write: Any, written: Any, meant: Any
) -> None:
    write("pyproject.toml", f'[tool.dspy-profiles]\n"{written}" = "x"\n')
    with pytest.raises(InvalidFile, match="unknown setting") as error:
        load()
    assert error.value.hint == f'did you mean "{meant}"?'


def test_an_empty_variable_gives_nothing(project: Any, write: Any) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nenv-file = "a.env"\n')
    os.environ["DSPY_PROFILES_ENV_FILE"] = ""
    assert Scene.now().env_files == (project / "a.env",)


def test_an_env_file_of_somebody_who_does_not_exist_is_only_not_there(project: Any) -> None:
    os.environ["DSPY_PROFILES_ENV_FILE"] = "~no-such-user-here/.env"
    assert Scene.now().env_files == (project / "~no-such-user-here/.env",)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_has_one_name_in_every_place(setting: Any) -> None:
    if setting.name == "default":
        spelled = ("DSPY_PROFILE", "--profile", "--dspy-profile", "dspy_profile")
    else:
        snake = setting.name.replace("-", "_")
        spelled = (
            f"DSPY_PROFILES_{snake.upper()}",
            f"--{setting.name}",
            f"--dspy-{setting.name}",
            f"dspy_{snake}",
        )
    assert (setting.env, setting.flag, setting.pytest_flag, setting.ini) == spelled
