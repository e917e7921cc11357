"""Which cassette a test, or a fixture that outlives tests, is recorded on and replayed from."""

import hashlib
import os
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.calls.cassettes import Cassette, checked_mode
from dspy_profiles.profiles import ResolvedProfile, is_offline
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._filter import filter_of
from pytest_dspy_profiles._marks import CassetteMark, cassette_mark
from pytest_dspy_profiles._select import parameter_of

__all__ = ["TestCassettes", "path_for"]

LONGEST = 120  # characters of a file's name; most file systems take 255 bytes
# Windows has no files of these names, whatever their ending.
DEVICES = frozenset(
    {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)


class TestCassettes:
    """Opens a cassette for each test, and each wider fixture, that is to have one."""

    def __init__(self, asked: SessionConfig, root: Path, *, keeps: bool) -> None:
        self._asked = asked
        self._root = root
        self._keeps = keeps  # also what a failed test has recorded
        self._since = time.time()
        self._begun: set[Cassette] = set()  # in mode once, by another test of this session
        self._ended: list[dict[str, Any]] = []

    def end(self, cassette: Cassette | None, *, failed: bool) -> None:
        """Write what was recorded; half of a failed test's is not to stay."""
        if cassette is None:
            return
        recorded = cassette.recorded
        afresh = cassette.mode in ("once", "all") or cassette in self._begun
        if failed and afresh and not self._keeps:
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

    def told(self) -> list[dict[str, Any]]:
        """What became of the cassettes that ended since this was asked last."""
        ended, self._ended = self._ended, []
        return ended

    def for_test(self, item: Any, profile: ResolvedProfile | None) -> Cassette | None:
        """The cassette of a test; None where it is to have none."""
        mark = cassette_mark(item)
        if mark is None and profile is not None and is_offline(profile):
            return None  # a mock says the same without one
        if self._mode(mark) == "off":
            return None
        given = None if mark is None else mark.name
        name = _named(item) if given is None else _shared(item, given)
        folder = self._asked.cassettes(self._root)
        apart = given is None and _has_a_twin(item)
        path = path_for(folder, item.path.relative_to(self._root), name, apart=apart)
        return self._open(path, mark, profile, item)

    def for_fixture(
        self, node: Any, fixture: Any, profile: ResolvedProfile | None
    ) -> Cassette | None:
        """That of a fixture which outlives tests: its calls are no test's."""
        mark = cassette_mark(node)
        if mark is None and profile is not None and is_offline(profile):
            return None
        if self._mode(mark) == "off":
            return None
        base = Path(fixture.baseid or "conftest.py")
        path = path_for(self._asked.cassettes(self._root), base, f"{fixture.argname}.fixture")
        return self._open(path, mark, profile, node, str(fixture.baseid or "."))

    def _open(
        self,
        path: Path,
        mark: CassetteMark | None,
        profile: ResolvedProfile | None,
        node: Any,
        where: str | None = None,
    ) -> Cassette:
        mode = checked_mode(self._mode(mark))
        begun = mode == "once" and self._is_of_this_session(path)
        made = Cassette(
            path,
            "new" if begun else mode,
            match=None if mark is None else mark.match,
            profile="" if profile is None else profile.fingerprint,
            command=self._command(node, where or str(node.nodeid)),
            filter=filter_of(node),
            since=self._since,
        )
        if begun:
            self._begun.add(made)
        return made

    def _is_of_this_session(self, path: Path) -> bool:
        """Whether it was absent when the session began: then it is recorded by all who share it."""
        try:
            return path.stat().st_mtime >= self._since
        except OSError:
            return False

    def _command(self, node: Any, where: str) -> str:
        """What records it, as it is typed where this pytest was started."""
        file, *names = where.split("::")
        here = node.config.invocation_params.dir
        test = "::".join([Path(os.path.relpath(self._root / file, here)).as_posix(), *names])
        named = self._asked.named
        words = ["--dspy-profile", ",".join(named.names)] if named.by.startswith("--") else []
        quoted = shlex.quote(test) if "'" in test else f"'{test}'"
        return " ".join(["pytest", quoted, *map(shlex.quote, words), "--dspy-cassettes new"])

    def _mode(self, mark: CassetteMark | None) -> str:
        """The command line and the environment, the mark, the settings; a mark alone is none."""
        given = self._asked.scene.settings.values["cassettes"]
        if given.origin.startswith(("--", "DSPY_")):
            return str(given.value)
        if mark is not None:
            return mark.mode or (str(given.value) if given.value != "off" else "none")
        return str(given.value)


def _named(item: Any) -> str:
    """A test by its classes and its id."""
    classes = [each.name for each in item.listchain() if isinstance(each, pytest.Class)]
    return ".".join([*classes, item.name])


def _has_a_twin(item: Any) -> bool:
    """Whether capitals tell its name, or a class's of its own, from another one that stands there.

    One of such names may be all in small letters: that test keeps its file when the other comes.
    """
    for node in item.listchain():
        name = getattr(node, "originalname", None) or node.name
        around = getattr(node.parent, "obj", None)
        if (
            isinstance(node, pytest.Class | pytest.Function)
            and name != name.lower()
            and any(each.lower() == name.lower() and each != name for each in dir(around))
        ):
            return True
    return False


def _shared(item: Any, name: str) -> str:
    """A name that several tests have; in a matrix once for each profile."""
    profile = parameter_of(item)
    return name if profile is None else f"{name}[{profile}]"


def path_for(folder: Path, module: Path, name: str, *, apart: bool = False) -> Path:
    """`cassettes/tests/test_qa/TestChat.test_hello[fr].jsonl`, as any file system takes it."""
    return folder / module.with_suffix("") / f"{safe(name, apart=apart)}.jsonl"


def safe(name: str, *, apart: bool = False) -> str:
    """A name for a file; where something had to go, a short hash keeps it apart from others.

    So it does where capital letters in a parameter may be all that tells two tests apart: some
    file systems do not. `apart` says that it is so with the rest of the name.
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
