"""What is typed behind `%dspy_profile`: words, quotes, JSON, and Python's own values in braces."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from IPython.core.error import UsageError
from IPython.utils.text import DollarFormatter

__all__ = ["WITH_VALUE", "expanded", "quoted", "split"]

WITH_VALUE = ("--set", "--cassette", "--cassettes")  # options whose value is the next word

QUOTED = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')(?=\s|$)""")
START = re.compile(r"[^\s=]*=?")
IN_QUOTES = re.compile(r"'([^']*)'(?=\s|$)")
IN_BRACES = re.compile(r"\{[^{}]*\}\S*")
REST = re.compile(r"\S*")
REFERENCE = re.compile(r"(\$+\{[^}]*\})")  # a secret's, which is ours, and no value of Python's


def split(line: str) -> list[str]:
    """The words of a line. Quotes hold one together, as do the brackets of a JSON value."""
    return list(_words(line))


def _words(line: str) -> Iterator[str]:
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
        elif option := next((o for o in WITH_VALUE if line.startswith(f"{o}=", at)), None):
            at += len(option) + 1
            yield option
        elif found := QUOTED.match(line, at):
            at = found.end()
            double, single = found.groups()
            yield single if double is None else re.sub(r'\\(["\\])', r"\1", double)
        else:
            word, at = _plain(line, at)
            yield word


def _plain(line: str, at: int) -> tuple[str, int]:
    """A word without quotes around it; what stands behind its `=` may have spaces."""
    start = START.match(line, at)
    if start is None or not start[0]:  # neither can be: what is here is no space
        raise UsageError("this line cannot be read")
    at = start.end()
    if line.startswith("{", start.start()):  # an expression of Python's
        at = start.start()
        found = IN_BRACES.match(line, at) or REST.match(line, at)
        return (found[0], found.end()) if found else (line[at:], len(line))
    if not start[0].endswith("="):
        return start[0], at
    if inner := IN_QUOTES.match(line, at):
        return start[0] + inner[1], inner.end()
    if line[at : at + 1] in ("[", "{", '"') and (end := _end_of_json(line, at)):
        return start[0] + line[at:end], end
    found = IN_BRACES.match(line, at) or REST.match(line, at)
    return (start[0] + found[0], found.end()) if found else (start[0], at)


def _end_of_json(line: str, at: int) -> int | None:
    try:
        _, end = json.JSONDecoder().raw_decode(line, at)
    except (ValueError, RecursionError):
        return None
    return end if end == len(line) or line[end].isspace() else None


def expanded(words: Sequence[str], names: Mapping[str, Any]) -> list[str]:
    """The words with `$name` and `{expression}` filled in, as IPython does for its magics.

    Of IPython's own way only the whole line can be had: one value of JSON in it, and nothing is
    filled in; and in `${NAME}`, a reference to a secret, the secret itself.
    """
    return ["".join(_filled(piece, names) for piece in REFERENCE.split(word)) for word in words]


def _filled(piece: str, names: Mapping[str, Any]) -> str:
    if REFERENCE.fullmatch(piece) or not ("{" in piece or "$" in piece):
        return piece
    try:
        return str(DollarFormatter().vformat(piece, args=[], kwargs=names))
    except Exception:  # noqa: BLE001 - as in IPython: what is no expression is text
        return piece


def quoted(name: str) -> str:
    """A name as it has to be typed."""
    if name and split(name) == [name] and expanded([name], {}) == [name]:
        return name
    text = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
