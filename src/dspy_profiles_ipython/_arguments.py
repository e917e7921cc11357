"""The parser of each magic, made when the magic is first used.

IPython's own `@magic_arguments` makes all of them at the import, which takes as long as the rest of
loading the extension. What the options mean stands in the docstring of each magic, for its `?`.
"""

from functools import cache

from IPython.core.magic_arguments import MagicArgumentParser

__all__ = ["of_profile", "of_record", "of_results", "of_trace"]

SHOWN = 20  # experiments, where no --limit says otherwise


@cache
def of_profile() -> MagicArgumentParser:
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
def of_record() -> MagicArgumentParser:
    parser = MagicArgumentParser("dspy_record")
    parser.add_argument("name")
    parser.add_argument("--hypothesis", metavar="TEXT")
    parser.add_argument("--as", dest="variable", metavar="NAME")
    parser.add_argument("--store", metavar="URL")
    return parser


@cache
def of_results() -> MagicArgumentParser:
    parser = MagicArgumentParser("dspy_results")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--status")
    parser.add_argument("--profile", metavar="NAME")
    parser.add_argument("--limit", type=int, default=SHOWN, metavar="N")
    parser.add_argument("--store", metavar="URL")
    return parser


@cache
def of_trace() -> MagicArgumentParser:
    parser = MagicArgumentParser("dspy_trace")
    parser.add_argument("experiment", nargs="?", default="latest")
    parser.add_argument("trial", nargs="?")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--html", metavar="FILE")
    parser.add_argument("--yes", action="store_true")
    parser.add_argument("--store", metavar="URL")
    return parser
