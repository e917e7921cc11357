"""Find values in a cassette that look like keys, and show only their beginnings."""

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
    (kind, re.compile(pattern))
    for kind, pattern in (
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
# `api_key = "…"` and the like inside a text
NAMED = re.compile(r"""([A-Za-z][\w-]{2,40})["']?\s*[:=]\s*["']?([A-Za-z0-9+/_.~=-]{16,})""")
LEAST = 16
BITS = 3.0  # of entropy per letter: names and words have less


@dataclass(frozen=True)
class Finding:
    """A value that looks like a secret; `excerpt` is just enough to find it."""

    where: Place
    what: str
    excerpt: str


def scan(path: Path, names: Names | None = None) -> list[Finding]:
    """Return all values that look like secrets, by line, even in a file that is not valid."""
    from dspy_profiles.calls.cassettes._read import numbered  # imports DSPy

    names = names or Names()
    findings: dict[Finding, None] = {}
    for number, line in numbered(path):
        for what, excerpt in looks(line, names):
            findings[Finding(Place(path, number), what, excerpt)] = None
    return list(findings)


def looks(line: bytes, names: Names) -> Iterator[tuple[str, str]]:
    """Yield the kind of each value in a line that looks like a secret, and an excerpt of it."""
    yield from ((what, _masked(secret)) for what, secret in _in_line(line, names))


def _in_line(line: bytes, names: Names) -> Iterator[tuple[str, str]]:
    try:
        data = orjson.loads(line)
    except ValueError:
        data = line.decode("utf-8", "replace")
    for name, text in _texts(data):
        is_known = False
        for what, pattern in PATTERNS:
            for match in pattern.finditer(text):
                is_known = True
                yield what, match[0]
        if is_known:
            continue
        if name is not None and names.is_secret(name, text) and _is_random(text):
            yield f'a value of "{name}"', text
        for match in NAMED.finditer(text):
            if names.is_secret(match[1], match[2]) and _is_random(match[2]):
                yield f'a value of "{match[1]}"', match[2]


def _texts(data: Any) -> Iterator[tuple[str | None, str]]:
    """Yield every string with its key."""
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
    """Return the beginning, which shows the kind of secret, and the length."""
    return f"{secret[: min(4, len(secret) // 4)]}… ({len(secret)} characters)"
