"""Gathers what tests say of their usage, from this process or from xdist's workers, and tells it.

Registered in every session; while nothing is said it does nothing.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dspy_profiles import _lazy
from pytest_dspy_profiles._options import OUTPUT

if TYPE_CHECKING:
    from pytest_dspy_profiles._summary import Summary

__all__ = ["Reporter"]

QUIETEST = -1  # -q; below that pytest says nothing at the end either


class Reporter:
    """Where all reports come together: the one process, or the controller of many."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._summary: Summary | None = None
        self._usage_errors: dict[str, None] = {}
        self._unwritten = ""
        self._faults: list[Any] = []  # of the record of the session, by process

    def summary(self) -> "Summary":
        if self._summary is None:
            from pytest_dspy_profiles._summary import Summary

            self._summary = Summary()
        return self._summary

    def pytest_runtest_logreport(self, report: Any) -> None:
        said = getattr(report, OUTPUT, None)
        if said is not None:
            self.summary().add(report, said)
        elif report.failed and self._summary is not None:  # xdist's own: the worker has died
            self._summary.add_crash(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        left = getattr(node, "workeroutput", {}).get(OUTPUT)
        if left is None:
            if error and self._summary is not None:
                self._summary.died.append(node.gateway.id)
            return
        if left.get("faults"):
            self._faults.append(left["faults"])
        if left["usage_error"]:
            self._usage_errors[left["usage_error"]] = None
        self.summary().add_process(node.gateway.id, left["usage"])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._archive(session)
        if self._usage_errors:
            raise pytest.UsageError("\n".join(self._usage_errors))
        suite = _lazy.suite(self._config)
        if suite is not None and suite.is_running:
            used = {name: vars(usage) for name, usage in suite.by_profile().items()}
            self.summary().add_process(None, used)
        if suite is not None and suite.asked.report is not None:
            self._write(suite.asked.report, session)
        if self._summary is not None and self._summary.cassettes and not session.exitstatus:
            self._look_for_stale_ones(self._summary)

    def _archive(self, session: pytest.Session) -> None:
        suite = _lazy.suite(self._config)
        if suite is None or suite.book is None:
            return
        faults = [*self._faults, *([suite.witness.faults] if suite.witness is not None else [])]
        count = sum(each["count"] for each in faults)
        first = next((each["first"] for each in faults if each["count"]), None)
        exit_code = 1 if self._usage_errors else int(session.exitstatus)
        suite.book.close(exit_code, suite.stopped_by, {"count": count, "first": first})

    def _look_for_stale_ones(self, summary: "Summary") -> None:
        from dspy_profiles.calls.cassettes import write_last_run
        from pytest_dspy_profiles import _stale
        from pytest_dspy_profiles._config import SessionConfig

        if not _stale.is_full(self._config):
            return
        suite = _lazy.suite(self._config)
        asked = SessionConfig.of(self._config) if suite is None else suite.asked
        summary.stale = summary.cassettes.last_run(asked.cassettes(self._config.rootpath))
        write_last_run(asked.scene.locations.root, summary.stale)  # for `cassettes prune`

    def _write(self, path: Path, session: pytest.Session) -> None:
        from dspy_profiles.errors import WriteFailed

        try:
            self.summary().write(path, self._config)
        except WriteFailed as error:  # told below: raised here, it would hide what failed besides
            self._unwritten = str(error)
            if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        self._tell(terminalreporter)
        if self._unwritten:
            terminalreporter.write_line(f"ERROR: {self._unwritten}", red=True)

    def _tell(self, terminalreporter: Any) -> None:
        if terminalreporter.verbosity < QUIETEST:
            return
        suite = _lazy.suite(self._config)
        if self._summary is not None and not self._config.option.collectonly:
            budgets = None if suite is None else suite.asked.budgets
            self._summary.tell(terminalreporter, self._config, budgets)
        for line in suite.book.lines if suite is not None and suite.book is not None else ():
            terminalreporter.write_line(f"dspy: {line}")
