"""Print results to stdout and everything else to stderr, never a secret."""

import errno
import json
import math
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dspy_profiles._control import escaped, without_control
from dspy_profiles.errors import ProfileError, WriteFailed
from dspy_profiles.secrets import MASK, Secret, redact

if TYPE_CHECKING:  # `run` prints nothing where all is well, and rich costs as much as Typer
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

__all__ = [
    "ACCENT",
    "MUTED",
    "Columns",
    "as_json",
    "columns",
    "console_for",
    "emit",
    "fail",
    "finish",
    "lost",
    "note",
    "out",
    "out_styled",
    "out_text",
    "out_value",
    "print_traceback",
    "use_color",
    "warn",
]

JSON_VERSION = 1
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
ACCENT = "cyan"
MUTED = "bright_black"

_plain = False


def use_color(*, wanted: bool) -> None:
    """Allow colors and bold, or forbid them. `NO_COLOR` and pipes turn them off in any case."""
    global _plain  # noqa: PLW0603 - one command line per process
    _plain = not wanted
    _stream.cache_clear()  # the next command of a process may have other streams
    console_for.cache_clear()


def out(*lines: object) -> None:
    """Print a result."""
    from rich.text import Text

    from dspy_profiles.display import as_text

    console = console_for(to_stderr=False)
    for line in lines:
        if isinstance(line, Columns) and _is_for_programs(console):
            console.file.write("".join(f"{row}\n" for row in line.plain()))
            continue
        for part in line.lines(console.width) if isinstance(line, Columns) else [line]:
            if isinstance(part, str | Text):
                console.print(as_text(part), soft_wrap=True)
                continue
            with console.capture() as rendered:
                console.print(part)
            # A table pads its last column with blanks, which pipes do not need.
            for text in rendered.get().splitlines():
                console.file.write(text.rstrip() + "\n")


def out_text(text: str) -> None:
    """Print a text as it is, except for secrets and control characters."""
    out_styled(without_control(text))


def out_styled(text: str) -> None:
    """Print a text that has been rendered already: its escapes are ours."""
    _Redacting(_stream(to_stderr=False)).write(text)


def out_value(text: str) -> None:
    """Print one value: unchanged to a program, without control characters to a terminal."""
    if _stream(to_stderr=False).isatty():
        out(text)
    else:
        out_styled(f"{text}\n")


def note(*lines: object) -> None:
    """Print hints, warnings and progress."""
    from rich.text import Text

    from dspy_profiles.display import as_text

    console = console_for(to_stderr=True)
    for line in lines:
        for part in line.lines(console.width) if isinstance(line, Columns) else [line]:
            shown_part = as_text(part) if isinstance(part, str | Text) else part
            console.print(shown_part, soft_wrap=True)


def emit(**payload: Any) -> None:
    """Print a result as one JSON object with the version of its shape."""
    # JSON uses escapes if the output is not UTF-8.
    only_ascii = (_stream(to_stderr=False).encoding or "utf-8").lower().replace("-", "") != "utf8"
    text = json.dumps({"version": JSON_VERSION, **payload}, indent=2, ensure_ascii=only_ascii)
    out_styled(escaped(f"{text}\n"))


def finish() -> None:
    """Flush the output while an error can still be reported."""
    stream = _stream(to_stderr=False)
    try:
        stream.flush()
    except OSError as error:
        _give_up(stream, error)


def lost(error: OSError) -> None:
    """Report an error in what Typer prints itself, such as help. Ignore other errors."""
    if error.filename is None and error.errno in DISK_ERRORS:
        _give_up(_stream(to_stderr=False), error)


def fail(error: ProfileError) -> None:
    """Print an error: message, place, hint."""
    from rich.text import Text

    from dspy_profiles.display import show_place

    first, *rest = without_control(redact(error.message)).split("\n")
    note(Text.assemble(("error: ", "bold red"), first), *(Text(line) for line in rest))
    if error.where is not None:
        note(Text(f"  at {show_place(error.where)}", style=MUTED))
    if error.hint is not None:
        note(Text(f"  hint: {redact(error.hint)}"))


def print_traceback(error: BaseException) -> None:
    """Print an error with its traceback."""
    note("".join(traceback.format_exception(error)).rstrip())


def warn(message: str, hint: str | None = None) -> None:
    """Print a warning."""
    from rich.text import Text

    note(Text.assemble(("warning: ", "bold yellow"), redact(message)))
    if hint is not None:
        note(Text(f"  hint: {redact(hint)}"))


@dataclass(frozen=True)
class Columns:
    """Rows of cells, to be printed as aligned columns."""

    rows: "list[Sequence[str | Text]]"
    gap: int

    def plain(self) -> Iterable[str]:
        """Return each row as a line without styles."""
        from dspy_profiles.display import plain_rows

        return plain_rows(self.rows, self.gap)

    def lines(self, width: int) -> "Iterable[Text | Table]":
        """Return each row as a line if all fit; else one table that folds its cells."""
        from dspy_profiles.display import as_text, folded_columns

        return folded_columns([[as_text(c) for c in row] for row in self.rows], width, self.gap)


def columns(
    rows: "Iterable[Sequence[str | Text]]", header: Sequence[str] = (), *, gap: int = 3
) -> Columns:
    """Return rows and a header as columns without borders."""
    from rich.text import Text

    titled = [[Text(title, style=MUTED) for title in header], *rows] if header else list(rows)
    most = max(map(len, titled), default=0)
    return Columns([(*row, *[""] * (most - len(row))) for row in titled], gap)


def as_json(value: Any) -> Any:
    """Return a value for JSON, with secrets masked."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


class _Redacting:
    """A stream that masks every secret that this process has resolved."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        text = redact(text)
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            known = self._stream.encoding
            return self._stream.write(text.encode(known, "replace").decode(known))
        except OSError as error:
            _give_up(self._stream, error)
            return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _give_up(stream: TextIO, error: OSError) -> None:
    """Stop writing to a stream that fails. Raise WriteFailed if a result is lost."""
    if error.errno == errno.EPIPE:
        raise error  # the reader has closed the pipe on purpose
    with suppress(OSError, ValueError):  # Python would write again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if stream is not sys.stderr:
        message = f"output not written: {error.strerror or error}"
        raise WriteFailed(message, "check the disk space of its destination") from error


@cache
def _stream(*, to_stderr: bool) -> TextIO:
    stream: TextIO | None = sys.stderr if to_stderr else sys.stdout
    # Python has None for a closed stream: discard the output.
    return stream if stream is not None else Path(os.devnull).open("w", encoding="utf-8")


def _is_for_programs(console: "Console") -> bool:
    """Return whether the output is a pipe or a file without a width that somebody has set."""
    return not (console.is_terminal or os.environ.get("COLUMNS"))


@cache
def console_for(*, to_stderr: bool) -> "Console":
    from rich.console import Console

    stream = _stream(to_stderr=to_stderr)
    wide = None if stream.isatty() or os.environ.get("COLUMNS") else 10_000  # a pipe has no width
    return Console(
        file=_Redacting(stream),  # type: ignore[arg-type]
        width=wide,
        color_system=None if _plain or os.environ.get("NO_COLOR") else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )
