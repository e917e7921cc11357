"""Untrusted text, safe to show: it cannot control a terminal or hide in a page."""

import re

from dspy_profiles._control import without_control
from dspy_profiles.secrets import redact

__all__ = [
    "CUT",
    "is_plain_word",
    "on_one_line",
    "plain_words",
    "visible",
]

CUT = "…"
# No shell gives these characters a meaning, expands them, or ends a word at them: at `:`, `=` and
# `@`, the completion of bash does.
PLAIN_WORD = re.compile(r"[\w./+][\w./+%-]*")
NOT_PLAIN = re.compile(r"[^\w ./+,:-]+")
LONGEST_LABEL = 60


def visible(text: str) -> str:
    """Return the text, redacted, with a picture for each control character but newline and tab."""
    return without_control(redact(text))


def is_plain_word(text: str) -> bool:
    """Return whether every shell reads a text as one word that is neither option nor pattern."""
    return PLAIN_WORD.fullmatch(text) is not None


def plain_words(text: str) -> str:
    """Return the beginning of a text, without a character that means something to a shell."""
    return on_one_line(NOT_PLAIN.sub("_", visible(text)), LONGEST_LABEL).removesuffix(CUT)


def on_one_line(text: str, most: int = 300) -> str:
    """Return the beginning of a text on one line, and `…` if it goes on."""
    text = redact(text)  # all of it: a cut must not leave half of a secret
    begun = text if len(text) <= 8 * most else text[: 8 * most] + CUT
    line = " ".join(visible(begun).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}{CUT}"
