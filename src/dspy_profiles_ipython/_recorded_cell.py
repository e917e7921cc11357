"""The block of a cell under `%%dspy_record`."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from keyword import iskeyword
from typing import Any

from IPython.core.error import UsageError

from dspy_profiles.display import visible
from dspy_profiles.results import record
from dspy_profiles_ipython import _arguments
from dspy_profiles_ipython._errors import RECORD, as_magics
from dspy_profiles_ipython._state import look

__all__ = ["recorded_block"]


@contextmanager
def recorded_block(line: str, names: dict[str, Any]) -> Iterator[None]:
    """Record the cell as an experiment; afterwards print the magic that shows it."""
    options = _parse(line, names)
    look()
    with record(options.name, options.hypothesis, store=options.store) as recording:
        recording.tell = _tell
        if options.variable is not None:
            names[options.variable] = recording
        yield


def _parse(line: str, names: Mapping[str, Any]) -> Any:
    """Parse the arguments of `%%dspy_record`."""
    parser = _arguments.record_parser()
    options, more = parser.parse_known_args(_arguments.parse_words(line, names))
    if any(word.startswith("-") for word in more):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        hint = "put a name with spaces in quotes"
        raise UsageError(f"{RECORD} takes one name\n  hint: {hint}")
    if options.variable is not None and (
        not options.variable.isidentifier() or iskeyword(options.variable)
    ):
        raise UsageError(f"--as {options.variable}: not a valid name of a variable")
    return options


def _tell(line: str) -> None:
    sys.stdout.write(visible(f"dspy: {as_magics(line)}\n"))
