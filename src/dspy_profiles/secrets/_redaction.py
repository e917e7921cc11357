"""Mask secrets: every value that was fetched is replaced wherever it appears."""

import re

from dspy_profiles.secrets._known import PLACEHOLDERS, SHORTEST, KnownValues, is_plaintext
from dspy_profiles.secrets._spellings import SHORTEST_ENCODED, basic_password

__all__ = [
    "AUTH_SCHEME",
    "MASK",
    "PLACEHOLDERS",
    "SHORTEST_MASKED",
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

AUTH_SCHEME = re.compile(r"^\s*(basic|bearer|token)\s", re.IGNORECASE)
SHORTEST_MASKED = 12  # characters of a value of which only a name says that it is a secret
DOTS = "..."  # reprlib and pytest replace the middle of a long text by this

# Values that were fetched, with their replacements; and the rules of plugins.
_known = KnownValues()
_rules: dict[str, re.Pattern[str]] = {}


def remember(value: str, source: str) -> None:
    """Make `redact` replace this value by `source` wherever it appears, however it is spelled.

    Masks also its lines if it has several, and the password if it is an address.
    """
    scheme = AUTH_SCHEME.match(value)
    value = value[scheme.end() if scheme else 0 :].strip()
    _known.add(value, source)
    if scheme and scheme[1].lower() == "basic":
        _known.add(basic_password(value), source)


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
    search = _known.search or _known.new_search()
    if search.is_in(text):
        text = search.replaced(text)
    if _rules:
        for rule in list(_rules.values()):
            text = rule.sub(MASK, text)
    return text


def redact_shortened(text: str) -> str:
    """Redact a shortened text, including parts of secrets beside its dots."""
    text = redact(text)
    if DOTS not in text:
        return text
    search = _known.search or _known.new_search()
    for value in search.values:
        least = SHORTEST if value in search.partly else SHORTEST_ENCODED
        if len(value) <= least:
            continue
        source = search.sources[value]
        head, *rest = text.split(DOTS)
        parts = [head]
        for part in rest:
            parts[-1] = _without_start(parts[-1], value, source, least)
            parts.append(_without_end(part, value, source, least))
        text = DOTS.join(parts)
    return text


def _without_start(text: str, value: str, source: str, least: int) -> str:
    """Replace the start of a value at the end of a text."""
    if value[:least] in text[-len(value) :]:
        for length in range(len(value) - 1, least - 1, -1):
            if text.endswith(value[:length]):
                return text[:-length] + source
    return text


def _without_end(text: str, value: str, source: str, least: int) -> str:
    """Replace the end of a value at the start of a text."""
    if value[-least:] in text[: len(value)]:
        for length in range(len(value) - 1, least - 1, -1):
            if text.startswith(value[-length:]):
                return source + text[length:]
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
