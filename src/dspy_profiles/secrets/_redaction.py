"""Mask secrets: every value that was fetched is replaced wherever it appears."""

import json
import re
from urllib.parse import quote

__all__ = [
    "AUTH_SCHEME",
    "MASK",
    "add_redaction_rule",
    "has_redaction_rules",
    "is_plaintext",
    "nothing_to_redact",
    "redact",
    "redact_shortened",
    "redacted_error",
    "remember",
]

MASK = "********"

# Placeholders for libraries that require a key that the server does not need.
PLACEHOLDERS = frozenset(
    {"", "none", "empty", "dummy", "ollama", "not-needed", "sk-no-key-required"}
)
AUTH_SCHEME = re.compile(r"^\s*(basic|bearer|token)\s", re.IGNORECASE)
SHORTEST = 4  # shorter values cannot be distinguished from ordinary text
DOTS = "..."  # reprlib and pytest replace the middle of a long text by this

# Values that were fetched, with their replacements; and the rules of plugins.
_known: dict[str, str] = {}
_rules: dict[str, re.Pattern[str]] = {}


def is_plaintext(text: str) -> bool:
    """Return whether a value under a secret's name is a secret, not a placeholder."""
    return text.strip().lower() not in PLACEHOLDERS


def remember(value: str, source: str) -> None:
    """Make `redact` replace this value by `source` wherever it appears."""
    for spelled in _spellings(AUTH_SCHEME.sub("", value).strip()):
        if len(spelled) >= SHORTEST and is_plaintext(spelled):
            _known.setdefault(spelled, source)


def _spellings(value: str) -> set[str]:
    """Return a value as text, `repr`, JSON and URLs show it: a key can have many lines."""
    if value.isalnum():
        return {value}
    address = quote(value, safe="", errors="replace")
    return {value, repr(value)[1:-1], json.dumps(value)[1:-1], address}


def add_redaction_rule(pattern: str) -> None:
    """Make `redact` mask what matches this regular expression."""
    _rules.setdefault(pattern, re.compile(pattern))


def has_redaction_rules() -> bool:
    """Return whether plugins have registered rules, which can match any text."""
    return bool(_rules)


def nothing_to_redact() -> bool:
    """Return whether `redact` has nothing to replace."""
    return not (_known or _rules)


def redact(text: str) -> str:
    """Return the text without any secret that was fetched in this process."""
    for value in sorted(_known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, _known[value])
    for rule in list(_rules.values()):
        text = rule.sub(MASK, text)
    return text


def redact_shortened(text: str) -> str:
    """Redact a shortened text, including parts of secrets beside its dots."""
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
    """Replace the start of a value at the end of a text."""
    if value[:SHORTEST] in text[-len(value) :]:
        for length in range(len(value) - 1, SHORTEST - 1, -1):
            if text.endswith(value[:length]):
                return text[:-length] + _known[value]
    return text


def _without_end(text: str, value: str) -> str:
    """Replace the end of a value at the start of a text."""
    if value[-SHORTEST:] in text[: len(value)]:
        for length in range(len(value) - 1, SHORTEST - 1, -1):
            if text.startswith(value[-length:]):
                return _known[value] + text[length:]
    return text


def redacted_error(error: Exception) -> tuple[str, Exception | None]:
    """Return the redacted text of a foreign error, and the error itself if it holds no secret.

    Use it as the cause: a traceback shows a cause in full, so it must not hold a secret.
    """
    from traceback import format_exception

    message = f"{type(error).__name__}: {error}"
    # A traceback also shows notes, causes and the members of a group.
    whole = "".join(format_exception(error))
    return redact(message), error if redact(whole) == whole else None
