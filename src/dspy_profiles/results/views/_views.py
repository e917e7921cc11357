"""Views: objects that terminals, notebooks and pages show."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dspy_profiles.config import Document, file_stamp, locked, replace_file
from dspy_profiles.results._model import Experiment
from dspy_profiles.results.store._open import open_store
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.results.views._sheets import (
    ExperimentSheet,
    ListSheet,
    TrialSheet,
    experiment_sheet,
    list_sheet,
    trial_sheet,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

__all__ = [
    "ExperimentView",
    "ListView",
    "TrialView",
    "view_experiment",
    "view_list",
    "view_trial",
]

WIDTH = 100  # of a text outside of a terminal
WIDEST = 160  # longer lines are hard to read
PATIENCE = 10  # seconds to wait for another writer of the same file


def view_experiment(
    experiment_id: str, store: Store | str | None = None, *, full: bool = False
) -> "ExperimentView":
    """Return a view of an experiment with its trials, candidates and decisions.

    `store` is a store or its URL; the default is the setting `store`. With `full`, nothing is
    shortened.
    """
    return ExperimentView(experiment_sheet(_opened(store), experiment_id), full=full)


def view_trial(
    experiment_id: str,
    trial_id: str | int,
    store: Store | str | None = None,
    *,
    full: bool = False,
) -> "TrialView":
    """Return a view of one trial, step by step.

    `trial_id` may also be a part of its id, its number from 1, or its name.
    """
    return TrialView(trial_sheet(_opened(store), experiment_id, trial_id), full=full)


def view_list(experiments: Sequence[Experiment]) -> "ListView":
    """Return a view of several experiments, as a table."""
    return ListView(list_sheet(experiments))


def _opened(store: Store | str | None) -> Store:
    return store if isinstance(store, Store) else open_store(store)


class _View:
    """Base of all views."""

    def _lines(self, width: int) -> "Iterator[Text]":
        raise NotImplementedError

    def html(self) -> str:
        """Return a complete page, which needs no other file, no server and no network."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        raise NotImplementedError

    def save(self, path: Path | str) -> Path:
        """Write the page completely or not at all, replacing the file; return the path."""
        target = Path(path).expanduser().resolve()
        text = self.html()
        with locked(target, PATIENCE):
            replace_file(Document(target, stamp=file_stamp(target)), text)
        return target

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        for line in self._lines(min(options.max_width, WIDEST)):
            line.no_wrap = True
            line.overflow = "ignore"
            yield line

    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self._lines(WIDTH))

    def __repr__(self) -> str:
        return str(self)


class ExperimentView(_View):
    """View of an experiment. Display it in a notebook, print it, or `save` it as a page."""

    command = "dspy-profiles trace"  # shows one of its trials

    def __init__(self, sheet: ExperimentSheet, *, full: bool = False) -> None:
        self.sheet = sheet
        self.full = full

    def html(self) -> str:
        from dspy_profiles.results.views._page import experiment_page

        return experiment_page(self.sheet, full=self.full)

    def _repr_html_(self) -> str:
        from dspy_profiles.results.views._notebook import experiment_html

        return experiment_html(self.sheet, full=self.full)

    def _lines(self, width: int) -> "Iterator[Text]":
        from dspy_profiles.results.views._terminal import experiment_lines

        return experiment_lines(self.sheet, width, full=self.full, command=self.command)


class TrialView(_View):
    """View of a trial. Display it in a notebook, print it, or `save` it as a page."""

    def __init__(self, sheet: TrialSheet, *, full: bool = False) -> None:
        self.sheet = sheet
        self.full = full

    def html(self) -> str:
        from dspy_profiles.results.views._page import trial_page

        return trial_page(self.sheet)

    def _repr_html_(self) -> str:
        from dspy_profiles.results.views._notebook import trial_html

        return trial_html(self.sheet, full=self.full)

    def _lines(self, width: int) -> "Iterator[Text]":
        from dspy_profiles.results.views._terminal import trial_lines

        return trial_lines(self.sheet, width, full=self.full)


class ListView(_View):
    """View of several experiments."""

    def __init__(self, sheet: ListSheet) -> None:
        self.sheet = sheet

    def html(self) -> str:
        from dspy_profiles.results.views._page import list_page

        return list_page(self.sheet)

    def _repr_html_(self) -> str:
        from dspy_profiles.results.views._notebook import list_html

        return list_html(self.sheet)

    def _lines(self, width: int) -> "Iterator[Text]":
        from dspy_profiles.results.views._terminal import list_lines

        return list_lines(self.sheet, width)
