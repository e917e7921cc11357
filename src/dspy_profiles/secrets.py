"""Secrets by reference: which keys hold one, what refers to one, and how none gets out."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from dspy_profiles.errors import InvalidProfile, MissingSecret, ProviderError

__all__ = [
    "MASK",
    "Missing",
    "Names",
    "Reference",
    "Secret",
    "add_rule",
    "expand",
    "has_reference",
    "redact",
    "remember",
    "retold",
]

MASK = "********"

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
)
NOT_SECRET = (
    "max_tokens",
    "*_path",
    # the special tokens of language models
    *(f"{name}_token" for name in ("bos", "cls", "eos", "image", "mask", "pad", "sep", "unk")),
    "stop_token",
)
# What people write where a library insists on a key and the server does not.
GAP_FILLERS = frozenset(
    {"", "none", "empty", "dummy", "ollama", "not-needed", "sk-no-key-required"}
)

# `$${` is a literal `${`; the second alternative of the name part catches what is malformed.
TEMPLATE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_]\w*)(:-([^{}]*))?\}|)", re.ASCII)
SCHEME = re.compile(r"([a-z][a-z0-9_-]*):(?!//)(.+)", re.DOTALL)
AUTH_SCHEME = re.compile(r"^\s*(basic|bearer|token)\s", re.IGNORECASE)
LONG = 8  # what stands beside a reference and is shorter is a prefix, not a secret
VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Reference(str):
    """The text of a value that stands for something elsewhere: `${OPENAI_API_KEY}`."""

    __slots__ = ()


class Secret:
    """A secret in hand. It shows itself to nobody; `build` alone asks for the value."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str | None, source: str) -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        if self._value is None:
            raise MissingSecret(
                f"the secret of {self.source} did not travel with the pickle",
                hint="resolve the profile again in the process that uses it",
            )
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[type[Self], tuple[None, str]]:
        return type(self), (None, self.source)

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    __copy__ = __deepcopy__


@dataclass(frozen=True)
class Names:
    """Which keys hold secrets: the built-in lists and those of the suite settings."""

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


def _spelled(key: str) -> str:
    return key.lower().replace("-", "_")


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    return key in patterns or any("*" in p and fnmatchcase(key, p) for p in patterns)


def is_plaintext(text: str) -> bool:
    """Whether a value under a secret's name is the secret itself."""
    return text.strip().lower() not in GAP_FILLERS


Fetch = Callable[[str], str | None]
Schemes = Mapping[str, Fetch]


def split_scheme(text: str, schemes: Iterable[str]) -> tuple[str, str] | None:
    """("file", "/run/secrets/x") where the text is a reference by one of these schemes."""
    match = SCHEME.fullmatch(text)
    if match is None or match[1] not in schemes:
        return None
    if match[1] == "env" and not VARIABLE.fullmatch(match[2]):
        return None
    return match[1], match[2]


def has_reference(text: str, schemes: Iterable[str]) -> bool:
    """Whether anything in the text stands for something elsewhere. Malformed ones raise."""
    if "${" in text and any(match[1] for match in _templates(text)):
        return True
    return split_scheme(text, schemes) is not None


def in_clear(text: str, *, refers: bool) -> list[str]:
    """What a value says by itself: all of it, or what stands around and inside its references."""
    if not refers:
        return [text]
    if "${" not in text:
        return []
    around = AUTH_SCHEME.sub("", TEMPLATE.sub("", text)).strip()
    fallbacks = [match[3] for match in _templates(text) if match[2]]
    return [*fallbacks, *([around] if len(around) >= LONG else [])]


def leads_to_secret(text: str, names: Names) -> bool:
    """Whether what a text refers to is a secret, whatever the key is called that holds it."""
    scheme = split_scheme(text, ("env",))
    return any(map(names.is_secret, variables(text))) or (scheme is None and "${" not in text)


def _templates(text: str) -> list[re.Match[str]]:
    found = list(TEMPLATE.finditer(text))
    if any(match[0] == "${" for match in found):
        raise InvalidProfile(
            'a "${" that names no variable',
            hint="write ${NAME} or ${NAME:-fallback}; $${ is a literal ${",
        )
    return found


@dataclass(frozen=True)
class Missing:
    """A reference that leads nowhere, in words: "OPENAI_API_KEY is not set"."""

    name: str
    reason: str


def expand(text: str, schemes: Schemes) -> str | Missing:
    """The text with every reference replaced by what it stands for."""
    by_scheme = split_scheme(text, schemes)
    if by_scheme is not None:
        scheme, rest = by_scheme
        value = schemes[scheme](rest)
        return value if value is not None else Missing(rest, _REASONS.get(scheme, "is not there"))
    if "${" not in text:
        return text
    parts: list[str] = []
    end = 0
    for match in _templates(text):
        value = "${" if match[1] is None else _variable(match[1], match[3])
        if value is None:
            return Missing(match[1], "is not set")
        parts += text[end : match.start()], value
        end = match.end()
    return "".join((*parts, text[end:]))


_REASONS = {"env": "is not set", "file": "does not exist", "keyring": "is not in the keyring"}


def _variable(name: str, fallback: str | None) -> str | None:
    value = os.environ.get(name)
    # As in a shell, `:-` stands in for a variable that is set but empty, too.
    return fallback if fallback is not None and not value else value


def variables(text: str) -> list[str]:
    """The environment variables that a text refers to."""
    scheme = split_scheme(text, ("env",))
    if scheme is not None:
        return [scheme[1]]
    return [match[1] for match in _templates(text) if match[1]] if "${" in text else []


def from_environment(name: str) -> str | None:
    return os.environ.get(name)


def from_file(rest: str) -> str | None:
    path = Path(rest).expanduser()
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise MissingSecret(f"the secret file {path} cannot be read: {reason}") from None


def from_keyring(rest: str) -> str | None:
    service, _, user = rest.partition("/")
    try:
        import keyring
    except ModuleNotFoundError:
        raise ProviderError(
            f"keyring:{rest} needs the package keyring",
            hint="pip install 'dspy-profiles[keyring]'",
        ) from None
    try:
        return keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        raise MissingSecret(f"the keyring does not answer: {type(error).__name__}") from None


BUILT_IN_SCHEMES: Schemes = {
    "env": from_environment,
    "file": from_file,
    "keyring": from_keyring,
}

# Values that were resolved, and what is shown in their place; and the rules of plugins.
_known: dict[str, str] = {}
_rules: list[re.Pattern[str]] = []
SHORTEST = 4  # what is shorter cannot be told from ordinary text


def remember(value: str, source: str) -> None:
    """From now on `redact` replaces this value wherever it appears."""
    if len(value) >= SHORTEST and is_plaintext(value):
        _known.setdefault(value, source)


def add_rule(pattern: str) -> None:
    """From now on `redact` masks what matches this regular expression."""
    _rules.append(re.compile(pattern))


def redact(text: str) -> str:
    """The text without any secret that was resolved in this process."""
    for value in sorted(_known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, _known[value])
    for rule in _rules:
        text = rule.sub(MASK, text)
    return text


def retold(error: Exception) -> tuple[str, Exception | None]:
    """What an error of somebody else's says, redacted, and the error itself if it was clean.

    A traceback shows a cause in full, so one that holds a secret must not become a cause.
    """
    said = f"{type(error).__name__}: {error}"
    shown = redact(said)
    return shown, error if shown == said else None
