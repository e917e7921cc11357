"""Gathers what tests say of their usage, from this process or from xdist's workers, and tells it.

Registered in every session; while nothing is said it does nothing.
"""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_dspy_profiles import waking

if TYPE_CHECKING:
    from pytest_dspy_profiles.summary import Summary

__all__ = ["OUTPUT", "Relay", "is_controller"]

OUTPUT = "dspy_profiles"  # what each report bears, and what a worker of xdist leaves at its end


def is_controller(config: pytest.Config) -> bool:
    """Whether the tests run in other processes."""
    return config.pluginmanager.has_plugin("dsession")


class Relay:
    """Where all reports come together: the one process, or the controller of many."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._summary: Summary | None = None
        self._usage_errors: dict[str, None] = {}

    def summary(self) -> "Summary":
        if self._summary is None:
            from pytest_dspy_profiles.summary import Summary

            self._summary = Summary()
        return self._summary

    def pytest_runtest_logreport(self, report: Any) -> None:
        said = getattr(report, OUTPUT, None)
        if said is not None:
            self.summary().add(report, said)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        left = getattr(node, "workeroutput", {}).get(OUTPUT)
        if left is None:
            return
        if left["usage_error"]:
            self._usage_errors[left["usage_error"]] = None
        self.summary().add_process(node.gateway.id, left["usage"])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if self._usage_errors:
            raise pytest.UsageError("\n".join(self._usage_errors))
        suite = waking.suite(self._config)
        if suite is not None and suite.is_running:
            used = {name: vars(usage) for name, usage in suite.by_profile().items()}
            self.summary().add_process(None, used)
        if suite is not None and suite.asked.report is not None:
            self.summary().write(suite.asked.report, self._config)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._summary is not None:
            suite = waking.suite(self._config)
            budgets = None if suite is None else suite.asked.budgets
            self._summary.tell(terminalreporter, self._config, budgets)
