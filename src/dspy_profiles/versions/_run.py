"""Run one command in one environment, offline, on copies of the cassettes; record what it does."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dspy_profiles.activation import LOCAL_PRICES
from dspy_profiles.config import load_settings, locate
from dspy_profiles.display import word
from dspy_profiles.errors import InvalidProfile, ProfileNotFound
from dspy_profiles.profiles import (
    Choice,
    ResolvedProfile,
    Scene,
    choose,
    is_offline,
    resolve_choice,
)
from dspy_profiles.results import Experiment, open_store
from dspy_profiles.run import is_pythons
from dspy_profiles.versions._cassettes import copied, folder_of_tests
from dspy_profiles.versions._environments import Environment
from dspy_profiles.versions._uv import NoEnvironment, own_environ

__all__ = ["Command", "Ran", "is_pytest", "run_in"]

PYTHON = re.compile(r"python[0-9.]*(\.exe)?")
PYTESTS = ("pytest", "py.test")
COPY, STORE, PROGRAM = "cassettes", "results", "program.jsonl"
NONE = "(none is named)"


def is_pytest(words: Sequence[str]) -> bool:
    """Return whether a command is pytest, or `python -m pytest`."""
    return _after_pytest(words) > 0


@dataclass(frozen=True)
class Command:
    """A command, and how its calls are answered."""

    words: Sequence[str]
    profile: str | None = None
    cassette: Path | None = None  # of a program; tests have their own
    live: bool = False
    shown: bool = False  # whether its output is passed on, to stderr

    def checked(self) -> "Command":
        """Return it if it can run. Raises an error if its calls could not be kept offline."""
        if is_pytest(self.words):
            if self.cassette is not None:
                raise InvalidProfile(
                    "--cassette is for programs: tests have cassettes of their own",
                    hint="remove --cassette",
                )
        elif self.cassette is not None and not self.cassette.is_file():
            raise ProfileNotFound(
                f"cassette {self.cassette} not found",
                hint=f"record it: dspy-profiles run --cassette {word(self.cassette)} "
                "--cassettes new -- …",
            )
        elif self.cassette is not None:
            self._profile()
        else:
            self._is_offline()
        for name in (self.profile or "").split(",") if is_pytest(self.words) else ():
            if name.strip():  # for tests it may be a list
                resolve_choice(Scene.now(), Choice(name.strip(), "from --profile"))
        return self

    def _is_offline(self) -> bool:
        """Return whether a program's profile makes no live calls."""
        try:
            return is_offline(self._profile())
        except ProfileNotFound:
            if self.profile is not None:
                raise
            if self.live:
                return True
            raise ProfileNotFound(
                "no active profile: the calls of the program cannot be kept offline",
                hint="add --profile NAME, or --live to let it call its models",
            ) from None

    def _profile(self) -> ResolvedProfile:
        scene = Scene.now()
        named = self.profile
        choice = choose(scene, None) if named is None else Choice(named, "from --profile")
        return resolve_choice(scene, choice)

    def words_in(self, environment: Environment, place: Path) -> list[str]:
        """Return the words to run in an environment; the files that they write are in `place`."""
        words = _in_environment(self.words, environment)
        at = _after_pytest(words)
        store = f"file:{place.parent / STORE}"
        if at:
            return [*words[:at], *self._flags(store, place), *words[at:]]
        own = [str(environment.program("python")), "-m", "dspy_profiles", "run", "--record"]
        own += ["--store", store]
        if self.profile is not None:
            own += ["--profile", self.profile]
        copy = place / COPY / PROGRAM
        if self.cassette is not None:
            copied(self.cassette, copy)
            own += ["--cassette", str(copy), "--cassettes", "new" if self.live else "none"]
        elif not (self.live or self._is_offline()):
            own += ["--cassette", str(copy), "--cassettes", "none"]  # an empty one: none goes out
        return [*own, "--", *words]

    def _flags(self, store: str, place: Path) -> list[str]:
        """Return flags of pytest. What it would leave behind in the project goes to `place`."""
        copied(folder_of_tests(self.words[_after_pytest(self.words) :]), place / COPY)
        flags = [f"--dspy-store={store}", f"--dspy-cassette-dir={place / COPY}"]
        flags += [f"--dspy-report={place / 'report.json'}", f"-ocache_dir={place / 'cache'}"]
        # A full run would write down which cassettes, of these copies, it did not need.
        flags.append(f"--ignore={place}")
        if self.live:
            flags.append("--dspy-cassettes=new")
        else:
            flags.append("--dspy-live=block")
            if load_settings(locate()).text("cassettes") != "off":
                flags.append("--dspy-cassettes=none")
        if self.profile is not None:
            flags.append(f"--dspy-profile={self.profile}")
        return flags

    def original(self, place: Path, text: str) -> str:
        """Return a text with the names of the cassettes, instead of those of their copies."""
        copy = place / COPY
        if is_pytest(self.words):
            shown = os.path.relpath(folder_of_tests(self.words[_after_pytest(self.words) :]))
        else:
            copy, shown = copy / PROGRAM, str(self.cassette or NONE)
        return text.replace(str(copy), shown).replace(os.path.relpath(copy), shown)


@dataclass(frozen=True)
class Ran:
    """What a command did in one environment."""

    environment: Environment
    place: Path
    exit_code: int
    seconds: float
    experiment: Experiment | None

    @property
    def output(self) -> str:
        """What it has printed, unless that was shown."""
        try:
            return (self.place / "output.txt").read_text("utf-8", "replace")
        except OSError:
            return ""

    @property
    def imported(self) -> str | None:
        """The version of DSPy that the command imported; None if nothing was recorded."""
        versions = {} if self.experiment is None else self.experiment.details.get("versions")
        found = versions.get("dspy") if isinstance(versions, Mapping) else None
        return found if isinstance(found, str) else None


def run_in(environment: Environment, command: Command, folder: Path) -> Ran:
    """Run a command in an environment. Its record goes to a store in `folder`.

    Raises NoEnvironment if the command imports another DSPy than that of the environment.
    """
    place = folder / environment.requested
    place.mkdir()
    words = command.words_in(environment, place)
    with open_store(f"file:{folder / STORE}") as store:
        known = {each.id for each in store.query_experiments()}
        begun = time.monotonic()
        exit_code = _run(words, _environ(environment), place, shown=command.shown)
        seconds = time.monotonic() - begun
        new = [each for each in store.query_experiments() if each.id not in known]
    ran = Ran(environment, place, exit_code, seconds, new[0] if new else None)
    if ran.imported not in (None, environment.dspy):
        raise NoEnvironment(
            f"the command imported DSPy {ran.imported}, not {environment.dspy} of its environment",
            hint="run pytest or python itself, without uv run, tox, nox or a full path",
        )
    return ran


def _run(words: Sequence[str], environ: Mapping[str, str], place: Path, *, shown: bool) -> int:
    with (place / "output.txt").open("wb") as output:
        to = sys.stderr.fileno() if shown else output
        try:
            return subprocess.run(  # noqa: S603 - what we are here for
                words,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=to if shown else subprocess.STDOUT,
                check=False,
            ).returncode
        except OSError as error:
            raise InvalidProfile(
                f'"{words[0]}" cannot be run: {error.strerror}',
                hint="name a command of the environment after --, such as pytest",
            ) from None


def _environ(environment: Environment) -> dict[str, str]:
    found = own_environ()
    search = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # Without the folder that `run` puts in front for its own children.
    rest = [each for each in search if each and not (Path(each) / "sitecustomize.py").is_file()]
    if rest:
        found["PYTHONPATH"] = os.pathsep.join(rest)
    found["PATH"] = os.pathsep.join([str(environment.programs), os.environ.get("PATH", os.defpath)])
    found["VIRTUAL_ENV"] = str(environment.folder)
    found.setdefault(LOCAL_PRICES, "True")
    return found


def _in_environment(words: Sequence[str], environment: Environment) -> list[str]:
    """Return the words with the environment's own program in front, if it has that program."""
    if is_pythons(words[0]):
        return [str(environment.program("python")), *words]
    name = Path(words[0]).name
    if words[0] == sys.executable or (name == words[0] and PYTHON.fullmatch(name)):
        return [str(environment.program("python")), *words[1:]]
    found = shutil.which(words[0], path=str(environment.programs)) if name == words[0] else None
    return [found or words[0], *words[1:]]


def _after_pytest(words: Sequence[str]) -> int:
    """Return how many words lead to pytest; 0 if it is another command."""
    first = Path(words[0]).name.removesuffix(".exe")
    if first in PYTESTS:
        return 1
    start = 1 if PYTHON.fullmatch(first) else 0
    return start + 2 if list(words[start : start + 2]) == ["-m", "pytest"] else 0
