"""The plugin that pytest loads: cheap hooks, until a session uses a profile.

Imported by every pytest of the environment, so it imports only the standard library.
"""

from typing import TYPE_CHECKING, Any

from pytest_dspy_profiles._options import FORCE, KEEP, MARKERS, OPTIONS

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: "pytest.Parser") -> None:
    group = parser.getgroup("dspy-profiles", "DSPy profiles")
    for option in OPTIONS:
        more: dict[str, Any] = {"choices": option.choices} if option.choices else {}
        group.addoption(option.flag, default=None, metavar=option.metavar, help=option.help, **more)
        parser.addini(option.ini, option.help, default="")
    group.addoption(FORCE.flag, action="store_true", default=None, help=FORCE.help)
    group.addoption(KEEP.flag, action="store_true", default=False, help=KEEP.help)
    parser.addini(FORCE.ini, FORCE.help, type="bool", default=False)


def pytest_addhooks(pluginmanager: "pytest.PytestPluginManager") -> None:
    from pytest_dspy_profiles import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: "pytest.Config") -> None:
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    from pytest_dspy_profiles import _fixtures

    config.pluginmanager.register(_fixtures, "dspy_profiles_fixtures")
    from pytest_dspy_profiles import _lazy, _reporting

    if not hasattr(config, "workerinput"):  # only a worker of xdist has it
        config.pluginmanager.register(_reporting.Reporter(config), "dspy_profiles_reporter")
    config.pluginmanager.register(_lazy.LazyStart(), "dspy_profiles_lazy_start")
    if _lazy.is_wanted(config):
        _lazy.start(config)


def pytest_generate_tests(metafunc: "pytest.Metafunc") -> None:
    if metafunc.definition.get_closest_marker("dspy_profile") is not None:
        from pytest_dspy_profiles import _lazy

        if not _lazy.is_started(metafunc.config):
            _lazy.start_for_marks(metafunc)
