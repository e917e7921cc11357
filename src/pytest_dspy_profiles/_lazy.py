"""Decide, without importing our core, whether a session uses profiles; then start the plugin."""

import contextlib
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dspy_profiles._options import FORCE, OPTIONS, OUTPUT

if TYPE_CHECKING:
    from pytest_dspy_profiles._session import SessionPlugin

__all__ = [
    "LazyStart",
    "is_started",
    "is_wanted",
    "session_plugin",
    "start",
    "start_for_marks",
]

NAME = "dspy_profiles_session"
MARKS = ("dspy_profile", "dspy_cassette", "dspy_budget")
FIXTURES = frozenset({"dspy_profile", "dspy_lm", "dspy_usage", "dspy_mock"})
# Settings that have an effect alone; the others only say how. A default profile has none in pytest.
IN_FILES = frozenset({"live", "budget", "cassettes", "report"})
IN_TOML = re.compile(rb"\b(live|budget|cassettes|report)\b")
STORE = next(option for option in OPTIONS if option.setting == "store")
EFFECTIVE = tuple(option for option in OPTIONS if option.setting in {*IN_FILES, "default"})
PACKAGE_MARKS = re.compile(rb"^pytestmark\b(?s:.*)\bdspy_", re.MULTILINE)


def is_wanted(config: pytest.Config) -> bool:
    """Return whether an option, the ini file, the environment or the project's settings want us."""
    return (
        any(config.getoption(option.flag) for option in EFFECTIVE)
        or any(config.getini(option.ini) for option in EFFECTIVE)
        or any(os.environ.get(option.env) for option in EFFECTIVE)
        or bool(config.getoption(STORE.flag) or config.getini(STORE.ini))
        or bool(config.getoption(FORCE.flag) or config.getini(FORCE.ini))
        or any(map(_has_settings, _settings_files(config)))
    )


def _is_used(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """Return whether a conftest chooses profiles, or a test has a mark or a fixture of ours."""
    if config.hook.pytest_dspy_choose_profile.get_hookimpls():
        return True
    return any(map(_uses_profiles, items))


def _uses_profiles(item: pytest.Item) -> bool:
    if not FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    return any(item.get_closest_marker(name) is not None for name in MARKS)


class LazyStart:
    """Hooks of a session that has not used a profile yet."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_directory(self) -> Generator[None, Any, Any]:
        collector = yield
        if isinstance(collector, pytest.Package):
            _add_package_marks(collector)
        return collector

    @pytest.hookimpl(trylast=True)  # once others have deselected tests
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if not is_started(config) and _is_used(config, items):
            _start_for_tests(config, items)


def _add_package_marks(package: pytest.Package) -> None:
    """Give a package the marks of its `__init__.py`: pytest reads only those of modules."""
    path = package.path / "__init__.py"
    try:
        text = path.read_bytes()
    except OSError:
        return
    if not PACKAGE_MARKS.search(text):
        return
    marks: Any = ()
    # If it cannot be imported, each module below it reports that.
    with contextlib.suppress(Exception, pytest.skip.Exception):
        marks = getattr(pytest.Module.from_parent(package, path=path).obj, "pytestmark", ())
    for mark in marks if isinstance(marks, list | tuple) else (marks,):
        is_ours = isinstance(mark, pytest.MarkDecorator) and mark.name.startswith("dspy_")
        if is_ours and mark.mark not in package.own_markers:
            package.add_marker(mark)


def is_started(config: pytest.Config) -> bool:
    return config.pluginmanager.has_plugin(NAME)


def start(config: pytest.Config) -> "SessionPlugin":
    """Start the plugin. Raises a UsageError for wrong profiles, settings or options."""
    from pytest_dspy_profiles._session import SessionPlugin

    plugin = SessionPlugin.of(config)
    config.pluginmanager.register(plugin, NAME)
    return plugin


def start_for_marks(metafunc: pytest.Metafunc) -> None:
    """Start while tests are collected. Errors are reported once all of them are collected."""
    with contextlib.suppress(pytest.UsageError):
        start(metafunc.config).pytest_generate_tests(metafunc)


def _start_for_tests(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start once tests are collected, or let none of them run."""
    try:
        plugin = start(config)
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        worker: Any = config  # an error would crash the worker: the controller reports this one
        worker.workeroutput[OUTPUT] = {"usage": {}, "usage_error": str(error)}
        items.clear()
    else:
        plugin.pytest_collection_modifyitems(items)


def session_plugin(config: pytest.Config) -> "SessionPlugin | None":
    """Return the plugin of a session that uses profiles, once it has started."""
    plugin: SessionPlugin | None = config.pluginmanager.get_plugin(NAME)
    return plugin


def _settings_files(config: pytest.Config) -> list[Path]:
    """Return where a project may have settings. Those of the user start no plugin."""
    home, here = Path(os.path.expanduser("~")), config.invocation_params.dir  # noqa: PTH111 - Path.home() raises
    files = []
    for folder in (here, *here.parents):
        if folder == home:
            break
        files.append(folder / "pyproject.toml")
        if os.path.exists(folder / ".git"):  # noqa: PTH110 - Path.exists may raise
            break
    return files


def _has_settings(path: Path) -> bool:
    """Return whether a file has a setting with an effect; the core then reads it properly."""
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
        return True  # the file is broken: the core reports it
