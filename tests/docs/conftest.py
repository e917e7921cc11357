"""Parse README.md and the pages under docs/ into blocks, with file names, marks and lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"(?P<ticks>`{3,})(?P<language>[\w-]*)[ \t]*(?P<rest>.*)")
TITLE = re.compile(r'title="([^"]+)"')
# A comment on a line of its own, above a block, says what the block is.
COMMENT = re.compile(r"<!-- (?P<kind>[a-z ]+?)(?:: (?P<value>.+?))? -->")
MARKS = ("file", "output", "not run", "refused")


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is the page's line on which its text begins."""

    language: str
    text: str
    line: int
    file: str | None = None  # what it is written to
    marks: frozenset[str] = frozenset()

    @property
    def is_profiles(self) -> bool:
        """Whether this is a profiles file, or a piece of one."""
        if self.language != "toml":
            return False
        if self.file is None:
            return "[tool." not in self.text
        return Path(self.file).name not in ("pyproject.toml", "config.toml")


@dataclass(frozen=True)
class Page:
    path: Path
    lines: list[str] = field(repr=False)

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def blocks(self) -> list[Block]:
        return list(self._blocks())

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """The lines outside of all blocks, with their numbers."""
        inside = {
            n for b in self.blocks for n in range(b.line - 1, b.line + b.text.count("\n") + 1)
        }
        return [(n, line) for n, line in enumerate(self.lines, 1) if n not in inside]

    def _blocks(self) -> Iterator[Any]:
        marks: dict[str, str] = {}
        number = 0
        while number < len(self.lines):
            line = self.lines[number]
            number += 1
            comment, fence = COMMENT.fullmatch(line), FENCE.fullmatch(line)
            if comment and comment["kind"] in MARKS:
                marks[comment["kind"]] = comment["value"] or ""
            elif fence:
                end = self.lines.index(fence["ticks"], number)
                title = TITLE.search(fence["rest"])
                yield Block(
                    fence["language"],
                    "".join(f"{row}\n" for row in self.lines[number:end]),
                    number + 1,
                    title[1] if title else marks.get("file"),
                    frozenset(marks),
                )
                number, marks = end + 1, {}
            elif line.strip() and marks:
                raise ValueError(f"{self.name}:{number}: a comment that marks no block")


@cache
def pages() -> list[Page]:
    paths = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [Page(path, path.read_text("utf-8").splitlines()) for path in paths]


@pytest.fixture(scope="session")
def docs() -> Path:
    return DOCS


@pytest.fixture(scope="session")
def all_pages() -> list[Page]:
    return pages()


@pytest.fixture
def made_page() -> Any:
    """Makes a page of a text, as if it stood among the others."""
    return lambda text: Page(DOCS / "made.md", text.splitlines())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `page` runs for every page."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages(), ids=lambda page: page.name.removeprefix("docs/"))
