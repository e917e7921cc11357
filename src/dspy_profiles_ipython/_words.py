"""What is typed behind a magic: words, quotes, JSON, and Python's own values in braces."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from IPython.utils.text import DollarFormatter

__all__ = ["WITH_VALUE", "expanded", "quoted", "split", "typed"]

WITH_VALUE = (  # options whose value is the next word
    *("--set", "--cassette", "--cassettes"),
    *("--hypothesis", "--as", "--store", "--status", "--profile", "--limit", "--html"),
)

QUOTED = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')(?=\s|$)""")
NAME = re.compile(r"[^\s=]*=?")
IN_QUOTES = re.compile(r"'([^']*)'(?=\s|$)")
BARE = re.compile(r"\{[^{}]*\}\S*|\S*")  # an expression in braces, or up to the next space
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
    """A word without quotes around it, and its end; what is behind its `=` may have spaces."""
    if line[at] == "{":  # an expression of Python's
        return _matched(BARE, line, at)
    name, at = _matched(NAME, line, at)
    if not name.endswith("="):
        return name, at
    if inner := IN_QUOTES.match(line, at):
        return name + inner[1], inner.end()
    if line[at : at + 1] in ("[", "{", '"') and (end := _end_of_json(line, at)):
        return name + line[at:end], end
    value, end = _matched(BARE, line, at)
    return name + value, end


def _matched(pattern: re.Pattern[str], line: str, at: int) -> tuple[str, int]:
    found = pattern.match(line, at)
    return (found[0], found.end()) if found else ("", at)


def _end_of_json(line: str, at: int) -> int | None:
    try:
        _, end = json.JSONDecoder().raw_decode(line, at)
    except (ValueError, RecursionError):
        return None
    return end if end == len(line) or line[end].isspace() else None


def expanded(words: Sequence[str], names: Mapping[str, Any]) -> list[str]:
    """The words with `$name` and `{expression}` filled in, as IPython does for its magics.

    Word by word: IPython leaves a whole line as it is where one word is JSON, and would put the
    value of a variable into `${NAME}`, which is a reference to a secret.
    """
    return ["".join(_filled(piece, names) for piece in REFERENCE.split(word)) for word in words]


def typed(line: str, names: Mapping[str, Any]) -> list[str]:
    """The words of a line, filled in."""
    return expanded(split(line), names)


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
