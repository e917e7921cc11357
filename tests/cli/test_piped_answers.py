"""Questions that no person answers: a pipe may, an empty input does not."""

import os
from typing import Any

import pytest
from typer.testing import CliRunner

from dspy_profiles.cli import app

FILE = '[k.lm]\nmodel = "a/b"\n'


@pytest.fixture
def profiles(write: Any) -> Any:
    return write("profiles.toml", FILE)


def test_delete_takes_a_yes_and_a_no(cli: Any, profiles: Any) -> None:
    done = cli("delete", "k", input="n\n")
    assert (done.code, "k is not deleted" in done.err, profiles.read_text()) == (1, True, FILE)
    done = cli("delete", "k", input="y\n")
    assert (done.code, profiles.read_text()) == (0, "")
    assert "Delete k from profiles.toml? [y/N]" in done.err


def test_a_runner_of_tests_may_answer_too(profiles: Any) -> None:
    assert CliRunner().invoke(app, ["delete", "k"], input="").exit_code == 2
    assert CliRunner().invoke(app, ["delete", "k"], input="y\n").exit_code == 0
    assert profiles.read_text() == ""


def test_init_and_secrets_move_take_their_answers(
    cli: Any, write: Any, project: Any, canary: str
) -> None:
    done = cli("init", input="dev\nmock\n")
    assert (done.code, cli("get", "dev", "provider.class").out) == (0, "mock\n"), done.err
    write("profiles.toml", f'[k.lm]\nmodel = "a/b"\napi_key = "{canary}"\n')
    assert cli("secrets", "move", input="y\n").code == 0
    assert canary in (project / ".env").read_text()


def test_answers_that_end_too_early_change_nothing(cli: Any, home: Any) -> None:
    done = cli("init", input="dev\n")
    assert (done.code, "nothing was changed" in done.err) == (130, True)
    assert not (home / ".dspy").exists()


@pytest.mark.parametrize("command", [["delete", "k"], ["init"]])
def test_an_empty_or_closed_input_answers_nothing(cli: Any, profiles: Any, command: Any) -> None:
    how: list[dict[str, Any]] = [{}, {"input": ""}]
    if os.name == "posix":
        how.append({"stdin": None, "preexec_fn": lambda: os.close(0)})
    for each in how:
        done = cli(*command, **each)
        assert (done.code, "cannot prompt without a terminal" in done.err) == (2, True)
    assert profiles.read_text() == FILE


def test_a_pipe_never_sends_a_secret(stranger: None, cli: Any, write: Any, canary: str) -> None:
    write(
        "profiles.toml",
        '[k.lm]\nmodel = "openai/b"\napi_key = "${KEY}"\napi_base = "http://127.0.0.1:9/v1"\n',
    )
    done = cli("doctor", "k", "--live", input="y\n", env={"KEY": canary})
    assert done.code == 1
    assert "not called: profiles.toml:4 sends" in done.out
