"""What the tests of this room share: profiles made by hand, packages written to a folder."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.profiles import Origin, ResolvedProfile, Table, leaves
from dspy_profiles.schema._describe import describe


@pytest.fixture(scope="session")
def installed() -> Any:
    """The installed DSPy, described afresh."""
    spec = importlib.util.find_spec("dspy")
    assert spec is not None
    assert spec.origin is not None
    return describe(Path(spec.origin).parents[1])


@pytest.fixture
def profile() -> Any:
    """A resolved profile as a file would give it: its n-th value stands in line n + 1."""

    def make(values: Any, name: str = "prod", file: str = "profiles.toml") -> Any:
        sources = {
            path: Origin(Path(file), line, "project", name)
            for line, (path, _) in enumerate(leaves(values), 2)
        }
        return ResolvedProfile(
            name, Table.of(values), "from the argument", files=(Path(file),), sources=sources
        )

    return make


@pytest.fixture
def files(tmp_path: Path) -> Any:
    """Write the files of a package, given as path -> text, and tell the folder."""

    def make(texts: Any, folder: str = ".") -> Any:
        for name, text in texts.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / folder

    return make
