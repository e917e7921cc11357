"""What is long is paged on a terminal; in a pipe it is only printed."""

import os
from collections.abc import Iterable
from typing import Any

from rich.text import Text

from dspy_profiles.cli._output import console_for, out_raw

__all__ = ["show", "show_lines", "width"]

WIDEST = 160  # a line that is longer is hard to follow, as in the views


def width() -> int:
    """How wide lines may be here."""
    return min(console_for(to_stderr=False).width, WIDEST)


def show(view: Any) -> None:
    """A view, by the pager of the terminal if it is longer than that."""
    console = console_for(to_stderr=False)
    with console.capture() as rendered:
        console.print(view)
    lines = [line.rstrip() for line in rendered.get().split("\n")]
    text = "\n".join(lines).rstrip("\n") + "\n"
    if not console.file.isatty() or text.count("\n") < console.height:
        out_raw(text)
        return
    from pydoc import pager

    from dspy_profiles.secrets import redact

    os.environ.setdefault("LESS", "FRX")  # colours as they are, and what was read stays there
    pager(redact(text))


def show_lines(lines: Iterable[Text]) -> None:
    """Lines that fit the width already."""
    show(Text("\n").join(lines))
