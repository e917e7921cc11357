"""What a session has used: lines below the tests, properties for JUnit, a file of JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.calls import Usage, total
from dspy_profiles.calls.cassettes import LastRun
from dspy_profiles.config import Budgets
from dspy_profiles.display import counted, exact, money
from dspy_profiles.errors import WriteFailed
from dspy_profiles.secrets import redact
from pytest_dspy_profiles._outcomes import outcome_after
from pytest_dspy_profiles._stale import Cassettes

__all__ = ["Summary", "properties"]

VERSION = 1
PHASES = ("setup", "call", "teardown")


def properties(usage: Usage) -> list[tuple[str, object]]:
    """What JUnit's file says of a test; an unknown cost is left out."""
    if not usage:
        return []
    found: list[tuple[str, object]] = [("dspy.calls", usage.calls), ("dspy.tokens", usage.tokens)]
    return found if usage.cost is None else [*found, ("dspy.cost", round(usage.cost, 9))]


@dataclass
class Tested:
    """One test, as its three reports tell it."""

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
    """Adds up tests and processes. What a process says at its end counts more than its tests."""

    tests: dict[str, Tested] = field(default_factory=dict)
    processes: dict[str | None, Mapping[str, Usage]] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)  # workers that have not told their end
    cassettes: Cassettes = field(default_factory=Cassettes)
    stale: LastRun | None = None  # cassettes that a full run has not used

    def add(self, report: Any, said: Mapping[str, Any]) -> None:
        """One phase of a test. A test that is run again counts once, with all that it used."""
        node = getattr(report, "node", None)
        worker = None if node is None else node.gateway.id
        found = self.tests.get(report.nodeid)
        if found is None:
            found = self.tests[report.nodeid] = Tested(
                said.get("nodeid", report.nodeid), said["profile"], "passed", 0.0, Usage(), worker
            )
        found.outcome = outcome_after(found.outcome, report)
        found.duration += report.duration
        for told in said.get("cassettes", ()):
            self.cassettes.add(told)
        if "usage" in said:
            found.usage += Usage(**said["usage"])

    def add_crash(self, report: Any) -> None:
        """A test that took its worker with it: what it used died too."""
        if report.nodeid in self.tests:
            self.tests[report.nodeid].outcome = "failed"

    def add_process(self, worker: str | None, used: Mapping[str, Mapping[str, Any]]) -> None:
        self.processes[worker] = {name: Usage(**usage) for name, usage in used.items()}

    def by_profile(self) -> dict[str, Usage]:
        """Sums over all processes; of one that died, what its tests had told."""
        parts = [part for used in self.processes.values() for part in used.items()]
        parts += [
            (test.profile or "", Usage() if test.worker in self.processes else test.usage)
            for test in self.tests.values()
        ]
        names = dict.fromkeys(name for name, _ in parts)
        return {name: total(usage for each, usage in parts if each == name) for name in names}

    def as_json(self, config: pytest.Config) -> dict[str, Any]:
        """What `--dspy-report` writes."""
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
        text = json.dumps(self.as_json(config), indent=2, ensure_ascii=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(redact(text) + "\n", encoding="utf-8")
        except OSError as error:
            said = f"the report cannot be written: {error.strerror}"
            raise WriteFailed(said, where=str(path)) from None

    def tell(self, reporter: Any, config: pytest.Config, budgets: Budgets | None) -> None:
        """The lines below the tests; none where no test had a profile and no LM was asked."""
        used = {
            name: usage
            for name, usage in self.by_profile().items()
            if usage or (name and self._count(name))
        }
        if not used:
            return
        reporter.write_sep("-", f"dspy: {', '.join(name or 'no profile' for name in used)}")
        for line in self._lines(used, budgets or Budgets()):
            reporter.write_line(redact(line))
        for more in config.hook.pytest_dspy_summary(usage=self.as_json(config)):
            for line in [more] if isinstance(more, str) else more or ():
                reporter.write_line(redact(line))

    def _lines(self, used: Mapping[str, Usage], budgets: Budgets) -> Iterator[str]:
        width = max(len(name or "no profile") for name in used)
        for name, usage in used.items():
            said = _usage_text(
                usage, self._count(name), budgets.profiles.get(name, Budgets().session)
            )
            yield f"{name or 'no profile':{width}}  {said}" if len(used) > 1 else said
        if budgets.session and len(used) > 1:
            said = _usage_text(total(used.values()), len(self.tests), budgets.session)
            yield f"{'all':{width}}  {said}"
        elif budgets.session:
            yield f"budget of this session: {budgets.session}"
        asked = [test for test in self.tests.values() if test.usage]
        if asked:
            yield _one("slowest", max(asked, key=lambda test: test.duration))
        paid = [test for test in asked if test.usage.cost]
        if paid:
            yield _one("costliest", max(paid, key=lambda test: test.usage.cost or 0))
        yield from self.cassettes.lines(self.stale)
        for worker in self.died:
            yield f"{worker} died: what its last test and its wider fixtures used is not counted"


def _one(what: str, test: Tested) -> str:
    usage = test.usage
    cost = f"   {money(usage.cost)}" if usage.cost else ""
    return f"{what:9}  {test.nodeid}   {test.duration:.2f} s   {_calls(usage)}{cost}"


def _calls(usage: Usage) -> str:
    said = counted(usage.calls, "call")
    aside = [
        f"{n:,} {word}" for n, word in ((usage.replayed, "replayed"), (usage.cached, "cached")) if n
    ]
    return f"{said} ({', '.join(aside)} besides)" if aside else said


def _usage_text(usage: Usage, tests: int, limits: Any) -> str:
    """One line: tests, calls, tokens, money, and what there was to spend."""
    cost = "cost unknown" if usage.cost is None else money(usage.cost)
    of = {kind: getattr(limits, kind) for kind in ("calls", "tokens", "usd")}
    return " · ".join(
        (
            counted(tests, "test"),
            _calls(usage) + (f" of {of['calls']:,}" if of["calls"] is not None else ""),
            f"{usage.tokens:,} tokens"
            + (f" of {of['tokens']:,}" if of["tokens"] is not None else ""),
            cost + (f" of {exact(of['usd'])}" if of["usd"] is not None else ""),
        )
    )
