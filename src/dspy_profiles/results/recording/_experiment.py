"""An experiment from its first line to its archive, whichever processes write its events."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from dspy_profiles.config import load_settings, locate
from dspy_profiles.display import counted, on_one_line, visible
from dspy_profiles.errors import ProfileError, StoreError
from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.results._ids import new_id
from dspy_profiles.results._model import VERSION, Experiment
from dspy_profiles.results.journal import _archive
from dspy_profiles.results.journal._base import Durability, Journal, JournalStorage
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.recording._environment import circumstances
from dspy_profiles.results.recording._json import clean
from dspy_profiles.results.recording._lines import LineWriter, now
from dspy_profiles.results.recording._sinks import Sink
from dspy_profiles.results.store._open import is_usual
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.secrets import remember_environment

__all__ = ["ExperimentWriter", "begin_journal", "say", "shared_folder"]

NAMED = 80  # characters of a name that are shown


class ExperimentWriter:
    """Writes the experiment's own line, and closes it. Never imports DSPy."""

    def __init__(
        self,
        store: Store,
        name: str,
        durability: Durability = "process",
        experiment_id: str | None = None,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self.id = experiment_id or new_id()
        self.name = name
        self.store = store
        self.process = os.getpid()
        self.journal = begin_journal(store.storage, self.id, durability)
        self.lines = LineWriter(self.journal, sinks)

    def title(
        self,
        profile: ResolvedProfile | None,
        hypothesis: str | None = None,
        program: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the experiment's own line."""
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
        """Seal and archive the experiment. If that fails, print why, and return None."""
        self.lines.finish()
        try:
            if self.journal.lost:
                more["lost"] = self.journal.lost
            if not self.store.storage.names(self.id):  # a seal without journals is useless
                say(f"{self._shown()} is lost: its journals were removed while it ran")
                return None
            # Before the journal is closed: `recover` would take its process for dead.
            _archive.seal(self.store.storage, self.id, status, ended=now(), **more)
            self.journal.close()
            return self.store.archive_experiment(self)
        except Exception as failure:  # noqa: BLE001 - the program's own result is what counts
            message = failure.message if isinstance(failure, ProfileError) else str(failure)
            say(
                f"{self._shown()} is recorded but not archived: {clean(message)}; "
                f"to archive it: dspy-profiles results recover{self._store_option()}"
            )
            return None
        finally:
            self.journal.close()

    def abandon(self) -> None:
        """Stop writing, and leave the experiment open."""
        self.lines.finish()
        self.journal.close()

    def closing_lines(self, done: Experiment, faults: Mapping[str, Any] | None = None) -> list[str]:
        """Return a summary: the command that shows the experiment, and what is missing in it."""
        trials = counted(done.trials, "trial")
        score = "" if done.score is None else f", score {done.score:.4g}"
        lines = [f"recorded {self._shown()}: {trials}{score}; {self._look()}"]
        if lost := done.details.get("lost"):
            why = f": {self.journal.why}" if self.journal.why else ""
            lines.append(f"{lost} of its lines were lost{why}")
        if faults and faults["count"]:
            lines.append(
                f"{faults['count']} of its calls could not be recorded correctly: {faults['first']}"
            )
        return lines

    def _shown(self) -> str:
        """Return the name in quotes, redacted, on one line, without control characters."""
        return f'"{on_one_line(self.name, NAMED)}"'

    def _look(self) -> str:
        """Return the command that shows it; for a store in memory, the Python expression."""
        url = self.store.url
        if url.startswith("memory:"):
            return f'view_experiment("{self.id}", open_store("{url}"))'
        return f"dspy-profiles trace {self.id}{self._store_option()}"

    def _store_option(self) -> str:
        """Return the option that a command needs to find this store."""
        with suppress(ProfileError):  # the settings may have become invalid meanwhile
            if is_usual(self.store):
                return ""
        return f" --store {shlex.quote(self.store.url)}"


def shared_folder(store: Store) -> Path:
    """Return the folder in which other processes write their journals.

    Raises StoreError if the store has none.
    """
    if isinstance(store.storage, FolderStorage):
        return store.storage.root
    raise StoreError(
        f"{store.url} exists in one process only, and this run has several",
        hint="use a store on disk: file:results",
    )


def begin_journal(
    storage: JournalStorage, experiment_id: str, durability: Durability, parent: int | None = None
) -> Journal:
    """Begin a journal of this process. A fork continues in a journal of its own."""
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
            "dspy": _imported(),
            "started": now(),
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    return storage.begin(experiment_id, durability, first)


def _imported() -> str | None:
    """Return the version of the DSPy that this process has imported, if it has."""
    found = getattr(sys.modules.get("dspy"), "__version__", None)
    return found if isinstance(found, str) else None


def say(text: str) -> None:
    """Print a line on stderr, which may be closed or missing."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(visible(f"dspy-profiles: {text}\n"))
