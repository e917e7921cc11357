"""Recognize the names of keys that hold secrets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

__all__ = ["NOT_SECRET", "SECRET_KEYS", "Names"]

SECRET_KEYS = (
    "api_key",
    "apikey",
    "*_api_key",
    "*_apikey",
    "api_keys",
    "token",
    "*_token",
    "secret",
    "*_secret",
    "password",
    "*_password",
    "passwd",
    "authorization",
    "*_authorization",
    "secret_key",
    "*_secret_key",
    "secret_access_key",
    "*_secret_access_key",
    "private_key",
    "*_private_key",
    "passphrase",
    "*_passphrase",
    "cookie",
)
NOT_SECRET = (
    "max_tokens",
    "*_path",
    # the special tokens of language models
    *(f"{name}_token" for name in ("bos", "cls", "eos", "image", "mask", "pad", "sep", "unk")),
    "stop_token",
    "*_per_token",  # a price
)


@dataclass(frozen=True)
class Names:
    """Patterns of the names of secrets: the built-in ones and those of the settings."""

    secret: tuple[str, ...] = SECRET_KEYS
    plain: tuple[str, ...] = NOT_SECRET

    @classmethod
    def extended(cls, secret: Iterable[str], plain: Iterable[str]) -> "Names":
        return cls(
            SECRET_KEYS + tuple(map(_spelled, secret)), NOT_SECRET + tuple(map(_spelled, plain))
        )

    def is_secret(self, key: str) -> bool:
        key = _spelled(key)
        return not _matches(key, self.plain) and _matches(key, self.secret)


WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _spelled(key: str) -> str:
    return WORDS.sub("_", str(key)).lower().replace("-", "_")  # accessToken, Access-Token


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    names, endings, others = _kinds(patterns)
    return key in names or key.endswith(endings) or any(fnmatchcase(key, one) for one in others)


@cache
def _kinds(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...], list[str]]:
    """Return the patterns that are names, the endings of those that have one, and the others."""
    # Nearly all are of the first two kinds: compiling regular expressions would take longer than
    # the rest of a first resolution.
    names, endings, others = set[str](), list[str](), list[str]()
    for pattern in patterns:
        if "*" not in pattern:
            names.add(pattern)
        elif pattern[0] == "*" and not _SIGNS.intersection(pattern[1:]):
            endings.append(pattern[1:])
        else:
            others.append(pattern)
    return frozenset(names), tuple(endings), others


_SIGNS = frozenset("*?[")
