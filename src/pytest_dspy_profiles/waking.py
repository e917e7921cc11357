"""Whether anybody wants a profile, told without the core; and the way to the suite."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_dspy_profiles.options import FORCE, OPTIONS

if TYPE_CHECKING:
    from pytest_dspy_profiles.suite import Suite

__all__ = ["is_asked_for", "is_awake", "is_wanted", "suite", "wake"]

NAME = "dspy_profiles_suite"
MARKS = ("dspy_profile", "dspy_budget")
FIXTURES = frozenset({"dspy_profile", "dspy_lm", "dspy_usage", "dspy_mock"})
# What takes effect by itself; the others only say how.
WAKING = tuple(
    option for option in OPTIONS if option.setting in ("default", "live", "budget", "report")
)
IN_FILES = frozenset({"live", "budget", "report"})  # a default profile is none of pytest's
IN_TOML = re.compile(rb"\b(live|budget|report)\b")


def is_wanted(config: pytest.Config) -> bool:
    """Whether an option, the ini file, the environment or the project's settings ask for us."""
    return (
        any(config.getoption(option.flag) for option in WAKING)
        or any(config.getini(option.ini) for option in WAKING)
        or any(os.environ.get(option.env) for option in WAKING)
        or bool(config.getoption(FORCE.flag) or config.getini(FORCE.ini))
        or any(map(_says_something, _settings_files(config)))
    )


def is_asked_for(item: pytest.Item) -> bool:
    """Whether a test bears a mark of ours or uses one of our fixtures."""
    if not FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    return any(item.get_closest_marker(name) is not None for name in MARKS)


def is_awake(config: pytest.Config) -> bool:
    return config.pluginmanager.has_plugin(NAME)


def wake(config: pytest.Config) -> "Suite":
    """Take over. What is wrong with the profiles, the settings or the options is told here."""
    from pytest_dspy_profiles.suite import Suite

    made = Suite.of(config)
    config.pluginmanager.register(made, NAME)
    return made


def suite(config: pytest.Config) -> "Suite | None":
    """The suite, where it has taken over."""
    found: Suite | None = config.pluginmanager.get_plugin(NAME)
    return found


def _settings_files(config: pytest.Config) -> list[Path]:
    home, xdg = Path(os.path.expanduser("~")), Path(os.environ.get("XDG_CONFIG_HOME", ""))  # noqa: PTH111 - Path.home() raises
    user = [home / ".dspy/config.toml"] + [xdg / "dspy/config.toml"] * xdg.is_absolute()
    here = config.invocation_params.dir
    project = []
    for folder in (here, *here.parents):
        if folder == home:
            break
        project.append(folder / "pyproject.toml")
        if (folder / ".git").exists():
            break
    return [*user, *project]


def _says_something(path: Path) -> bool:
    """Whether it holds a setting that takes effect; the core then reads it properly."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    is_user = path.name == "config.toml"
    if not IN_TOML.search(text) or not (is_user or b"dspy-profiles" in text):
        return False
    import tomllib

    try:
        found = tomllib.loads(text.decode())
        table = found if is_user else found["tool"]["dspy-profiles"]
        return not IN_FILES.isdisjoint(table)
    except (KeyError, TypeError):
        return False
    except ValueError:
        return True  # it is broken: the core says so
