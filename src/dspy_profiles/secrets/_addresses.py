"""Find passwords in addresses: `http://user:password@host`."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

__all__ = ["has_password", "password_spans", "passwords_in", "without_userinfo"]

# Strings, which `re` compiles when they are first needed: most values hold no address.
USER = r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:\"']*"
PASSWORD = rf"{USER}:([^\s/?#]*)@"
USERINFO = r"(://)[^\s/?#\\]*@"  # ends where the host begins, which must stay
# As programs fill in a password without quoting it; but not a port, and a path with an "@".
UNQUOTED = rf"{USER}:(?!\d{{1,5}}[/?#])(\S*)@"
USER_ALONE = r"[A-Za-z][A-Za-z0-9+.-]*://([^\s/?#@:]{12,}):?@"  # such as a token


def password_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each password in the addresses of a text."""
    if "://" in text and "@" in text:
        yield from (match.span(1) for match in re.finditer(PASSWORD, text))


def passwords_in(text: str) -> Iterator[str]:
    """Yield the passwords in the addresses of a value, as they are and percent-decoded."""
    if "://" in text and "@" in text:
        for pattern in (PASSWORD, UNQUOTED, USER_ALONE):
            for match in re.finditer(pattern, text):
                yield match[1]
                yield unquote(match[1])


def has_password(text: str) -> bool:
    """Return whether a text has an address with a password, or with a token in its place."""
    return any(passwords_in(text))


def without_userinfo(text: str) -> str:
    """Return a text whose addresses name nobody: `http://host` of `http://user:password@host`."""
    return re.sub(USERINFO, r"\1", text) if "@" in text else text
