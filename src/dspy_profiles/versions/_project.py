"""The project around the working directory: how it is installed, and what its lock pins."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from dspy_profiles.config import find_locations, read_toml
from dspy_profiles.display import on_path
from dspy_profiles.versions._uv import run_uv
from dspy_profiles.versions._wheel import DISTRIBUTION

__all__ = ["Project"]

LOCK = "uv.lock"
EXTRAS = re.compile(r"dspy\s*\[([\w\s,.-]+)\]", re.IGNORECASE)
PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(==|@)")
EXPORT = (
    "export --frozen --no-emit-project --no-emit-workspace --no-emit-local --no-hashes "
    "--no-annotate --no-header --all-groups --all-extras --quiet --prune dspy"
)


@dataclass(frozen=True)
class Project:
    """A folder with a pyproject.toml, or without one: then nothing is installed."""

    folder: Path
    data: Mapping[str, Any]
    content: bytes = b""
    lock: bytes | None = None

    @classmethod
    def here(cls) -> Self:
        """Return the project of the working directory."""
        locations = find_locations()
        if not locations.pyprojects:
            return cls(locations.cwd, {})
        path = locations.pyprojects[0]
        # That of a workspace is in a folder above.
        locks = (each.with_name(LOCK) for each in locations.pyprojects)
        lock = next((each.read_bytes() for each in locks if each.is_file()), None)
        return cls(path.parent, read_toml(path).data, path.read_bytes(), lock)

    @property
    def _is_ours(self) -> bool:
        return str(self._table("project").get("name", "")).lower() == DISTRIBUTION

    @property
    def is_package(self) -> bool:
        """Whether it can be installed: not only a list of requirements or settings of tools."""
        is_off = self._table("tool", "uv").get("package") is False
        is_built = "build-system" in self.data or (self.folder / "setup.py").is_file()
        return bool(self.data) and is_built and not is_off and not self._is_ours

    @property
    def has_requirements(self) -> bool:
        return "project" in self.data

    @cached_property
    def groups(self) -> Sequence[str]:
        """The dependency groups that `uv sync` installs without being asked."""
        default = self._table("tool", "uv").get("default-groups", ["dev"])
        known = self._table("dependency-groups")
        return [name for name in known if default == "all" or name in default]

    @property
    def extras_of_dspy(self) -> str:
        """The extras with which it requires DSPy, as in `[mcp]`: overriding would drop them."""
        groups = self._table("dependency-groups")
        lists = [self._table("project").get("dependencies"), *(groups[n] for n in self.groups)]
        found = [
            EXTRAS.match(each)
            for requirements in lists
            if isinstance(requirements, list)
            for each in requirements
            if isinstance(each, str)
        ]
        names = {name.strip() for match in found if match for name in match[1].split(",")}
        return f"[{','.join(sorted(names))}]" if names else ""

    def requirements(self) -> list[str]:
        """Return the lines of a requirements file that install it."""
        return [f"-e {self.folder.as_uri()}"] if self.is_package else []

    def words(self) -> list[str]:
        """Return the arguments of `uv pip install` that a requirements file has no words for."""
        path = self.folder / "pyproject.toml"
        words = ["-r", str(path)] if self.has_requirements and not self.is_package else []
        return [*words, *(word for name in self.groups for word in ("--group", f"{path}:{name}"))]

    def pins(self) -> list[str]:
        """Return what its lock pins, apart from DSPy, from what only DSPy needs, and from us."""
        if self.lock is None:
            return []
        exported = run_uv(EXPORT.split(), self.folder, f"{on_path(self.folder / LOCK)} is not used")
        pins = (line.strip() for line in exported.splitlines())
        names = {"dspy", "dspy-ai", DISTRIBUTION}
        return [
            pin
            for pin in pins
            if (match := PINNED.match(pin)) and match[1].lower().replace("_", "-") not in names
        ]

    def describe(self) -> str | None:
        """Say how it is installed, apart from its lock."""
        name = str(self._table("project").get("name") or self.folder.name)
        if self.is_package:
            return f"{name} is installed editable, its requirement on dspy overridden"
        if self.has_requirements:
            return f"the requirements of {name} are installed, that on dspy overridden"
        return None

    def _table(self, *path: str) -> Mapping[str, Any]:
        found: Any = self.data
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}
