"""`config list`, `get`, `set`: the suite's own settings, and who gave each."""

from typing import Any

import pytest


def test_list_tells_value_and_origin(cli: Any, write: Any, home: Any) -> None:
    write(home / ".dspy/config.toml", 'default = "a"\nsecret-keys = ["pin"]\n')
    write("pyproject.toml", '[tool.dspy-profiles]\n\ndefault = "b"\n')
    env = {"DSPY_PROFILES_ENV_FILE": "x.env, y.env"}
    done = cli("config", "list", env=env)
    assert (done.code, done.err) == (0, "")
    found = {line[0]: line[1:3] for line in done.lines if line}
    assert found["default"] == ["b", "pyproject.toml:3"]
    assert found["env-file"] == ["x.env, y.env", "DSPY_PROFILES_ENV_FILE"]
    assert found["secret-keys"] == ["pin", "~/.dspy/config.toml:2"]
    assert found["not-secret"][0] == "built-in"
    settings = {one.pop("name"): one for one in cli("config", "list", "--json").json["settings"]}
    assert settings["secret-keys"]["value"] == ["pin"]
    assert settings["not-secret"] == {
        "value": [],
        "origin": "built-in",
        "env": "DSPY_PROFILES_NOT_SECRET",
        "help": "Keys that look like secrets but are not.",
    }


def test_the_environment_counts_for_the_default(cli: Any, write: Any) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "b"\n')
    payload = cli("config", "get", "default", "--json", env={"DSPY_PROFILE": "c"}).json
    assert (payload["name"], payload["value"], payload["origin"]) == (
        "default",
        "c",
        "DSPY_PROFILE",
    )


def test_get_prints_the_value_alone(cli: Any, write: Any) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nenv-file = ["a", "b c"]\n')
    assert cli("config", "get", "env-file").out == "a\nb c\n"
    done = cli("config", "get", "default")
    assert (done.code, done.out, done.err) == (0, "", "default is not set\n")
    assert cli("config", "get", "default", "--json").json["value"] is None


def test_set_goes_to_the_project_or_to_the_user(
    cli: Any, write: Any, home: Any, project: Any
) -> None:
    write("profiles.toml", "[p]\n")
    done = cli("config", "set", "default", "p")
    assert done.lines[0] == ["default = p", "~/.dspy/config.toml"]
    path = write("pyproject.toml", "# mine\n[project]\nname = 'x'\n")
    assert cli("config", "set", "not_secret", "a", "b,c").code == 0
    assert path.read_text() == (
        '# mine\n[project]\nname = \'x\'\n\n[tool.dspy-profiles]\nnot-secret = ["a", "b", "c"]\n'
    )
    assert cli("config", "get", "not-secret").out == "a\nb\nc\n"
    assert cli("config", "set", "not-secret", '["x, y"]', "--project").code == 0
    assert cli("config", "get", "not-secret").out == "x, y\n"
    done = cli("config", "set", "not-secret", "z", "--user")
    assert done.code == 0
    assert "pyproject.toml:6 overrides it with x, y" in done.err
    assert (home / ".dspy/config.toml").read_text() == 'default = "p"\nnot-secret = ["z"]\n'


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "defualt"], 3, 'did you mean "default"'),
        (["set", "defualt", "x"], 3, 'did you mean "default"'),
        (["set", "default", "nope"], 3, 'profile "nope" not found'),
        (["set", "default", "mock", "mock"], 4, "takes one value"),
        (["set", "default", ""], 4, "must not be empty"),
        (["set", "env-file", "[1]"], 4, "takes strings"),
        (["set", "budget", "x"], 4, '"x" is not a budget'),
        (["set", "env-file"], 2, "Missing argument"),
        (["set", "env-file", "x", "--project"], 4, "pyproject.toml not found"),
        (["set", "env-file", "x", "--project", "--user"], 2, "exclude each other"),
    ],
)
def test_what_cannot_be_is_refused(cli: Any, home: Any, words: Any, code: Any, said: Any) -> None:
    done = cli("config", *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert not (home / ".dspy").exists()


def test_a_broken_file_is_never_written_to(cli: Any, write: Any) -> None:
    path = write("pyproject.toml", "[tool.dspy-profiles\n")
    for words in (["list"], ["get", "default"], ["set", "env-file", "x"]):
        done = cli("config", *words)
        assert (done.code, done.out) == (4, "")
        assert "pyproject.toml:1" in done.err
    assert path.read_text() == "[tool.dspy-profiles\n"
    path.write_text("[tool.dspy-profiles]\nnonsense = 1\n")
    assert cli("config", "list").code == 4


def test_a_budget_that_a_file_has_wrong_is_an_error_of_validate_and_can_be_mended(
    quick: Any, write: Any
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nbudget = "x"\n')
    done = quick("validate")
    assert done.code == 4
    assert 'pyproject.toml:2: error: "x" is not a budget' in done.out
    assert quick("list").code == 4
    assert quick("config", "set", "budget", "calls=3").code == 0
    assert quick("validate").code == 0


def test_a_password_in_the_address_of_a_store_is_neither_shown_nor_written(
    cli: Any, write: Any, canary: str
) -> None:
    url = f"postgresql://you:{canary}@host/database"
    file = write("pyproject.toml", f'[tool.dspy-profiles]\nstore = "{url}"\n')
    for words in (["list"], ["get", "store"], ["get", "store", "--json"], ["list", "--json"]):
        done = cli("config", *words)
        assert done.code == 0
        assert "postgresql://you:********@host/database" in done.out
    file.write_text("")
    done = cli("config", "set", "store", url)
    assert done.code == 5
    assert "use a reference" in done.err
    assert file.read_text() == ""
    assert cli("config", "set", "store", url.replace(canary, "${PGPASSWORD}")).code == 0
    assert "${PGPASSWORD}" in cli("config", "get", "store").out
