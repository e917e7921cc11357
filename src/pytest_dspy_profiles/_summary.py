"""The usage of a session: lines below the tests, properties for JUnit, a JSON report."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles._control import escaped
from dspy_profiles.calls import Usage, total
from dspy_profiles.calls.cassettes import LastRun
from dspy_profiles.config import Budgets
from dspy_profiles.display import counted, exact, money, visible
from dspy_profiles.errors import WriteFailed
from dspy_profiles.secrets import redact
from pytest_dspy_profiles._cassettes import CassetteUsage
from pytest_dspy_profiles._failures import outcome_after

__all__ = ["Summary", "properties"]

VERSION = 1
PHASES = ("setup", "call", "teardown")


def properties(usage: Usage) -> list[tuple[str, object]]:
    """Return the properties of a test in JUnit's file; an unknown cost is left out."""
    if not usage:
        return []
    counts: list[tuple[str, object]] = [("dspy.calls", usage.calls), ("dspy.tokens", usage.tokens)]
    return counts if usage.cost is None else [*counts, ("dspy.cost", round(usage.cost, 9))]


@dataclass
class Tested:
    """One test, as its reports describe it."""

    nodeid: str
    profile: str | None
    outcome: str
    duration: float
    usage: Usage
    worker: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "nodeid": self.nodeid,
            "profile": self.profile,
            "outcome": self.outcome,
            "duration": round(self.duration, 6),
            **vars(self.usage),
        }


@dataclass
class Summary:
    """Adds up tests and processes. The totals of a process replace those of its tests."""

    tests: dict[str, Tested] = field(default_factory=dict)
    processes: dict[str | None, Mapping[str, Usage]] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)  # workers that sent no totals
    cassettes: CassetteUsage = field(default_factory=CassetteUsage)
    last_run: LastRun | None = None  # cassettes that a full run has not used

    def add(self, report: Any, message: Mapping[str, Any]) -> None:
        """Add one phase of a test. A test that is rerun counts once, with all of its usage."""
        node = getattr(report, "node", None)
        worker = None if node is None else node.gateway.id
        test = self.tests.get(report.nodeid)
        if test is None:
            nodeid, profile = message.get("nodeid", report.nodeid), message["profile"]
            test = Tested(nodeid, profile, "passed", 0.0, Usage(), worker)
            self.tests[report.nodeid] = test
        test.outcome = outcome_after(test.outcome, report)
        test.duration += report.duration
        for counts in message.get("cassettes", ()):
            self.cassettes.add(counts)
        if "usage" in message:
            test.usage += Usage(**message["usage"])

    def add_crash(self, report: Any) -> None:
        """Mark a test as failed that ended its worker; its usage is lost."""
        if report.nodeid in self.tests:
            self.tests[report.nodeid].outcome = "failed"

    def add_process(self, worker: str | None, used: Mapping[str, Mapping[str, Any]]) -> None:
        self.processes[worker] = {name: Usage(**usage) for name, usage in used.items()}

    def by_profile(self) -> dict[str, Usage]:
        """Return the usage over all processes; of a dead one, the usage that its tests sent."""
        parts = [part for used in self.processes.values() for part in used.items()]
        parts += [
            (test.profile or "", Usage() if test.worker in self.processes else test.usage)
            for test in self.tests.values()
        ]
        names = dict.fromkeys(name for name, _ in parts)
        return {name: total(usage for each, usage in parts if each == name) for name in names}

    def as_json(self, config: pytest.Config) -> dict[str, Any]:
        """Return what `--dspy-report` writes."""
        used = self.by_profile()
        counts = {name: self._count(name) for name in used}
        return {
            "version": VERSION,
            "rootdir": str(config.rootpath),
            "profiles": [
                {"name": name or None, "tests": counts[name], **vars(usage)}
                for name, usage in used.items()
                if name or usage or counts[name]
            ],
            "total": {"tests": len(self.tests), **vars(total(used.values()))},
            "tests": [test.as_json() for test in self.tests.values()],
        }

    def _count(self, profile: str) -> int:
        return sum((test.profile or "") == profile for test in self.tests.values())

    def write(self, path: Path, config: pytest.Config) -> None:
        text = escaped(json.dumps(self.as_json(config), indent=2, ensure_ascii=False))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(redact(text) + "\n", encoding="utf-8")
        except OSError as error:
            message = f"cannot write the report: {error.strerror}"
            raise WriteFailed(message, where=str(path)) from None

    def print(self, reporter: Any, config: pytest.Config, budgets: Budgets | None) -> None:
        """Print the lines below the tests, if a test had a profile or called an LM."""
        used = {
            name: usage
            for name, usage in self.by_profile().items()
            if usage or (name and self._count(name))
        }
        if not used:
            return
        names = ", ".join(name or "no profile" for name in used)
        reporter.write_sep("-", visible(f"dspy: {names}"))
        for line in self._lines(used, budgets or Budgets()):
            reporter.write_line(visible(line))
        for more in config.hook.pytest_dspy_summary(usage=self.as_json(config)):
            for line in [more] if isinstance(more, str) else more or ():
                reporter.write_line(visible(line))

    def _lines(self, used: Mapping[str, Usage], budgets: Budgets) -> Iterator[str]:
        width = max(len(name or "no profile") for name in used)
        for name, usage in used.items():
            limits = budgets.profiles.get(name, Budgets().session)
            text = _usage_text(usage, self._count(name), limits)
            yield f"{name or 'no profile':{width}}  {text}" if len(used) > 1 else text
        if budgets.session and len(used) > 1:
            text = _usage_text(total(used.values()), len(self.tests), budgets.session)
            yield f"{'all':{width}}  {text}"
        elif budgets.session:
            yield f"budget of this session: {budgets.session}"
        calling = [test for test in self.tests.values() if test.usage]
        if calling:
            yield _test_text("slowest", max(calling, key=lambda test: test.duration))
        paid = [test for test in calling if test.usage.cost]
        if paid:
            yield _test_text("costliest", max(paid, key=lambda test: test.usage.cost or 0))
        yield from self.cassettes.lines(self.last_run)
        for worker in self.died:
            yield f"{worker} died: the usage of its last test and wider fixtures is not counted"


def _test_text(label: str, test: Tested) -> str:
    usage = test.usage
    cost = f"   {money(usage.cost)}" if usage.cost else ""
    return f"{label:9}  {test.nodeid}   {test.duration:.2f} s   {_calls(usage)}{cost}"


def _calls(usage: Usage, limit: int | None = None) -> str:
    calls = counted(usage.calls, "call") + (f" of {limit:,}" if limit is not None else "")
    others = ((usage.replayed, "replayed"), (usage.cached, "cached"))
    return " · ".join([calls, *(f"{n:,} {word}" for n, word in others if n)])


def _usage_text(usage: Usage, tests: int, limits: Any) -> str:
    """Return one line: tests, calls, tokens and cost, each with its limit."""
    cost = "cost unknown" if usage.cost is None else money(usage.cost)
    of = {kind: getattr(limits, kind) for kind in ("calls", "tokens", "usd")}
    return " · ".join(
        (
            counted(tests, "test"),
            _calls(usage, of["calls"]),
            f"{usage.tokens:,} tokens"
            + (f" of {of['tokens']:,}" if of["tokens"] is not None else ""),
            cost + (f" of {exact(of['usd'])}" if of["usd"] is not None else ""),
        )
    )
