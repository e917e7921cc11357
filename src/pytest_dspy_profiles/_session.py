"""The hooks of a session that uses profiles."""

import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from dspy_profiles.calls import Usage
from dspy_profiles.display import visible
from dspy_profiles.errors import ProfileError
from dspy_profiles.secrets import redact
from pytest_dspy_profiles import _failures, _select
from pytest_dspy_profiles._config import SessionConfig, ini_place, is_controller
from pytest_dspy_profiles._options import KEEP, OUTPUT
from pytest_dspy_profiles._record import SessionExperiment, TrialRecord, TrialRecorder, add_report
from pytest_dspy_profiles._summary import properties
from pytest_dspy_profiles._validate import Checks

if TYPE_CHECKING:
    from pytest_dspy_profiles._runner import Runner

__all__ = ["SessionPlugin"]

Wrapper = Generator[None, Any, Any]
# Keys of what xdist passes to its workers: the file of the budgets, and the experiment.
TALLY = "dspy_profiles_tally"
EXPERIMENT = "dspy_profiles_experiment"
ONLY_SHOW = ("collectonly", "showfixtures", "show_fixtures_per_test")  # options that run no test
CHOICE = pytest.StashKey[_select.ProfileChoice]()
TRIAL = pytest.StashKey[TrialRecord]()
REPORT = pytest.StashKey[dict[str, Any]]()  # sent to the controller with the reports of a test


class SessionPlugin:
    """One session under profiles. On xdist's controller it only checks and reports."""

    def __init__(self, config: pytest.Config, session_config: SessionConfig) -> None:
        self.config = config
        self.session_config = session_config
        self.checks = Checks(session_config)
        self.usage_error: str | None = None
        self.experiment: SessionExperiment | None = None  # in the process that archives it
        self.recorder: TrialRecorder | None = None  # in a process that runs tests
        self.stopped_by: BaseException | None = None  # before all tests were run
        self._tally: Path | None = None
        self._runner: Runner | None = None
        self._stack = ExitStack()  # what ends with the session

    @classmethod
    def of(cls, config: pytest.Config) -> Self:
        """Return a checked plugin. Raises UsageError for an error in profiles or settings."""
        try:
            plugin = cls(config, SessionConfig.of(config))
            with ini_place(config, plugin.session_config.named.by):
                plugin.checks.session()
        except ProfileError as error:
            raise pytest.UsageError(str(error)) from None
        return plugin

    @property
    def _records(self) -> bool:
        """Whether this process writes the head of the experiment, and archives it."""
        only_shows = any(getattr(self.config.option, name, False) for name in ONLY_SHOW)
        is_worker = hasattr(self.config, "workerinput")
        return self.session_config.store is not None and not is_worker and not only_shows

    @property
    def is_running(self) -> bool:
        """Whether tests run in this process."""
        return self._runner is not None

    def runner(self) -> "Runner":
        """Return what runs the tests, made when it is first needed: it imports DSPy.

        No property: an older pytest reads each attribute of a plugin, to see if it is a fixture.
        """
        if self._runner is None:
            self._runner = self._started_runner()
        return self._runner

    def _started_runner(self) -> "Runner":
        from dspy_profiles.calls.budget import Tally
        from pytest_dspy_profiles._cassettes import TestCassettes
        from pytest_dspy_profiles._live_logs import hide_secrets_in_live_logs
        from pytest_dspy_profiles._runner import Runner
        from pytest_dspy_profiles._scopes import Scopes

        hide_secrets_in_live_logs(self.config)
        session_config = self.session_config
        tally = Tally(self.tally_file()) if session_config.budgets else None
        scopes = Scopes(
            session_config.budgets, tally, session_config.live_blocked_by, session_config.held_by
        )
        keeps = bool(self.config.getoption(KEEP.flag))
        cassettes = TestCassettes(session_config, self.config.rootpath, keeps=keeps)
        self.recorder = self._new_recorder()
        return self._stack.enter_context(Runner(session_config, scopes, cassettes, self.recorder))

    def tally_file(self) -> Path:
        """Return the file of the budgets, which all processes of this session share."""
        shared = getattr(self.config, "workerinput", {}).get(TALLY)
        if shared:
            return Path(shared)
        if self._tally is None:
            number, path = tempfile.mkstemp(prefix="dspy-profiles-budget-")
            os.close(number)
            self._tally = Path(path)
            self._stack.callback(self._tally.unlink, missing_ok=True)
        return self._tally

    def _new_recorder(self) -> TrialRecorder | None:
        if self.experiment is not None:
            return self.experiment.recorder()
        place = getattr(self.config, "workerinput", {}).get(EXPERIMENT)
        return None if place is None else TrialRecorder.of_worker(place)

    def by_profile(self) -> dict[str, Usage]:
        """Return the usage of this process under each profile."""
        return {} if self._runner is None else self._runner.scopes.by_profile()

    # The session

    def pytest_report_header(self) -> str | None:
        if not self.session_config.is_worth_a_header:
            return None
        recorded = [] if self.experiment is None else [f"recorded in {self.experiment.place}"]
        header = " · ".join(filter(None, [self.session_config.header, *recorded]))
        return visible(f"dspy: {header}")

    def pytest_sessionstart(self) -> None:
        has_workers = is_controller(self.config)
        try:
            if self._records:
                origin = self.session_config.scene.settings.values["store"].origin
                with ini_place(self.config, origin):
                    self.experiment = SessionExperiment(
                        self.session_config, has_workers=has_workers
                    )
            if not has_workers:
                self.runner()
        except ProfileError as error:
            self._refuse(str(error))
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        line = self.pytest_report_header()
        if line is not None and reporter is not None and reporter.verbosity == -1:
            reporter.write_line(line)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self.session_config.budgets:
            node.workerinput[TALLY] = str(self.tally_file())
        if self.experiment is not None:
            node.workerinput[EXPERIMENT] = self.experiment.for_worker()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.stopped_by = excinfo.value

    def pytest_sessionfinish(self) -> None:
        if self.recorder is not None:
            self.recorder.close()  # before its faults are read, and the experiment is archived
        output: dict[str, Any] | None = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[OUTPUT] = {
                "usage": {name: vars(usage) for name, usage in self.by_profile().items()},
                "usage_error": self.usage_error,
                "faults": None if self.recorder is None else self.recorder.faults,
            }

    def pytest_unconfigure(self) -> None:
        self._stack.close()

    # The collection

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        _select.parametrize(metafunc, self.session_config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        errors = dict.fromkeys(error for item in items for error in self.checks.errors(item))
        if errors:
            self._refuse("\n".join(errors))
        if self.usage_error is not None:
            items.clear()

    def _refuse(self, text: str) -> None:
        if not hasattr(self.config, "workerinput"):
            raise pytest.UsageError(text)
        self.usage_error = text  # an error would crash the worker: the controller reports this one

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Wrapper:
        report = yield
        _failures.hide_secrets(report)
        return report

    # The tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        text = str(warning_message.message)
        if (redacted := redact(text)) != text:
            warning_message.message = redacted

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Wrapper:
        choice = _select.select(item, self.session_config, _select.parameter_of(item))
        item.stash[CHOICE] = choice
        profile = choice.name or None
        item.stash[REPORT] = {"profile": profile}
        self.runner().finish()  # a test that a mark skips does not begin
        if self.recorder is None:
            return (yield)
        with self.recorder.test(item.nodeid, profile) as item.stash[TRIAL]:
            return (yield)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        record = item.stash.get(TRIAL, None)
        trial = None if record is None else record.trial
        self.runner().begin(item, item.stash[CHOICE], trial)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Wrapper:
        with self.runner().setting_up(fixturedef, request):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Wrapper:
        with self.runner().calling(item):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Wrapper:
        message = item.stash[REPORT]
        failed = message.pop("failed", True)
        try:
            with self.runner().tearing_down():
                result = yield
        except BaseException:
            failed = True
            raise
        else:
            return result
        finally:
            usage = self.runner().finish(failed=failed)
            message["cassettes"] = self.runner().cassettes.ended()
            if usage is not None:
                message["usage"] = vars(usage)
                item.user_properties += properties(usage)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Wrapper:
        report = yield
        message: dict[str, Any] = item.stash.get(REPORT, {"profile": None})
        if call.when != "teardown":
            message["failed"] = message.get("failed", False) or report.failed
        _failures.explain(report, call, message["profile"])
        if (record := item.stash.get(TRIAL, None)) is not None:
            add_report(record, report, call.excinfo and call.excinfo.value)
        output = message if call.when == "teardown" else {"profile": message["profile"]}
        if (redacted := redact(item.nodeid)) != item.nodeid:  # a controller knows no secret
            output = {**output, "nodeid": redacted}
        report.dspy_profiles = output
        return report
