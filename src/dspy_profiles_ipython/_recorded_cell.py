"""The block that a cell under `%%dspy_record` runs in."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from keyword import iskeyword
from typing import Any

from IPython.core.error import UsageError

from dspy_profiles.results import record
from dspy_profiles_ipython import _arguments
from dspy_profiles_ipython._errors import RECORD, as_magics
from dspy_profiles_ipython._state import look
from dspy_profiles_ipython._words import typed

__all__ = ["recorded_block"]


@contextmanager
def recorded_block(line: str, names: dict[str, Any]) -> Iterator[None]:
    """Keeps what the cell does; its last line leads on to another magic."""
    said = _asked(line, names)
    look()
    with record(said.name, said.hypothesis, store=said.store) as recording:
        recording.tell = _tell
        if said.variable is not None:
            names[said.variable] = recording
        yield


def _asked(line: str, names: Mapping[str, Any]) -> Any:
    """What is said behind `%%dspy_record`."""
    parser = _arguments.of_record()
    said, more = parser.parse_known_args(typed(line, names))
    if any(word.startswith("-") for word in more):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        hint = "a name with spaces stands in quotes"
        raise UsageError(f"{RECORD} takes one name\n  hint: {hint}")
    if said.variable is not None and (not said.variable.isidentifier() or iskeyword(said.variable)):
        raise UsageError(f"--as {said.variable} is not the name of a variable")
    return said


def _tell(line: str) -> None:
    sys.stdout.write(f"dspy: {as_magics(line)}\n")
