"""One environment for each version of DSPy: named by its content, and there only when whole."""

import hashlib
import json
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from dspy_profiles.errors import InvalidProfile, WriteFailed
from dspy_profiles.schema import cache_folder
from dspy_profiles.versions._project import Project
from dspy_profiles.versions._uv import NoEnvironment, Unresolved, run_uv
from dspy_profiles.versions._wheel import OwnWheel

__all__ = ["DRAFT", "MANIFEST", "Environment", "Recipe", "checked_version", "environments_folder"]

VERSION = re.compile(r"3(\.\d+(\.\d+((a|b|rc)\d+)?)?)?", re.ASCII)
SHORT = 2  # parts of a version that names its newest release
MANIFEST = "dspy-profiles.json"
DRAFT = ".draft-"
FORM = 1
NAMED = 16  # letters of a hash


def checked_version(text: str) -> str:
    """Return a version of DSPy. Raises InvalidProfile for anything else."""
    if VERSION.fullmatch(text):
        return text
    if re.fullmatch(r"[\w.]*\d[\w.]*", text):
        message, hint = f"DSPy {text} is not supported", "use versions from 3.0 to below 4"
    else:
        message = f'"{text}" is not a version of DSPy'
        hint = "name versions, then the command: dspy-profiles versions 3.1 3.4 -- pytest"
    raise InvalidProfile(message, hint)


def environments_folder() -> Path:
    """Return the folder of all environments. It may not exist yet."""
    folder = cache_folder()
    if folder is None:
        raise NoEnvironment("there is no cache folder", hint="set XDG_CACHE_HOME, or HOME")
    return Path(folder) / "versions"


@dataclass(frozen=True)
class Environment:
    """A folder with one version of DSPy, and with us."""

    folder: Path
    requested: str
    dspy: str
    python: str
    notes: Sequence[str] = ()
    is_new: bool = False
    seconds: float = 0.0

    @property
    def programs(self) -> Path:
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    def program(self, name: str) -> Path:
        return self.programs / (f"{name}.exe" if sys.platform == "win32" else name)


@dataclass(frozen=True)
class Recipe:
    """What all environments of one command have in common."""

    project: Project
    python: str | None = None
    more: Sequence[str] = ()  # requirements, as people write them
    with_pytest: bool = False
    own: OwnWheel = field(default_factory=OwnWheel)

    def environment(self, version: str, tell: Callable[[str], None]) -> Environment:
        """Return the environment for a version, made if there is none. `tell` hears of that."""
        folder = environments_folder() / f"{version}-{self._hash(version)}"
        found = read(folder)
        if found is not None:
            return found
        tell(f"DSPy {version}: making an environment")
        begun = time.monotonic()
        try:
            made = self._make(version, folder)
        except OSError as error:
            raise WriteFailed(
                f"the environment for DSPy {version} cannot be written: {error.strerror or error}",
                hint="check the disk space and the permissions of the cache folder",
            ) from None
        seconds = time.monotonic() - begun
        return Environment(**{**vars(made), "is_new": True, "seconds": seconds})

    def _hash(self, version: str) -> str:
        named = self.python or f"{platform.python_version()} {sys.base_prefix}"
        parts: list[Any] = [
            FORM,
            version,
            named,
            sys.platform,
            platform.machine(),
            self.own.digest,
            self.with_pytest,
            list(self.more),
            [_content(each) for each in self.more],
            str(self.project.folder) if self.project.data else "",
            hashlib.sha256(self.project.content).hexdigest(),
            hashlib.sha256(self.project.lock or b"").hexdigest(),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:NAMED]

    def _make(self, version: str, folder: Path) -> Environment:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=folder.parent))
        try:
            inner, notes = draft / "environment", []
            self._venv(inner, version)
            try:
                notes += self._install(inner, draft, version, pinned=True)
            except Unresolved:
                if self.project.lock is None:
                    raise
                notes += self._install(inner, draft, version, pinned=False)
            manifest = _manifest(inner, version, notes)
            (inner / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
            if read(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)  # its Python is gone, or its manifest
            with suppress(OSError):  # another process was first: its environment is the same
                inner.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        made = read(folder)
        if made is None:
            raise NoEnvironment(
                f"the environment for DSPy {version} cannot be used: {folder}",
                hint="delete that folder: dspy-profiles versions --clean",
            )
        return made

    def _venv(self, inner: Path, version: str) -> None:
        words = ["venv", "--quiet", "--no-project", "--relocatable", "--python"]
        what = f"no environment for DSPy {version}"
        run_uv([*words, self.python or sys.executable, str(inner)], self.project.folder, what)

    def _install(self, inner: Path, draft: Path, version: str, *, pinned: bool) -> list[str]:
        """Install everything and say how. Requirements are in files: one may have a password."""
        own = self.own.requirement(self.own.write(draft), with_pytest=self.with_pytest)
        dspy = f"dspy{self.project.extras_of_dspy}{_specifier(version)}"
        notes = [note] if (note := self.project.describe()) else []
        words = ["--override", _file(draft / "overrides.txt", [dspy, own])]
        pins = self.project.pins() if pinned else []
        if pins:
            words += ["--constraint", _file(draft / "constraints.txt", pins)]
            notes.append("all else as uv.lock has it")
        elif self.project.lock is not None and not pinned:
            notes.append(f"uv.lock does not fit DSPy {version} and was not used")
        wanted = [dspy, own, *self.project.requirements(), *map(_absolute, self.more)]
        words += ["-r", _file(draft / "requirements.txt", wanted), *self.project.words()]
        python = str(Environment(inner, version, "", "").program("python"))
        what = f"DSPy {version} cannot be installed"
        run_uv(["pip", "install", "--quiet", "--python", python, *words], self.project.folder, what)
        return notes


def read(folder: Path) -> Environment | None:
    """Return the environment in a folder, or None if it cannot be used."""
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        requested, dspy, python = (str(found[name]) for name in ("requested", "dspy", "python"))
        environment = Environment(folder, requested, dspy, python, tuple(map(str, found["notes"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return environment if environment.program("python").exists() else None


def _specifier(version: str) -> str:
    parts = version.split(".")
    return f"=={version}" if len(parts) > SHORT else f"=={version}.*"


def _manifest(inner: Path, version: str, notes: Sequence[str]) -> dict[str, Any]:
    sites = [*inner.glob("lib/python*/site-packages"), *inner.glob("Lib/site-packages")]
    found = distributions(path=[str(each) for each in sites])
    installed = {each.name.lower(): each.version for each in found}
    config = (inner / "pyvenv.cfg").read_text("utf-8")
    python = re.search(r"^version(?:_info)?\s*=\s*([\d.]+)", config, re.MULTILINE)
    return {
        "form": FORM,
        "requested": version,
        "dspy": installed.get("dspy", "unknown"),
        "python": python[1].rstrip(".") if python else "unknown",
        "notes": list(notes),
    }


def _file(path: Path, lines: Sequence[str]) -> str:
    path.touch(mode=0o600)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def _absolute(requirement: str) -> str:
    """Return a requirement; the path of `-r FILE` starts at the working directory."""
    file = _named_file(requirement)
    return requirement if file is None else f"-r {file.absolute()}"


def _content(requirement: str) -> str:
    file = _named_file(requirement)
    with suppress(OSError):
        return "" if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
    return ""


def _named_file(requirement: str) -> Path | None:
    return Path(requirement[3:].strip()) if requirement.startswith("-r ") else None
