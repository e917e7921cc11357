"""Collect the usage of tests, from this process or from xdist's workers, and print it.

Registered in every session; without a report that has a usage it does nothing.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dspy_profiles import _lazy
from pytest_dspy_profiles._options import OUTPUT

if TYPE_CHECKING:
    from pytest_dspy_profiles._summary import Summary

__all__ = ["Reporter"]

QUIETEST = -1  # -q; with -qq, pytest prints nothing at the end either


class Reporter:
    """Gets the reports of all tests, in the only process or in the controller of workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._summary: Summary | None = None
        self._usage_errors: dict[str, None] = {}
        self._unwritten = ""
        self._faults: list[Any] = []  # errors of the recorder, by process

    def summary(self) -> "Summary":
        if self._summary is None:
            from pytest_dspy_profiles._summary import Summary

            self._summary = Summary()
        return self._summary

    def pytest_runtest_logreport(self, report: Any) -> None:
        message = getattr(report, OUTPUT, None)
        if message is not None:
            self.summary().add(report, message)
        elif report.failed and self._summary is not None:  # xdist's own report of a dead worker
            self._summary.add_crash(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        output = getattr(node, "workeroutput", {}).get(OUTPUT)
        if output is None:
            if error and self._summary is not None:
                self._summary.died.append(node.gateway.id)
            return
        if output.get("faults"):
            self._faults.append(output["faults"])
        if output["usage_error"]:
            self._usage_errors[output["usage_error"]] = None
        self.summary().add_process(node.gateway.id, output["usage"])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._archive(session)
        if self._usage_errors:
            raise pytest.UsageError("\n".join(self._usage_errors))
        plugin = _lazy.session_plugin(self._config)
        if plugin is not None and plugin.is_running:
            used = {name: vars(usage) for name, usage in plugin.by_profile().items()}
            self.summary().add_process(None, used)
        if plugin is not None and plugin.session_config.report is not None:
            self._write(plugin.session_config.report, session)
        if self._summary is not None and self._summary.cassettes and not session.exitstatus:
            self._find_unused_cassettes(self._summary)

    def _archive(self, session: pytest.Session) -> None:
        plugin = _lazy.session_plugin(self._config)
        if plugin is None or plugin.experiment is None:
            return
        recorder = plugin.recorder
        faults = [*self._faults, *([recorder.faults] if recorder is not None else [])]
        count = sum(each["count"] for each in faults)
        first = next((each["first"] for each in faults if each["count"]), None)
        exit_code = 1 if self._usage_errors else int(session.exitstatus)
        plugin.experiment.close(exit_code, plugin.stopped_by, {"count": count, "first": first})

    def _find_unused_cassettes(self, summary: "Summary") -> None:
        from dspy_profiles.calls.cassettes import write_last_run
        from pytest_dspy_profiles._cassettes import is_full_run
        from pytest_dspy_profiles._config import SessionConfig

        if not is_full_run(self._config):
            return
        plugin = _lazy.session_plugin(self._config)
        session_config = SessionConfig.of(self._config) if plugin is None else plugin.session_config
        folder = session_config.cassette_folder(self._config.rootpath)
        summary.last_run = summary.cassettes.last_run(folder)
        write_last_run(session_config.scene.locations.root, summary.last_run)

    def _write(self, path: Path, session: pytest.Session) -> None:
        from dspy_profiles.errors import WriteFailed

        try:
            self.summary().write(path, self._config)
        except WriteFailed as error:  # printed below: raised here, it would hide other failures
            self._unwritten = str(error)
            if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        self._print(terminalreporter)
        if self._unwritten:
            terminalreporter.write_line(f"ERROR: {self._unwritten}", red=True)

    def _print(self, terminalreporter: Any) -> None:
        if terminalreporter.verbosity < QUIETEST:
            return
        plugin = _lazy.session_plugin(self._config)
        if self._summary is not None and not self._config.option.collectonly:
            budgets = None if plugin is None else plugin.session_config.budgets
            self._summary.print(terminalreporter, self._config, budgets)
        experiment = None if plugin is None else plugin.experiment
        if experiment is not None:
            from dspy_profiles.display import visible

            for line in experiment.lines:
                terminalreporter.write_line(visible(f"dspy: {line}"))
