"""Which cassette a test, or a fixture that outlives tests, is recorded on and replayed from."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.cassettes import Cassette, checked_match, checked_mode
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.resolved import ResolvedProfile
from dspy_profiles.resolver import is_offline
from pytest_dspy_profiles.asked import Asked
from pytest_dspy_profiles.marks import faulty

__all__ = ["CassetteMark", "Tapes", "cassette_mark", "path_for"]

CASSETTE = "dspy_cassette"
KEYWORDS = frozenset({"name", "mode", "match"})
EXAMPLE = '@pytest.mark.dspy_cassette(mode="once")'
LONGEST = 120  # characters of a file's name; most file systems take 255 bytes


@dataclass(frozen=True)
class CassetteMark:
    """What the nearest mark says."""

    name: str | None = None
    mode: str | None = None
    match: tuple[str, ...] | None = None


def cassette_mark(node: Any) -> CassetteMark | None:
    """The nearest one, checked."""
    found = next(iter(node.iter_markers_with_node(CASSETTE)), None)
    return None if found is None else read(*found)


def read(where: Any, mark: pytest.Mark) -> CassetteMark:
    """One mark; what is wrong with it is told with its place."""
    with faulty(where, mark):
        by_place = dict(zip(("name", "mode"), mark.args, strict=False))
        given: dict[str, Any] = {**by_place, **mark.kwargs}
        unknown = given.keys() - KEYWORDS
        if unknown or len(mark.args) > 2:  # noqa: PLR2004 - a name and a mode
            raise InvalidProfile("dspy_cassette takes name, mode and match", hint=EXAMPLE)
        name, mode, match = (given.get(key) for key in ("name", "mode", "match"))
        if name is not None and (not isinstance(name, str) or not name.strip("./ ")):
            raise InvalidProfile(f"a cassette is named by a text, not by {name!r}", hint=EXAMPLE)
        return CassetteMark(
            name,
            None if mode is None else checked_mode(str(mode)),
            None if match is None else checked_match(match),
        )


class Tapes:
    """Opens a cassette for each test, and each wider fixture, that is to have one."""

    def __init__(self, asked: Asked, root: Path) -> None:
        self._asked = asked
        self._root = root

    def for_test(self, item: Any, profile: ResolvedProfile | None) -> Cassette | None:
        """The cassette of a test; None where it is to have none."""
        mark = cassette_mark(item)
        if mark is None and profile is not None and is_offline(profile):
            return None  # a mock says the same without one
        mode = self._mode(mark)
        if mode == "off":
            return None
        name = mark.name if mark is not None else None
        own = f"{item.getparent(pytest.Class).name}." if item.getparent(pytest.Class) else ""
        path = path_for(self._folder, item.path.relative_to(self._root), name or own + item.name)
        return self._open(path, mode, mark, profile, item.nodeid)

    def for_fixture(
        self, node: Any, fixture: Any, profile: ResolvedProfile | None
    ) -> Cassette | None:
        """That of a fixture which outlives tests: its calls are no test's."""
        mark = cassette_mark(node)
        if mark is None and profile is not None and is_offline(profile):
            return None
        mode = self._mode(mark)
        if mode == "off":
            return None
        base = Path(fixture.baseid or "conftest.py")
        path = path_for(self._folder, base, f"{fixture.argname}.fixture")
        return self._open(path, mode, mark, profile, str(fixture.baseid or "."))

    def _open(
        self,
        path: Path,
        mode: str,
        mark: CassetteMark | None,
        profile: ResolvedProfile | None,
        where: str,
    ) -> Cassette:
        return Cassette(
            path,
            checked_mode(mode),
            match=None if mark is None else mark.match,
            profile="" if profile is None else profile.fingerprint,
            command=f"pytest '{where}' --dspy-cassettes new",
        )

    def _mode(self, mark: CassetteMark | None) -> str:
        """The command line and the environment, the mark, the settings; a mark alone is none."""
        given = self._asked.scene.settings.values["cassettes"]
        if given.origin.startswith(("--", "DSPY_")):
            return str(given.value)
        if mark is not None:
            return mark.mode or (str(given.value) if given.value != "off" else "none")
        return str(given.value)

    @property
    def _folder(self) -> Path:
        given = self._asked.scene.settings.path("cassette-dir")
        return self._root / "cassettes" if given is None else given


def path_for(folder: Path, module: Path, name: str) -> Path:
    """`cassettes/tests/test_qa/TestChat.test_hello[fr].jsonl`, as any file system takes it."""
    return folder / module.with_suffix("") / f"{safe(name)}.jsonl"


def safe(name: str) -> str:
    """A name for a file; where something had to go, a short hash keeps it apart from others.

    So it does where capital letters in a parameter may be all that tells two tests apart: some
    file systems do not.
    """
    _, bracket, parameter = name.partition("[")
    shown = re.sub(r"[^\w.\[\]=,+-]+", "-", name, flags=re.ASCII)[:LONGEST].strip("-. ")
    if shown == name and parameter == parameter.lower():
        return shown
    kept = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{shown.rstrip(']')}-{kept}{']' if bracket else ''}"
