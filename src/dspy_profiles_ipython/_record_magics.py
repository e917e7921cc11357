"""`%%dspy_record`, `%dspy_results`, `%dspy_trace`: record cells and show experiments."""

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

# Import other modules in functions: loading the extension must be quick.
__all__ = ["DspyRecordMagics"]

Names = Mapping[str, Any]


@magics_class
class DspyRecordMagics(Magics):
    """Magics that record experiments and show them."""

    shell: InteractiveShell

    @no_var_expand
    @cell_magic
    def dspy_record(self, line: str, cell: object = None) -> None:
        """Record what DSPy does in this cell as an experiment.

        ::

            %%dspy_record tune --hypothesis "shorter is better" --as exp
            answer = program(question="Why?")
            exp.score("accuracy", answer.answer == "because")

        NAME               Name of the experiment.
        --hypothesis TEXT  Hypothesis that it tests.
        --as NAME          Variable to set to the experiment, for its scores.
        --store URL        Store. Default: the setting store.
        """
        run_whole(self.shell, RECORD, line, cell)

    @needs_local_scope
    @no_var_expand
    @line_magic
    def dspy_results(self, line: str, local_ns: Names | None = None) -> None:
        """List recorded experiments, latest first.

        ::

            %dspy_results
            %dspy_results capital France --status failed

        WORD …           Only experiments that contain all of these words.
        --status STATUS  Only this status: done, failed, interrupted or running.
        --profile NAME   Only experiments under this profile.
        --limit N        Maximum number. Default: 20.
        --store URL      Store. Default: the setting store.
        """
        with in_one_line():
            from dspy_profiles_ipython import _arguments

            options = _arguments.results_parser().parse_args(self._words(line, local_ns))
            from dspy_profiles.results import open_store
            from dspy_profiles.results.views import view_list

            with open_store(options.store) as store:
                experiments = store.query_experiments(
                    text=" ".join(options.words) or None,
                    status=options.status,
                    profile=options.profile,
                    limit=options.limit,
                )
            if not experiments:
                sys.stdout.write(f"no experiments found; to record a cell: {RECORD} NAME\n")
                return
            display(view_list(experiments))

    @needs_local_scope
    @no_var_expand
    @line_magic
    def dspy_trace(self, line: str, local_ns: Names | None = None) -> None:
        """Show an experiment, or the steps of one of its trials.

        ::

            %dspy_trace
            %dspy_trace tune 3
            %dspy_trace latest --html trace.html

        EXPERIMENT   Name or id, latest, or latest~1 for the one before.
        TRIAL        One of its trials: number, name or id.
        --full       Do not shorten prompts and responses.
        --html FILE  Write an HTML page instead.
        --yes        Overwrite an existing file.
        --store URL  Store. Default: the setting store.
        """
        with in_one_line():
            from dspy_profiles_ipython import _arguments

            options = _arguments.trace_parser().parse_args(self._words(line, local_ns))
            from dspy_profiles.results import open_store
            from dspy_profiles.results.store import find_experiment, find_trial
            from dspy_profiles.results.views import view_experiment, view_trial

            with open_store(options.store) as store:
                experiment = find_experiment(store, options.experiment)
                if options.trial is None:
                    view: Any = view_experiment(experiment.id, store, full=options.full)
                    view.command = "%dspy_trace"
                else:
                    trial = find_trial(store, experiment, options.trial)
                    view = view_trial(experiment.id, trial.id, store, full=options.full)
            if options.html is None:
                display(view)
                return
            path = Path(options.html).expanduser()
            if path.exists() and not options.yes:
                from dspy_profiles.errors import InvalidFile, Place

                raise InvalidFile(
                    f"{path.name} already exists", "add --yes to overwrite it", Place(path)
                )
            from dspy_profiles.display import visible

            sys.stdout.write(visible(f"written: {view.save(path)}\n"))

    def _words(self, line: str, local_ns: Names | None) -> list[str]:
        from dspy_profiles_ipython._arguments import parse_words

        return parse_words(line, {**self.shell.user_ns, **(local_ns or {})})
