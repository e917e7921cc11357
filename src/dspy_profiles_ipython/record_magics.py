"""`%%dspy_record`, `%dspy_results`, `%dspy_trace`: keep what a cell does, and look at it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import (
    Magics,
    cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.core.magic_arguments import MagicArgumentParser, argument, magic_arguments
from IPython.display import display

from dspy_profiles_ipython.state import look
from dspy_profiles_ipython.telling import in_one_line
from dspy_profiles_ipython.words import expanded, split

if TYPE_CHECKING:
    from dspy_profiles.results import Recording

__all__ = ["DspyRecordMagics", "RecordedCell"]

Names = Mapping[str, Any]
MAGIC = "%%dspy_record"
SHOWN = 20  # experiments, where no --limit says otherwise


@magics_class
class DspyRecordMagics(Magics):
    """What is recorded, and how to look at it."""

    shell: InteractiveShell

    @magic_arguments()
    @argument("name", help="What the experiment is called.")
    @argument("--hypothesis", metavar="TEXT", help="What it is to show.")
    @argument("--as", dest="variable", metavar="NAME", help="The variable for its scores.")
    @argument("--store", metavar="URL", help="Where; else the setting store.")
    @no_var_expand
    @cell_magic
    def dspy_record(self, line: str, cell: object = None) -> None:
        """Keep a durable record of all that DSPy does in this cell.

        ::

            %%dspy_record tune --hypothesis "shorter is better" --as exp
            answer = program(question="Why?")
            exp.score("accuracy", answer.answer == "because")
        """
        # A cell that is typed never comes here, unless in another magic that keeps it whole.
        if not isinstance(cell, str):
            raise UsageError(
                f"{MAGIC} has to be the first line of its cell\n"
                "  hint: put it above the other magic, as in %%timeit"
            )
        if not cell.strip():
            raise UsageError(f"{MAGIC} is a cell magic, but the cell body is empty.")
        self.shell.run_cell(f"{MAGIC} {line}\n{cell}")

    @magic_arguments()
    @argument("words", nargs="*", help="Only those that say all of these words somewhere.")
    @argument("--status", help="Only those that are done, failed, interrupted or running.")
    @argument("--profile", metavar="NAME", help="Only those on a profile.")
    @argument("--limit", type=int, default=SHOWN, metavar="N", help="So many, latest first.")
    @argument("--store", metavar="URL", help="Where to look; else the setting store.")
    @needs_local_scope
    @no_var_expand
    @line_magic
    def dspy_results(self, line: str, local_ns: Names | None = None) -> None:
        """List what was recorded, latest first.

        ::

            %dspy_results
            %dspy_results capital France --status failed
        """
        with in_one_line():
            said = _read(line, self._names(local_ns), _parser("dspy_results"))
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
                sys.stdout.write(f"nothing was found; {MAGIC} NAME records a cell\n")
                return
            display(view_list(found))

    @magic_arguments()
    @argument("experiment", nargs="?", default="latest", help="Its name or id, latest, latest~1.")
    @argument("trial", nargs="?", help="One of its trials: its number, name or id.")
    @argument("--full", action="store_true", help="Shorten no prompt and no answer.")
    @argument("--html", metavar="FILE", help="Write a page instead, for a browser.")
    @argument("--store", metavar="URL", help="Where to look; else the setting store.")
    @needs_local_scope
    @no_var_expand
    @line_magic
    def dspy_trace(self, line: str, local_ns: Names | None = None) -> None:
        """Show what happened in an experiment, or step by step in one of its trials.

        ::

            %dspy_trace
            %dspy_trace tune 3
            %dspy_trace latest --html trace.html
        """
        with in_one_line():
            said = _read(line, self._names(local_ns), _parser("dspy_trace"))
            from dspy_profiles.results import open_store
            from dspy_profiles.results.finding import find_experiment, find_trial
            from dspy_profiles.results.views import view_experiment, view_trial

            with open_store(said.store) as store:
                experiment = find_experiment(store, said.experiment)
                if said.trial is None:
                    view: Any = view_experiment(experiment.id, store, full=said.full)
                else:
                    trial = find_trial(store, experiment, said.trial)
                    view = view_trial(experiment.id, trial.id, store, full=said.full)
                if said.html is None:
                    display(view)
                else:
                    sys.stdout.write(f"written: {view.save(Path(said.html).expanduser())}\n")

    def _names(self, local_ns: Names | None) -> Names:
        return {**self.shell.user_ns, **(local_ns or {})}


class RecordedCell:
    """The block of a cell that is recorded; its last line leads on to another magic."""

    def __init__(self, words: str, names: dict[str, Any]) -> None:
        from dspy_profiles.results import record

        said = _read(words, names, _parser("dspy_record"))
        self._names = names
        self._variable = said.variable
        if said.variable is not None and not said.variable.isidentifier():
            raise UsageError(f"--as {said.variable} is no name of a variable")
        self._block = record(said.name, said.hypothesis, store=said.store)

    def __enter__(self) -> "Recording":
        look()
        recording = self._block.__enter__()
        recording.tell = _tell
        if self._variable is not None:
            self._names[self._variable] = recording
        return recording

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._block.__exit__(kind, error, traceback)


def _tell(line: str) -> None:
    sys.stdout.write(f"dspy: {line.replace('dspy-profiles trace', '%dspy_trace')}\n")


def _parser(magic: str) -> MagicArgumentParser:
    parser: MagicArgumentParser = getattr(DspyRecordMagics, magic).parser
    return parser


def _read(line: str, names: Names, parser: MagicArgumentParser) -> Any:
    return parser.parse_args(expanded(split(line), names))
