"""Arguments of the magics: tokens, parsers, and those of `dspy_profile`.

Parsers are created when a magic is first used. IPython's own `@magic_arguments` creates them at
import, which takes as long as the rest of loading the extension. The docstring of each magic
describes its options, for `?`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython
from IPython.core.magic_arguments import MagicArgumentParser
from IPython.utils.text import DollarFormatter

from dspy_profiles.config import join_key
from dspy_profiles.display import visible
from dspy_profiles.errors import InvalidProfile, did_you_mean
from dspy_profiles.profiles import SECTIONS, parse_assignment, parse_assignments
from dspy_profiles_ipython._errors import CELL

__all__ = [
    "WITH_VALUE",
    "MagicArguments",
    "expand",
    "parse_words",
    "quote",
    "record_parser",
    "results_parser",
    "tokenize",
    "trace_parser",
    "typed",
]

SHOWN = 20  # experiments without --limit
OPTIONS = ("--cassette", "--cassettes", "--list", "--off", "--set", "--show")
WITH_VALUE = (  # options with a value
    *("--set", "--cassette", "--cassettes"),
    *("--hypothesis", "--as", "--store", "--status", "--profile", "--limit", "--html"),
)

QUOTED = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')(?=\s|$)""")
NAME = re.compile(r"[^\s=]*=?")
IN_QUOTES = re.compile(r"'([^']*)'(?=\s|$)")
BARE = re.compile(r"\{[^{}]*\}\S*|\S*")  # an expression in braces, or text up to the next space
EXPANDED = re.compile(r"[${}]")  # begins a value of Python, in quotes, too
REFERENCE = re.compile(r"(\$+\{[^}]*\})")  # a reference to a secret, not a value of Python


@dataclass(frozen=True)
class MagicArguments:
    """The arguments of `%dspy_profile` or `%%dspy_profile`."""

    name: str | None
    overrides: Mapping[str, Any] = field(repr=False)
    option: str | None  # list, show or off
    cassette: str | None = None  # a file
    mode: str | None = None  # of the cassette

    @classmethod
    def of_line(cls, line: str, names: Mapping[str, Any]) -> "MagicArguments":
        """Parse the rest of a line, with the values of `names`. Raise UsageError if it is wrong."""
        parsed, more = profile_parser().parse_known_args(parse_words(line, names))
        if more:
            raise _unexpected(more)
        options = [name for name in ("list", "show", "off") if getattr(parsed, name)]
        if len(options) > 1:
            raise UsageError(" and ".join(f"--{name}" for name in options) + " cannot be combined")
        option = options[0] if options else None
        if option in ("list", "off") and (parsed.name is not None or parsed.set):
            raise UsageError(f"--{option} takes no other arguments: %dspy_profile --{option}")
        if parsed.name == "":
            raise UsageError("the name of the profile is empty")
        if parsed.cassettes is not None and parsed.cassette is None:
            raise UsageError("--cassettes needs --cassette FILE")
        overrides = parse_assignments(parsed.set)
        _check_sections(parsed.set, overrides)
        return cls(parsed.name, overrides, option, parsed.cassette, parsed.cassettes)

    @classmethod
    def of_cell(cls, line: str) -> "MagicArguments":
        """Parse the first line of a cell: a name, overrides and a cassette."""
        shell = get_ipython()
        arguments = cls.of_line(line, {} if shell is None else shell.user_ns)
        if arguments.option is not None:
            option = f"--{arguments.option}"
            hint = f"%dspy_profile {option}, in a line"
            raise UsageError(f"{CELL} has no option {option}\n  hint: {hint}")
        if arguments.name is None:
            from dspy_profiles.profiles import list_profiles

            hint = f"{CELL} NAME, with one of {', '.join(list_profiles())}"
            raise UsageError(f"{CELL} needs the name of a profile\n  hint: {hint}")
        return arguments


def _check_sections(assignments: Sequence[str], overrides: Mapping[str, Any]) -> None:
    """Raise InvalidProfile for a key without a section, with the sections it may belong to."""
    for section in overrides:
        if section in SECTIONS or did_you_mean(section, SECTIONS):
            continue
        key = next(
            join_key(key) for key, _ in map(parse_assignment, assignments) if key[0] == section
        )
        hint = f"write --set lm.{key}=…, or --set settings.{key}=…"
        raise InvalidProfile(f'"{section}" is not a section of a profile', hint)


def _unexpected(words: Sequence[str]) -> UsageError:
    """Return an error that repeats options only: other words may be secrets."""
    option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
    if option is None:
        return UsageError(
            "%dspy_profile takes one name\n"
            "  hint: write values as --set lm.temperature=0, and put a name with spaces in quotes"
        )
    hint = did_you_mean(option, OPTIONS) or f"options: {', '.join(OPTIONS)}"
    return UsageError(f"%dspy_profile has no option {option}\n  hint: {hint}")


@cache
def profile_parser() -> MagicArgumentParser:
    parser = MagicArgumentParser("dspy_profile")
    parser.add_argument("name", nargs="?")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--cassette", metavar="FILE")
    parser.add_argument("--cassettes", metavar="MODE")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--off", action="store_true")
    return parser


@cache
def record_parser() -> MagicArgumentParser:
    parser = MagicArgumentParser("dspy_record")
    parser.add_argument("name")
    parser.add_argument("--hypothesis", metavar="TEXT")
    parser.add_argument("--as", dest="variable", metavar="NAME")
    parser.add_argument("--store", metavar="URL")
    return parser


@cache
def results_parser() -> MagicArgumentParser:
    parser = MagicArgumentParser("dspy_results")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--status")
    parser.add_argument("--profile", metavar="NAME")
    parser.add_argument("--limit", type=int, default=SHOWN, metavar="N")
    parser.add_argument("--store", metavar="URL")
    return parser


@cache
def trace_parser() -> MagicArgumentParser:
    parser = MagicArgumentParser("dspy_trace")
    parser.add_argument("experiment", nargs="?", default="latest")
    parser.add_argument("trial", nargs="?")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--html", metavar="FILE")
    parser.add_argument("--yes", action="store_true")
    parser.add_argument("--store", metavar="URL")
    return parser


def tokenize(line: str) -> list[str]:
    """Split a line into words. Quotes and the brackets of a JSON value keep a word together."""
    return list(_words(line))


def _words(line: str) -> Iterator[str]:
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
        elif option := next((o for o in WITH_VALUE if line.startswith(f"{o}=", at)), None):
            at += len(option) + 1
            yield option
        elif match := QUOTED.match(line, at):
            at = match.end()
            double, single = match.groups()
            yield single if double is None else re.sub(r'\\(["\\])', r"\1", double)
        else:
            word, at = _plain(line, at)
            yield word


def _plain(line: str, at: int) -> tuple[str, int]:
    """Return a word without quotes around it, and its end; a value after `=` can have spaces."""
    if line[at] == "{":  # an expression of Python
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
    match = pattern.match(line, at)
    return (match[0], match.end()) if match else ("", at)


def _end_of_json(line: str, at: int) -> int | None:
    try:
        _, end = json.JSONDecoder().raw_decode(line, at)
    except (ValueError, RecursionError):
        return None
    return end if end == len(line) or line[end].isspace() else None


def expand(words: Sequence[str], names: Mapping[str, Any]) -> list[str]:
    """Replace `$name` and `{expression}` in each word, as IPython does for its magics.

    IPython would leave a line with JSON unchanged, and would replace `${NAME}`, which is a
    reference to a secret.
    """
    return [
        "".join(_expand_piece(piece, names) for piece in REFERENCE.split(word)) for word in words
    ]


def parse_words(line: str, names: Mapping[str, Any]) -> list[str]:
    """Split a line into words, and replace the values of Python in them."""
    return expand(tokenize(line), names)


def _expand_piece(piece: str, names: Mapping[str, Any]) -> str:
    if REFERENCE.fullmatch(piece) or not ("{" in piece or "$" in piece):
        return piece
    try:
        return str(DollarFormatter().vformat(piece, args=[], kwargs=names))
    except Exception:  # noqa: BLE001 - as in IPython: an invalid expression is text
        return piece


def typed(names: Iterable[str]) -> list[str]:
    """Return names as they must be typed; without those that a magic would not read as a name."""
    return [quote(name) for name in names if _is_typable(name)]


def _is_typable(name: str) -> bool:
    """Return whether a magic reads a quoted name as it is: neither an option nor an expression."""
    is_visible = name.isprintable() and visible(name) == name
    is_text = not name.startswith("-") and not EXPANDED.search(name)
    return is_visible and is_text and tokenize(quote(name)) == [name]


def quote(name: str) -> str:
    """Return a name as it must be typed."""
    if name and tokenize(name) == [name] and not EXPANDED.search(name):
        return name
    text = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
