"""Looks through a cassette for what looks like a key. What it finds it never shows."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dspy_profiles.errors import Place
from dspy_profiles.secrets import Names, is_plaintext

__all__ = ["Finding", "looks", "scan"]

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
        ("an API key", r"(?<![\w-])sk-[\w-]{16,}"),
        ("an AWS access key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("a GitHub token", r"(?<!\w)(?:gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
        ("a Slack token", r"(?<!\w)xox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("a Google API key", r"(?<![\w-])AIza[\w-]{30,}"),
        ("a Hugging Face token", r"(?<!\w)hf_[A-Za-z0-9]{20,}"),
        ("a JSON web token", r"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
        ("a bearer token", r"(?i)\bbearer\s+(?!\W)(?=[\w.~+/-]*\d)[\w.~+/=-]{16,}"),
        ("a password in an address", r"(?<=://)[^\s/:@]+:[^\s/:@]{4,}(?=@)"),
    )
)
# `api_key = "…"` and the like inside of a text
NAMED = re.compile(r"""([A-Za-z][\w-]{2,40})["']?\s*[:=]\s*["']?([A-Za-z0-9+/_.~=-]{16,})""")
LEAST = 16
BITS = 3.0  # per letter: names and words have less


@dataclass(frozen=True)
class Finding:
    """Something that looks like a secret; `excerpt` is enough to find it, and no more."""

    where: Place
    what: str
    excerpt: str


def scan(path: Path, names: Names | None = None) -> list[Finding]:
    """All that looks like a secret in this file, in the order of its lines; broken ones as well."""
    from dspy_profiles.calls.cassettes._read import numbered  # imports DSPy

    names = names or Names()
    found: dict[Finding, None] = {}
    for number, line in numbered(path):
        for what, excerpt in looks(line, names):
            found[Finding(Place(path, number), what, excerpt)] = None
    return list(found)


def looks(line: bytes, names: Names) -> Iterator[tuple[str, str]]:
    """What in one line looks like a secret, and an excerpt of it."""
    yield from ((what, _masked(secret)) for what, secret in _in_line(line, names))


def _in_line(line: bytes, names: Names) -> Iterator[tuple[str, str]]:
    try:
        data = orjson.loads(line)
    except ValueError:
        data = line.decode("utf-8", "replace")
    for name, text in _texts(data):
        seen = False
        for what, pattern in PATTERNS:
            for match in pattern.finditer(text):
                seen = True
                yield what, match[0]
        if seen:
            continue
        if name is not None and names.is_secret(name) and _is_random(text):
            yield f'a value of "{name}"', text
        for match in NAMED.finditer(text):
            if names.is_secret(match[1]) and _is_random(match[2]):
                yield f'a value of "{match[1]}"', match[2]


def _texts(data: Any) -> Iterator[tuple[str | None, str]]:
    """Every text with the name that it stands under."""
    waiting: list[tuple[str | None, Any]] = [(None, data)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict):
            waiting.extend((key, item) for key, item in reversed(value.items()))
            waiting.extend((None, key) for key in value)
        elif isinstance(value, list):
            waiting.extend((name, item) for item in reversed(value))


def _is_random(text: str) -> bool:
    if len(text) < LEAST or " " in text or not is_plaintext(text):
        return False
    counted = Counter(text)
    bits = -sum(n / len(text) * math.log2(n / len(text)) for n in counted.values())
    return bits >= BITS and any(letter.isdigit() for letter in text)


def _masked(secret: str) -> str:
    """Its beginning, which says what kind it is, and how long it is."""
    return f"{secret[: min(4, len(secret) // 4)]}… ({len(secret)} characters)"
