"""The ways in which programs spell a secret: escaped, encoded, in capitals, in parts."""

import json
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from dspy_profiles.secrets._addresses import passwords_in
from dspy_profiles.secrets._names import Names

__all__ = ["SHORTEST_ENCODED", "basic_password", "encoded", "escaped", "lines", "parts"]

SHORTEST_ENCODED = 8  # characters: shorter values are masked as they are, and escaped
SHORTEST_CASED = 12
SHORTEST_LINE = 8
LONG_WORD = 20  # letters alone are an ordinary word, unless there are as many
BREAK = re.compile(r"\r\n|\r|\n|\\r\\n|\\n")  # as JSON writes it, too
MARK = re.compile(r"-{3,}.*-{3,}|[\s\W]*")  # -----BEGIN PRIVATE KEY-----, or only punctuation
LINE = 57  # bytes in a line of base64
AS_ENTITIES = {
    ord(c): entity
    for c, entity in zip("&<>\"'", ("&amp;", "&lt;", "&gt;", "&quot;", "&#x27;"), strict=True)
}


def lines(value: str) -> list[str]:
    """Return the lines of a value with several, but not those that are short or only a mark."""
    found = [line.strip() for line in BREAK.split(value)]
    if len(found) == 1:
        return []
    return [line for line in found if _is_telling(line) and not MARK.fullmatch(line)]


def parts(value: str) -> Iterator[str]:
    """Yield secrets inside a value: the passwords of addresses, the members of a JSON object."""
    yield from passwords_in(value)
    if value.startswith("{"):
        try:
            yield from _members(json.loads(value))
        except (ValueError, RecursionError):
            return


def basic_password(token: str) -> str:
    """Return the password in the token of Basic authentication, or nothing."""
    try:
        return a2b_base64(token).decode().partition(":")[2]
    except ValueError:
        return ""


def escaped(value: str) -> set[str]:
    """Return a value as text, `repr`, JSON, addresses and pages show it."""
    if value.isalnum() and value.isascii():
        return {value}
    found = {value, repr(value)[1:-1], ascii(value)[1:-1], value.translate(AS_ENTITIES)}
    for is_ascii in (True, False):
        once = json.dumps(value, ensure_ascii=is_ascii)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=is_ascii)[1:-1]}
    for address in (
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
    ):
        found |= {address, re.sub("%..", lambda match: match[0].lower(), address)}
    return found


def encoded(value: str) -> set[str]:
    """Return a value in base64, hex, and other cases, if it is long enough to be told apart."""
    found: set[str] = set()
    if len(value) >= SHORTEST_ENCODED:
        data = value.encode("utf-8", "replace")
        found |= {data.hex(), data.hex().upper()}
        for text in _base64(data):
            url = text.replace("+", "-").replace("/", "_")
            found |= {text, url, quote(text, safe="")}
    if len(value) >= SHORTEST_CASED and _is_telling(value):
        found |= {value.lower(), value.upper()}
    return found


def _base64(data: bytes) -> Iterator[str]:
    """Yield base64 of the data alone, and what is left of it in that of a longer text."""
    whole = b2a_base64(data, newline=False).decode()
    yield from {whole, whole.rstrip("=")}
    for before in range(3):  # bytes, modulo 3
        text = b2a_base64(bytes(before) + data, newline=False).decode()
        # Only characters that no byte before or after the data has a part in.
        yield text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
    for start in range(0, len(data) if len(data) > LINE else 0, LINE):
        line = b2a_base64(data[start : start + LINE], newline=False).decode()
        if len(line) >= SHORTEST_CASED:
            yield line


def _is_telling(text: str) -> bool:
    return len(text) >= (LONG_WORD if text.isalpha() else SHORTEST_LINE)


def _members(data: object) -> Iterator[str]:
    """Yield the values under names of secrets in a JSON object, and their lines."""
    names = Names()
    for name, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, dict):
            yield from _members(value)
        elif isinstance(value, str) and (names.is_secret(name) or name == "private_key_id"):
            yield value
