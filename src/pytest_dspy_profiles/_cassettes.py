"""The cassettes of tests and of wider fixtures: paths, modes, filters, and what is unused."""

import hashlib
import os
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dspy_profiles.calls.cassettes import LastRun, NotAsked, checked_mode
from dspy_profiles.display import counted, on_path
from dspy_profiles.profiles import ResolvedProfile, is_offline
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._marks import CassetteMark, cassette_mark
from pytest_dspy_profiles._select import parameter_of

if TYPE_CHECKING:
    from dspy_profiles.calls.cassettes import Cassette, Filter

__all__ = ["CassetteUsage", "TestCassettes", "is_full_run", "path_for"]

LONGEST = 120  # characters of a file's name; most file systems take 255 bytes
# Windows has no files of these names, whatever their ending.
DEVICES = frozenset(
    {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)


HOOKS = {"request": "pytest_dspy_filter_request", "response": "pytest_dspy_filter_response"}
# Outcomes of tests that did not run to their end: their cassettes may be in use.
NOT_RUN = ("deselected", "skipped", "xfailed")
SELECTING = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise")


class TestCassettes:
    """Opens and saves the cassettes of tests and of wider fixtures."""

    def __init__(self, session_config: SessionConfig, root: Path, *, keeps: bool) -> None:
        self._config = session_config
        self._root = root
        self._keeps = keeps  # also what a failed test has recorded
        self._since = time.time()
        self._shared: set[Cassette] = set()  # in mode once, begun by another test of this session
        self._ended: list[dict[str, Any]] = []

    def end(self, cassette: "Cassette | None", *, failed: bool) -> None:
        """Save what was recorded, unless a test that began the file has failed."""
        if cassette is None:
            return
        recorded = cassette.recorded
        is_new = cassette.mode in ("once", "all") or cassette in self._shared
        if failed and is_new and not self._keeps:
            cassette.discard()
            recorded = 0
        else:
            cassette.save()
        self._ended.append(
            {
                "path": str(cassette.path),
                "replayed": cassette.replayed,
                "recorded": recorded,
                "match": list(cassette.match),
                "unused": sorted({entry.key for entry in cassette.unused}),
            }
        )

    def ended(self) -> list[dict[str, Any]]:
        """Return the counts of the cassettes that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def for_test(self, item: Any, profile: ResolvedProfile | None) -> "Cassette | None":
        """Return the cassette of a test, or None."""
        mark = cassette_mark(item)
        if not self._has_cassette(mark, profile):
            return None
        shared = None if mark is None else mark.name
        name = _name_of(item) if shared is None else _shared_name(item, shared)
        folder = self._config.cassette_folder(self._root)
        apart = shared is None and _has_a_twin(item)
        path = path_for(folder, item.path.relative_to(self._root), name, apart=apart)
        return self._open(path, mark, profile, item)

    def for_fixture(
        self, node: Any, fixture: Any, profile: ResolvedProfile | None
    ) -> "Cassette | None":
        """Return the cassette of a wider fixture, or None: its calls belong to no test."""
        mark = cassette_mark(node)
        if not self._has_cassette(mark, profile):
            return None
        base = Path(fixture.baseid or "conftest.py")
        folder = self._config.cassette_folder(self._root)
        path = path_for(folder, base, f"{fixture.argname}.fixture")
        return self._open(path, mark, profile, node, str(fixture.baseid or "."))

    def _has_cassette(self, mark: CassetteMark | None, profile: ResolvedProfile | None) -> bool:
        # An offline profile needs no cassette, unless a mark wants one.
        is_needed = mark is not None or profile is None or not is_offline(profile)
        return is_needed and self._mode(mark) != "off"

    def _open(
        self,
        path: Path,
        mark: CassetteMark | None,
        profile: ResolvedProfile | None,
        node: Any,
        where: str | None = None,
    ) -> "Cassette":
        from dspy_profiles.calls.cassettes import Cassette  # imports DSPy

        mode = checked_mode(self._mode(mark))
        is_shared = mode == "once" and self._is_of_this_session(path)
        cassette = Cassette(
            path,
            "new" if is_shared else mode,
            match=None if mark is None else mark.match,
            profile="" if profile is None else profile.fingerprint,
            command=self._command(node, where or str(node.nodeid)),
            filter=_filter_for(node),
            since=self._since,
        )
        if is_shared:
            self._shared.add(cassette)
        return cassette

    def _is_of_this_session(self, path: Path) -> bool:
        """Return whether the session began the file: then all tests that share it record to it."""
        try:
            return path.stat().st_mtime >= self._since
        except OSError:
            return False

    def _command(self, node: Any, where: str) -> str:
        """Return the command that records it, for the folder in which this pytest was started."""
        file, *names = where.split("::")
        here = node.config.invocation_params.dir
        test = "::".join([Path(os.path.relpath(self._root / file, here)).as_posix(), *names])
        named = self._config.named
        option = ["--dspy-profile", ",".join(named.names)] if named.by.startswith("--") else []
        quoted = shlex.quote(test) if "'" in test else f"'{test}'"
        return " ".join(["pytest", quoted, *map(shlex.quote, option), "--dspy-cassettes new"])

    def _mode(self, mark: CassetteMark | None) -> str:
        """Return the mode of command line or environment, mark, settings; of a mark alone, none."""
        setting = self._config.scene.settings.values["cassettes"]
        if setting.origin.startswith(("--", "DSPY_")):
            return str(setting.value)
        if mark is not None:
            return mark.mode or (str(setting.value) if setting.value != "off" else "none")
        return str(setting.value)


def _name_of(item: Any) -> str:
    """Return the classes and the id of a test."""
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    return ".".join([*classes, item.name])


def _has_a_twin(item: Any) -> bool:
    """Return whether the name of the test, or of its class, differs from another only in case.

    A name in lower case stays as it is, so that its test keeps its file when the other comes.
    """
    for node in item.listchain():
        name = getattr(node, "originalname", None) or node.name
        around = getattr(node.parent, "obj", None)
        if (
            isinstance(node, pytest.Class | pytest.Function)
            and name != name.lower()
            and any(other.lower() == name.lower() and other != name for other in dir(around))
        ):
            return True
    return False


def _shared_name(item: Any, name: str) -> str:
    """Return the name of a cassette that tests share; in a matrix, one for each profile."""
    profile = parameter_of(item)
    return name if profile is None else f"{name}[{profile}]"


def path_for(folder: Path, module: Path, name: str, *, apart: bool = False) -> Path:
    """Return `cassettes/tests/test_qa/TestChat.test_hello[fr].jsonl`, valid on all systems."""
    return folder / module.with_suffix("") / f"{safe(name, apart=apart)}.jsonl"


def safe(name: str, *, apart: bool = False) -> str:
    """Return a name for a file; a short hash replaces what a file system may not keep apart.

    These are characters that are not allowed, and capital letters in a parameter. `apart` adds the
    hash because of capital letters in the rest of the name.
    """
    _, bracket, parameter = name.partition("[")
    shown = re.sub(r"[^\w.\[\]=,+-]+", "-", name, flags=re.ASCII)[:LONGEST].strip("-. ")
    is_device = shown.partition(".")[0].lower() in DEVICES
    is_plain = shown == name and parameter == parameter.lower() and not apart
    if shown and is_plain and not is_device:
        return shown
    kept = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    if is_device or not shown:
        return f"{kept}-{shown}".rstrip("-")
    return f"{shown.rstrip(']')}-{kept}{']' if bracket else ''}"


def _filter_for(node: Any) -> "Filter | None":
    """Return the filter of all hooks for a test, or for the node of a fixture; None without any."""
    callers = {part: _callers(node, hook) for part, hook in HOOKS.items()}
    if not any(callers.values()):
        return None

    def keep(record: dict[str, Any]) -> dict[str, Any]:
        kind = record["kind"]
        part = "request" if "request" in record else "response"
        kept = record[part]
        for call in callers[part]:
            for changed in call(**{part: kept}, kind=kind, item=node):
                kept = _checked(changed, part)
        return {"kind": kind, part: kept}

    return keep


def _callers(node: Any, name: str) -> Sequence[Any]:
    """Return one caller for each implementation, in pytest's order: the nearest conftest first."""
    hook = getattr(node.ihook, name)
    plugins = [impl.plugin for impl in reversed(hook.get_hookimpls())]
    manager = node.config.pluginmanager
    others = [[other for other in manager.get_plugins() if other is not one] for one in plugins]
    return [manager.subset_hook_caller(name, rest) for rest in others]


def _checked(changed: object, part: str) -> dict[str, Any]:
    if not isinstance(changed, Mapping):
        raise TypeError(f"{HOOKS[part]} returned {type(changed).__name__}, and not a table")
    return dict(changed)


def is_full_run(config: pytest.Config) -> bool:
    """Return whether all tests of the project ran: none was named, deselected or skipped."""
    option = config.option
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or any(reporter.stats.get(outcome) for outcome in NOT_RUN):
        return False
    if config.args_source is pytest.Config.ArgsSource.ARGS or option.collectonly:
        return False
    return not any(getattr(option, name, None) for name in (*SELECTING, "maxfail"))


class CassetteUsage:
    """The counts of all cassettes, from all processes."""

    def __init__(self) -> None:
        self.replayed = self.recorded = 0
        self._unused: dict[str, set[str]] = {}
        self._match: dict[str, Sequence[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._match)

    def add(self, counts: Mapping[str, Any]) -> None:
        """Add one cassette that has ended."""
        path, unused = counts["path"], set(counts["unused"])
        self.replayed += counts["replayed"]
        self.recorded += counts["recorded"]
        # A response that one test did not use may have been used by another.
        self._unused[path] = self._unused[path] & unused if path in self._unused else unused
        self._match[path] = counts["match"]

    def last_run(self, folder: Path) -> LastRun:
        """Return the files and responses in a folder that no test has used."""
        files = {str(path.resolve()) for path in folder.rglob("*.jsonl")}
        requests = {
            path: NotAsked(sorted(keys), self._match[path])
            for path, keys in sorted(self._unused.items())
            if keys and path in files
        }
        return LastRun(sorted(files - self._match.keys()), requests)

    def lines(self, last_run: LastRun | None) -> list[str]:
        """Return the lines of the summary."""
        counts = [f"{self.replayed:,} replayed"] if self.replayed else []
        counts += [f"{self.recorded:,} recorded"] if self.recorded else []
        lines = [f"cassettes  {', '.join(counts)}"] if counts else []
        if last_run is None or not (last_run.files or last_run.requests):
            return lines
        lines += [f"unused     {on_path(Path(name))}" for name in last_run.files]
        lines += [
            f"unused     {counted(len(unused.keys), 'request')} in {on_path(Path(name))}"
            for name, unused in last_run.requests.items()
        ]
        return [*lines, "           remove them: dspy-profiles cassettes prune"]
