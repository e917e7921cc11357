"""An experiment from its first line to its archive, whoever writes what is in between."""

import os
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from dspy_profiles.config import load_settings, locate
from dspy_profiles.display import counted
from dspy_profiles.errors import ProfileError, StoreError
from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.results._ids import new_id
from dspy_profiles.results._model import VERSION, Experiment
from dspy_profiles.results.journal import _archive
from dspy_profiles.results.journal._base import Durability, Journal, JournalStorage
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.recording._environment import circumstances
from dspy_profiles.results.recording._json import clean
from dspy_profiles.results.recording._lines import JournalWriter, now
from dspy_profiles.results.store._open import is_usual
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.secrets import remember_environment

__all__ = ["ExperimentWriter", "begin_journal", "say", "shared_folder"]

NAMED = 80  # characters of a name that are shown


class ExperimentWriter:
    """Says what is recorded, and closes it. Never imports DSPy."""

    def __init__(
        self,
        store: Store,
        name: str,
        durability: Durability = "process",
        experiment_id: str | None = None,
    ) -> None:
        self.id = experiment_id or new_id()
        self.name = name
        self.store = store
        self.process = os.getpid()
        self.journal = begin_journal(store.shelf, self.id, durability)
        self.lines = JournalWriter(self.journal)

    def title(
        self,
        profile: ResolvedProfile | None,
        hypothesis: str | None = None,
        program: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """The experiment's own line."""
        content = {
            "v": VERSION,
            "id": self.id,
            "name": self.name,
            "hypothesis": hypothesis,
            "program": program,
            "profile": None if profile is None else profile.name,
            "details": {**circumstances(profile), **(details or {})},
        }
        self.lines.experiment(content)

    def close(self, status: str, **more: Any) -> Experiment | None:
        """Seal and archive it. None where that failed, which is said. Never raises."""
        self.journal.finish()
        try:
            if self.journal.lost:
                more["lost"] = self.journal.lost
            if not self.store.shelf.names(self.id):  # a seal would stand there alone
                say(f'"{_told(self.name)}" is lost: its journals were removed meanwhile')
                return None
            # Before it is let go: who recovers just now would take its process for dead.
            _archive.seal(self.store.shelf, self.id, status, ended=now(), **more)
            self.journal.close()
            return self.store.archive_experiment(self)
        except Exception as failure:  # noqa: BLE001 - the program's own result is what counts
            message = failure.message if isinstance(failure, ProfileError) else str(failure)
            say(
                f'"{_told(self.name)}" is recorded but not archived: {clean(message)}; '
                f"dspy-profiles results recover{self._store_option()} does it later"
            )
            return None
        finally:
            self.journal.close()

    def closing_lines(self, done: Experiment, faults: Mapping[str, Any] | None = None) -> list[str]:
        """What there is, how to look at it, and what is not there."""
        trials = counted(done.trials, "trial")
        score = "" if done.score is None else f", score {done.score:.4g}"
        lines = [f'recorded "{_told(self.name)}": {trials}{score}; {self._look()}']
        if lost := done.details.get("lost"):
            why = f": {self.journal.why}" if self.journal.why else ""
            lines.append(f"{lost} of its lines were lost{why}")
        if faults and faults["count"]:
            lines.append(
                f"{faults['count']} of its calls could not be recorded as they should be: "
                f"{faults['first']}"
            )
        return lines

    def _look(self) -> str:
        """What shows it: where no command can, a function in this process."""
        url = self.store.url
        if url.startswith("memory:"):
            return f'view_experiment("{self.id}", open_store("{url}"))'
        return f"dspy-profiles trace {self.id}{self._store_option()}"

    def _store_option(self) -> str:
        """What a command has to be told to find this store."""
        with suppress(ProfileError):  # settings that broke meanwhile are no reason to say nothing
            if is_usual(self.store):
                return ""
        return f" --store {shlex.quote(self.store.url)}"


def _told(name: str) -> str:
    """A name on one line, redacted, with nothing in it that steers a terminal."""
    name = clean(name)[: 2 * NAMED]
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return line if len(line) <= NAMED else f"{line[: NAMED - 1]}…"


def shared_folder(store: Store) -> Path:
    """The folder in which other processes write their part; a StoreError where there is none."""
    if isinstance(store.shelf, FolderStorage):
        return store.shelf.root
    raise StoreError(
        f"{store.url} is kept in one process, and this run has several",
        hint="name a store that lasts: file:results",
    )


def begin_journal(
    shelf: JournalStorage, experiment_id: str, durability: Durability, parent: int | None = None
) -> Journal:
    """This process's journal. After a fork it goes on in one of the child's own."""
    remember_environment(load_settings(locate()).secret_names)
    begun_by = os.getpid()

    def first(journal: str) -> bytes:
        here = os.getpid()
        line = {
            "type": "journal",
            "v": VERSION,
            "experiment": experiment_id,
            "journal": journal,
            "pid": here,
            "parent_pid": parent if here == begun_by else begun_by,
            "started": now(),
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    return shelf.begin(experiment_id, durability, first)


def say(text: str) -> None:
    """One line on stderr, which may be closed, or none at all."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"dspy-profiles: {text}\n")
