"""Commands that installed packages add."""

from typing import Any

import pytest

ENTRY = "[dspy_profiles]\nhouse = house_commands\n"
METADATA = "Metadata-Version: 2.1\nName: house\nVersion: 1.0\n"
PLUGIN = '''
import typer
from dspy_profiles.errors import ProfileNotFound
from dspy_profiles.plugins import hookimpl

remote = typer.Typer(help="Profiles of the team.")

@remote.command()
def push(name: str, times: int = 1):
    """Push a profile."""
    print("pushed", name, times)

@remote.command()
def pull():
    """Pull them."""
    raise ProfileNotFound("there is none", hint="push one")

def greet(name: str, *, loud: bool = False):
    """Greet somebody."""
    print(name.upper() if loud else name)

@hookimpl
def dspy_profiles_commands():
    return {"remote": remote, "greet": "house_commands:greet", "list": greet}
'''


@pytest.fixture
def install(write: Any, project: Any) -> Any:
    """Put a package with this plugin where Python finds it; what makes a process see it."""

    def install(text: str) -> dict[str, str]:
        write("house/house_commands.py", text)
        write("house/house-1.0.dist-info/entry_points.txt", ENTRY)
        write("house/house-1.0.dist-info/METADATA", METADATA)
        return {"PYTHONPATH": str(project / "house")}

    return install


def test_a_typer_app_is_a_group_and_a_function_a_command(cli: Any, install: Any) -> None:
    env = install(PLUGIN)
    assert cli("remote", "push", "prod", "--times", "2", env=env).out == "pushed prod 2\n"
    assert cli("greet", "you", "--loud", env=env).out == "YOU\n"


def test_they_stand_in_the_help_behind_ours(cli: Any, install: Any) -> None:
    shown = cli("--help", env=install(PLUGIN)).out
    assert shown.index("demo") < shown.index("greet") < shown.index("remote")
    assert "Profiles of the team." in shown
    assert "Greet somebody." in shown


def test_a_command_of_ours_stays_ours(cli: Any, install: Any) -> None:
    assert "mock" in cli("list", env=install(PLUGIN)).out


def test_an_error_of_ours_that_they_raise_is_shown_like_ours(cli: Any, install: Any) -> None:
    done = cli("remote", "pull", env=install(PLUGIN))
    assert (done.code, done.out) == (3, "")
    assert done.err == "error: there is none\n  hint: push one\n"


def test_a_misspelt_command_is_told_with_the_nearest(cli: Any, install: Any) -> None:
    done = cli("remot", env=install(PLUGIN))
    assert done.code == 2
    assert "remote" in done.err


@pytest.mark.parametrize("given", ["3", "'house_commands:nobody'", "'no_such_module:app'"])
def test_a_broken_one_is_told_and_keeps_no_other_back(cli: Any, install: Any, given: Any) -> None:
    env = install(PLUGIN.replace('"house_commands:greet"', given))
    shown = cli("--help", env=env)
    assert shown.code == 0
    assert "warning: " in shown.err
    assert "remote" in shown.out
    assert "greet" not in shown.out
    done = cli("greet", "you", env=env)
    assert done.code == 4
    assert done.err.startswith("error: ")


def test_a_plugin_that_cannot_be_loaded_leaves_our_commands(cli: Any, install: Any) -> None:
    env = install("raise RuntimeError('out of order')")
    shown = cli("--help", env=env)
    assert shown.code == 0
    assert "out of order" in shown.err
    assert "mock" in cli("list", env=env).out
    assert "out of order" in cli("remote", env=env).err


def test_our_own_commands_wait_for_no_plugin(cli: Any, install: Any, project: Any) -> None:
    env = install("import pathlib; pathlib.Path('asked').touch()")
    assert cli("list", env=env).code == 0
    assert not (project / "asked").exists()
