"""No secret gets out: every value that was resolved is replaced wherever it appears."""

import json
import re
from urllib.parse import quote

__all__ = [
    "AUTH_SCHEME",
    "MASK",
    "add_rule",
    "has_rules",
    "is_idle",
    "is_plaintext",
    "redact",
    "redact_shortened",
    "remember",
    "retold",
]

MASK = "********"

# What people write where a library insists on a key and the server does not.
GAP_FILLERS = frozenset(
    {"", "none", "empty", "dummy", "ollama", "not-needed", "sk-no-key-required"}
)
AUTH_SCHEME = re.compile(r"^\s*(basic|bearer|token)\s", re.IGNORECASE)
SHORTEST = 4  # what is shorter cannot be told from ordinary text
DOTS = "..."  # in place of the middle of a long text, as reprlib and pytest shorten it

# Values that were resolved, and what is shown in their place; and the rules of plugins.
_known: dict[str, str] = {}
_rules: dict[str, re.Pattern[str]] = {}


def is_plaintext(text: str) -> bool:
    """Whether a value under a secret's name is the secret itself."""
    return text.strip().lower() not in GAP_FILLERS


def remember(value: str, source: str) -> None:
    """From now on `redact` replaces this value wherever it appears."""
    for spelled in _spellings(AUTH_SCHEME.sub("", value).strip()):
        if len(spelled) >= SHORTEST and is_plaintext(spelled):
            _known.setdefault(spelled, source)


def _spellings(value: str) -> set[str]:
    """A value as text shows it, and as `repr`, JSON and addresses do: a key may have many lines."""
    if value.isalnum():
        return {value}
    address = quote(value, safe="", errors="replace")
    return {value, repr(value)[1:-1], json.dumps(value)[1:-1], address}


def add_rule(pattern: str) -> None:
    """From now on `redact` masks what matches this regular expression."""
    _rules.setdefault(pattern, re.compile(pattern))


def has_rules() -> bool:
    """Whether a plugin's rule may be about any text at all."""
    return bool(_rules)


def is_idle() -> bool:
    """Whether nothing is known that `redact` would replace."""
    return not (_known or _rules)


def redact(text: str) -> str:
    """The text without any secret that was resolved in this process."""
    for value in sorted(_known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, _known[value])
    for rule in list(_rules.values()):
        text = rule.sub(MASK, text)
    return text


def redact_shortened(text: str) -> str:
    """The same, and without what is left of a secret beside the dots that shorten a text."""
    text = redact(text)
    if DOTS not in text:
        return text
    for value in sorted(_known, key=len, reverse=True):
        head, *rest = text.split(DOTS)
        parts = [head]
        for part in rest:
            parts[-1] = _without_start(parts[-1], value)
            parts.append(_without_end(part, value))
        text = DOTS.join(parts)
    return text


def _without_start(text: str, value: str) -> str:
    """Without the part of a value that a text breaks off in."""
    if value[:SHORTEST] in text[-len(value) :]:
        for length in range(len(value) - 1, SHORTEST - 1, -1):
            if text.endswith(value[:length]):
                return text[:-length] + _known[value]
    return text


def _without_end(text: str, value: str) -> str:
    """Without the part of a value that a text goes on with."""
    if value[-SHORTEST:] in text[: len(value)]:
        for length in range(len(value) - 1, SHORTEST - 1, -1):
            if text.startswith(value[-length:]):
                return _known[value] + text[length:]
    return text


def retold(error: Exception) -> tuple[str, Exception | None]:
    """What an error of somebody else's says, redacted, and the error itself if it was clean.

    A traceback shows a cause in full, so one that holds a secret must not become a cause.
    """
    from traceback import format_exception

    said = f"{type(error).__name__}: {error}"
    # Its notes, its own causes and the members of a group are shown as well.
    whole = "".join(format_exception(error))
    return redact(said), error if redact(whole) == whole else None
