"""Which cassettes a full run of the tests has not used."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.calls.cassettes import LastRun, NotAsked
from dspy_profiles.display import counted, on_path

__all__ = ["Cassettes", "is_full"]

NOT_RUN = ("deselected", "skipped", "xfailed")  # to their end, at least


def is_full(config: pytest.Config) -> bool:
    """Whether all tests of the project were run: none was named, left out or stopped before."""
    option = config.option
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or any(reporter.stats.get(each) for each in NOT_RUN):
        return False  # what they are recorded on is in use, if not here
    picked = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise")
    if config.args_source is pytest.Config.ArgsSource.ARGS or option.collectonly:
        return False
    return not any(getattr(option, name, None) for name in (*picked, "maxfail"))


class Cassettes:
    """What all tests, of all processes, say of their cassettes."""

    def __init__(self) -> None:
        self.replayed = self.recorded = 0
        self._unused: dict[str, set[str]] = {}
        self._match: dict[str, Sequence[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._match)

    def add(self, told: Mapping[str, Any]) -> None:
        path, unused = told["path"], set(told["unused"])
        self.replayed += told["replayed"]
        self.recorded += told["recorded"]
        # What one test of several left out, another may have asked for.
        self._unused[path] = self._unused[path] & unused if path in self._unused else unused
        self._match[path] = told["match"]

    def last_run(self, folder: Path) -> LastRun:
        """What nobody has used, of all that is in the folder."""
        there = {str(path.resolve()) for path in folder.rglob("*.jsonl")}
        requests = {
            path: NotAsked(sorted(keys), self._match[path])
            for path, keys in sorted(self._unused.items())
            if keys and path in there
        }
        return LastRun(sorted(there - self._match.keys()), requests)

    def lines(self, stale: LastRun | None) -> list[str]:
        """What the summary says of them."""
        said = [f"{self.replayed:,} replayed"] if self.replayed else []
        said += [f"{self.recorded:,} recorded"] if self.recorded else []
        lines = [f"cassettes  {', '.join(said)}"] if said else []
        if stale is None or not (stale.files or stale.requests):
            return lines
        lines += [f"unused     {on_path(Path(name))}" for name in stale.files]
        lines += [
            f"unused     {counted(len(each.keys), 'request')} in {on_path(Path(name))}"
            for name, each in stale.requests.items()
        ]
        return [*lines, "           remove them: dspy-profiles cassettes prune"]
