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
IN_TOML = re.compile(rb"^\s*(live|budget|report)\s*=", re.MULTILINE)


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
    here = config.invocation_params.dir
    home = Path(os.environ.get("HOME") or Path.home())
    user = [
        home / ".dspy/config.toml",
        Path(os.environ.get("XDG_CONFIG_HOME", "")) / "dspy/config.toml",
    ]
    return [*user, *(folder / "pyproject.toml" for folder in (here, *here.parents))]


def _says_something(path: Path) -> bool:
    """Whether it may hold a setting that takes effect; the core then reads it properly."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    is_ours = path.name == "config.toml" or b"dspy-profiles" in text
    return is_ours and IN_TOML.search(text) is not None
