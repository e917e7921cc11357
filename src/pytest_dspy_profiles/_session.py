"""The plugin, once somebody wants a profile: each hook, and who answers it."""

import os
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any, Self

import pytest

from dspy_profiles.calls import Usage
from dspy_profiles.errors import ProfileError
from dspy_profiles.secrets import redact
from pytest_dspy_profiles import _select
from pytest_dspy_profiles._config import SessionConfig, is_controller
from pytest_dspy_profiles._ini import blaming
from pytest_dspy_profiles._options import KEEP, OUTPUT
from pytest_dspy_profiles._record import SessionBook, TrialRecord, TrialRecorder, add_report
from pytest_dspy_profiles._summary import properties
from pytest_dspy_profiles._validate import Checks

__all__ = ["Suite"]

Wrapper = Generator[None, Any, Any]
TALLY = "dspy_profiles_tally"  # the file of the budgets, among what xdist tells its workers
BOOK = "dspy_profiles_book"  # and what is recorded
SHOWING = ("collectonly", "showfixtures", "show_fixtures_per_test")  # options that run no test
TOLD = pytest.StashKey[TrialRecord]()  # what the record says of a test
RECORD = pytest.StashKey[dict[str, Any]]()  # what the reports of a test bear


class Suite:
    """One session under profiles. On xdist's controller it only checks and tells."""

    def __init__(self, config: pytest.Config, asked: SessionConfig) -> None:
        self.config = config
        self.asked = asked
        self.checks = Checks(asked)
        self.usage_error: str | None = None
        self.book: SessionBook | None = None  # where this is the process that archives
        self.witness: TrialRecorder | None = None  # where tests are run, and recorded
        self.stopped_by: BaseException | None = None  # before all tests were run
        self._tally_made: Path | None = None
        self._running: Any = None

    @classmethod
    def of(cls, config: pytest.Config) -> Self:
        """Raises a UsageError for what cannot be."""
        try:
            made = cls(config, SessionConfig.of(config))
            with blaming(config, made.asked.named.by):
                made.checks.session()
        except ProfileError as error:
            raise pytest.UsageError(str(error)) from None
        return made

    @property
    def _records(self) -> bool:
        """Whether this is the process that says what is recorded."""
        only_shows = any(getattr(self.config.option, name, False) for name in SHOWING)
        is_worker = hasattr(self.config, "workerinput")
        return self.asked.store is not None and not is_worker and not only_shows

    @property
    def is_running(self) -> bool:
        """Whether tests run in this process, and one of them was begun."""
        return self._running is not None

    def running(self) -> Any:
        """What runs the tests, made when it is first needed: it imports DSPy.

        No property: an older pytest looks at each attribute of a plugin, to see if it is a fixture.
        """
        if self._running is None:
            from dspy_profiles.calls.budget import Tally
            from pytest_dspy_profiles._cassettes import TestCassettes
            from pytest_dspy_profiles._runner import Running
            from pytest_dspy_profiles._scopes import Scopes

            tally = Tally(self.tally_file()) if self.asked.budgets else None
            asked = self.asked
            scopes = Scopes(asked.budgets, tally, asked.live_blocked_by, asked.held_by)
            keeps = bool(self.config.getoption(KEEP.flag))
            tapes = TestCassettes(self.asked, self.config.rootpath, keeps=keeps)
            self.witness = self._witness()
            hear_for = None if self.witness is None else self.witness.hear_for
            self._running = Running(self.asked, scopes, tapes, hear_for)
            self._running.start()
        return self._running

    def tally_file(self) -> Path:
        """The one file that all processes of this session share."""
        given = getattr(self.config, "workerinput", {}).get(TALLY)
        if given:
            return Path(given)
        if self._tally_made is None:
            number, path = tempfile.mkstemp(prefix="dspy-profiles-budget-")
            os.close(number)
            self._tally_made = Path(path)
        return self._tally_made

    def _witness(self) -> TrialRecorder | None:
        if self.book is not None:
            return self.book.witness()
        place = getattr(self.config, "workerinput", {}).get(BOOK)
        return None if place is None else TrialRecorder.of_worker(place)

    def by_profile(self) -> dict[str, Usage]:
        """What was used in this process."""
        return {} if self._running is None else self._running.scopes.by_profile()

    # The session

    def pytest_report_header(self) -> str | None:
        if not self.asked.is_worth_telling:
            return None
        recorded = [] if self.book is None else [f"recorded in {self.book.place}"]
        return f"dspy: {' · '.join(filter(None, [self.asked.header, *recorded]))}"

    def pytest_sessionstart(self) -> None:
        has_workers = is_controller(self.config)
        try:
            if self._records:
                with blaming(self.config, self.asked.scene.settings.values["store"].origin):
                    self.book = SessionBook(self.asked, has_workers=has_workers)
            if not has_workers:
                self.running()
        except ProfileError as error:
            self._refuse(str(error))
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        line = self.pytest_report_header()
        if line is not None and reporter is not None and reporter.verbosity == -1:
            reporter.write_line(line)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self.asked.budgets:
            node.workerinput[TALLY] = str(self.tally_file())
        if self.book is not None:
            node.workerinput[BOOK] = self.book.for_worker()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.stopped_by = excinfo.value

    def pytest_sessionfinish(self) -> None:
        if self.witness is not None:
            self.witness.close()
        output: dict[str, Any] | None = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[OUTPUT] = {
                "usage": {name: vars(usage) for name, usage in self.by_profile().items()},
                "usage_error": self.usage_error,
                "faults": None if self.witness is None else self.witness.faults,
            }

    def pytest_unconfigure(self) -> None:
        if self._running is not None:
            self._running.leave()
        if self._tally_made is not None:
            self._tally_made.unlink(missing_ok=True)

    # The collection

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        _select.parametrize(metafunc, self.asked)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        faults = dict.fromkeys(fault for item in items for fault in self.checks.faults(item))
        if faults:
            self._refuse("\n".join(faults))
        if self.usage_error is not None:
            items.clear()

    def _refuse(self, text: str) -> None:
        if not hasattr(self.config, "workerinput"):
            raise pytest.UsageError(text)
        self.usage_error = text  # a worker that raises is a crash: the controller tells it

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Wrapper:
        from pytest_dspy_profiles import _failures

        report = yield
        _failures.hide_secrets(report)
        return report

    # The tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        said = str(warning_message.message)
        if (shown := redact(said)) != said:
            warning_message.message = shown

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Wrapper:
        profile = _select.name_for(item, self.asked)
        item.stash[RECORD] = {"profile": profile}
        self.running().test = None  # one that a mark skips is never begun
        if self.witness is None:
            return (yield)
        with self.witness.test(item.nodeid, profile) as item.stash[TOLD]:
            return (yield)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        told = item.stash.get(TOLD, None)
        self.running().begin(item, None if told is None else told.trial)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Wrapper:
        with self.running().setting_up(fixturedef, request):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Wrapper:
        with self.running().calling(item):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Wrapper:
        record = item.stash[RECORD]
        failed = record.pop("failed", True)
        try:
            with self.running().tearing_down():
                result = yield
        except BaseException:
            failed = True
            raise
        else:
            return result
        finally:
            test = self.running().finish(failed=failed)
            record["cassettes"] = self.running().tapes.told()
            if test is not None:
                usage = test.usage
                record["usage"] = vars(usage)
                item.user_properties += properties(usage)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Wrapper:
        from pytest_dspy_profiles import (
            _failures,  # imports DSPy, which a controller has no use for
        )

        report = yield
        record: dict[str, Any] = item.stash.get(RECORD, {"profile": None})
        if call.when != "teardown":
            record["failed"] = record.get("failed", False) or report.failed
        _failures.tell(report, call, record["profile"])
        if (told := item.stash.get(TOLD, None)) is not None:
            add_report(told, report, call.excinfo and call.excinfo.value)
        whole = call.when == "teardown"
        said = record if whole else {"profile": record["profile"]}
        if (shown := redact(item.nodeid)) != item.nodeid:  # a controller knows no secret
            said = {**said, "nodeid": shown}
        report.dspy_profiles = said
        return report
