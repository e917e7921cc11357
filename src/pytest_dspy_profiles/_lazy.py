"""Whether anybody wants a profile, told without the core; and the way to the suite."""

import contextlib
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dspy_profiles import _packages
from pytest_dspy_profiles._options import FORCE, OPTIONS, OUTPUT

if TYPE_CHECKING:
    from pytest_dspy_profiles._session import Suite

__all__ = [
    "LazyStart",
    "is_awake",
    "is_wanted",
    "suite",
    "wake",
    "wake_for_marks",
]

NAME = "dspy_profiles_suite"
MARKS = ("dspy_profile", "dspy_cassette", "dspy_budget")
FIXTURES = frozenset({"dspy_profile", "dspy_lm", "dspy_usage", "dspy_mock"})
# What takes effect by itself; the others only say how.
IN_FILES = frozenset({"live", "budget", "cassettes", "report"})  # a default profile is none
IN_TOML = re.compile(rb"\b(live|budget|cassettes|report)\b")
STORE = next(option for option in OPTIONS if option.setting == "store")
WAKING = tuple(option for option in OPTIONS if option.setting in {*IN_FILES, "default"})


def is_wanted(config: pytest.Config) -> bool:
    """Whether an option, the ini file, the environment or the project's settings ask for us."""
    return (
        any(config.getoption(option.flag) for option in WAKING)
        or any(config.getini(option.ini) for option in WAKING)
        or any(os.environ.get(option.env) for option in WAKING)
        or bool(config.getoption(STORE.flag) or config.getini(STORE.ini))
        or bool(config.getoption(FORCE.flag) or config.getini(FORCE.ini))
        or any(map(_says_something, _settings_files(config)))
    )


def _somebody_asks(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """Whether a conftest chooses profiles, or a test bears a mark or uses a fixture of ours."""
    if config.hook.pytest_dspy_choose_profile.get_hookimpls():
        return True
    return any(map(_asks, items))


def _asks(item: pytest.Item) -> bool:
    if not FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    return any(item.get_closest_marker(name) is not None for name in MARKS)


class LazyStart:
    """While nobody has asked: looks at the tests that are left once others have chosen theirs."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_directory(self) -> Generator[None, Any, Any]:
        found = yield
        if isinstance(found, pytest.Package):
            _packages.bear_marks(found)
        return found

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if not is_awake(config) and _somebody_asks(config, items):
            _wake_for_tests(config, items)


def is_awake(config: pytest.Config) -> bool:
    return config.pluginmanager.has_plugin(NAME)


def wake(config: pytest.Config) -> "Suite":
    """Take over. What is wrong with the profiles, the settings or the options is told here."""
    from pytest_dspy_profiles._session import Suite

    made = Suite.of(config)
    config.pluginmanager.register(made, NAME)
    return made


def wake_for_marks(metafunc: pytest.Metafunc) -> None:
    """Take over while tests are collected. What is wrong is told once they all are."""
    with contextlib.suppress(pytest.UsageError):
        wake(metafunc.config).pytest_generate_tests(metafunc)


def _wake_for_tests(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take over once tests are collected, or let none of them run."""
    try:
        made = wake(config)
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        worker: Any = config  # one that raises is a crash: the controller tells it
        worker.workeroutput[OUTPUT] = {"usage": {}, "usage_error": str(error)}
        items.clear()
    else:
        made.pytest_collection_modifyitems(items)


def suite(config: pytest.Config) -> "Suite | None":
    """The suite, where it has taken over."""
    found: Suite | None = config.pluginmanager.get_plugin(NAME)
    return found


def _settings_files(config: pytest.Config) -> list[Path]:
    """Where a project's settings may stand. A user's are about every project: they wake nobody."""
    home, here = Path(os.path.expanduser("~")), config.invocation_params.dir  # noqa: PTH111 - Path.home() raises
    found = []
    for folder in (here, *here.parents):
        if folder == home:
            break
        found.append(folder / "pyproject.toml")
        if os.path.exists(folder / ".git"):  # noqa: PTH110 - Path.exists may raise
            break
    return found


def _says_something(path: Path) -> bool:
    """Whether it holds a setting that takes effect; the core then reads it properly."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    if not IN_TOML.search(text) or b"dspy-profiles" not in text:
        return False
    import tomllib

    try:
        return not IN_FILES.isdisjoint(tomllib.loads(text.decode())["tool"]["dspy-profiles"])
    except (KeyError, TypeError):
        return False
    except ValueError:
        return True  # it is broken: the core says so
