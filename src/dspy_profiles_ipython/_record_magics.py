"""`%%dspy_record`, `%dspy_results`, `%dspy_trace`: keep what a cell does, and look at it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import (
    Magics,
    cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.display import display

from dspy_profiles_ipython._cell import run_whole
from dspy_profiles_ipython._errors import RECORD, in_one_line

# What a magic needs is imported when it is used: loading the extension is to cost next to nothing.
__all__ = ["DspyRecordMagics"]

Names = Mapping[str, Any]


@magics_class
class DspyRecordMagics(Magics):
    """What is recorded, and how to look at it."""

    shell: InteractiveShell

    @no_var_expand
    @cell_magic
    def dspy_record(self, line: str, cell: object = None) -> None:
        """Keep a durable record of all that DSPy does in this cell.

        ::

            %%dspy_record tune --hypothesis "shorter is better" --as exp
            answer = program(question="Why?")
            exp.score("accuracy", answer.answer == "because")

        NAME               what the experiment is called
        --hypothesis TEXT  what it is to show
        --as NAME          the variable for its scores
        --store URL        where it is kept; else the setting store
        """
        run_whole(self.shell, RECORD, line, cell)

    @needs_local_scope
    @no_var_expand
    @line_magic
    def dspy_results(self, line: str, local_ns: Names | None = None) -> None:
        """List what was recorded, latest first.

        ::

            %dspy_results
            %dspy_results capital France --status failed

        WORD …           only those that say all of these words somewhere
        --status STATUS  only those that are done, failed, interrupted or running
        --profile NAME   only those on a profile
        --limit N        so many, latest first
        --store URL      where to look; else the setting store
        """
        with in_one_line():
            from dspy_profiles_ipython import _arguments

            said = _arguments.of_results().parse_args(self._words(line, local_ns))
            from dspy_profiles.results import open_store
            from dspy_profiles.results.views import view_list

            with open_store(said.store) as store:
                found = store.query_experiments(
                    text=" ".join(said.words) or None,
                    status=said.status,
                    profile=said.profile,
                    limit=said.limit,
                )
            if not found:
                sys.stdout.write(f"nothing was found; {RECORD} NAME records a cell\n")
                return
            display(view_list(found))

    @needs_local_scope
    @no_var_expand
    @line_magic
    def dspy_trace(self, line: str, local_ns: Names | None = None) -> None:
        """Show what happened in an experiment, or step by step in one of its trials.

        ::

            %dspy_trace
            %dspy_trace tune 3
            %dspy_trace latest --html trace.html

        EXPERIMENT   its name or id, latest, or latest~1 for the one before
        TRIAL        one of its trials: its number, name or id
        --full       shorten no prompt and no answer
        --html FILE  write a page instead, for a browser
        --yes        let it overwrite a file
        --store URL  where to look; else the setting store
        """
        with in_one_line():
            from dspy_profiles_ipython import _arguments

            said = _arguments.of_trace().parse_args(self._words(line, local_ns))
            from dspy_profiles.results import open_store
            from dspy_profiles.results.store import find_experiment, find_trial
            from dspy_profiles.results.views import view_experiment, view_trial

            with open_store(said.store) as store:
                experiment = find_experiment(store, said.experiment)
                if said.trial is None:
                    view: Any = view_experiment(experiment.id, store, full=said.full)
                    view.command = "%dspy_trace"
                else:
                    trial = find_trial(store, experiment, said.trial)
                    view = view_trial(experiment.id, trial.id, store, full=said.full)
            if said.html is None:
                display(view)
                return
            path = Path(said.html).expanduser()
            if path.exists() and not said.yes:
                from dspy_profiles.errors import InvalidFile, Place

                raise InvalidFile(
                    "there is such a file already", "--yes overwrites it", Place(path)
                )
            sys.stdout.write(f"written: {view.save(path)}\n")

    def _words(self, line: str, local_ns: Names | None) -> list[str]:
        from dspy_profiles_ipython._words import typed

        return typed(line, {**self.shell.user_ns, **(local_ns or {})})
