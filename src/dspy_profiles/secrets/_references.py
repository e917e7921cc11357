"""References to secrets: recognize them, and replace them by their values."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from dspy_profiles._reading import MEGABYTE, read_text
from dspy_profiles.errors import InvalidProfile, MissingSecret, ProviderError
from dspy_profiles.secrets._addresses import password_spans
from dspy_profiles.secrets._names import Names
from dspy_profiles.secrets._paths import expand_user
from dspy_profiles.secrets._redaction import (
    AUTH_SCHEME,
    MASK,
    add_redaction_rule,
    is_plaintext,
    redact,
    redacted_error,
    remember,
)

__all__ = [
    "BUILT_IN_SCHEMES",
    "MASK",
    "SCHEME",
    "TEMPLATE",
    "VARIABLE",
    "Fetch",
    "Missing",
    "Reference",
    "Schemes",
    "Secret",
    "add_redaction_rule",
    "empty_variable_in",
    "expand_references",
    "filled",
    "from_environment",
    "from_file",
    "has_reference",
    "is_plaintext",
    "literal_passwords",
    "names_secret",
    "plaintext_in",
    "redact",
    "redacted_error",
    "refers_to_password",
    "remember",
    "secret_file",
    "secret_variables_in",
    "split_scheme",
    "variables_in",
]

# `$${` is a literal `${`; the last, empty alternative catches a `${` that is malformed.
TEMPLATE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_]\w*)(:-([^{}]*))?\}|)", re.ASCII)
SCHEME = re.compile(r"([a-z][a-z0-9_-]*):(?!//)(.+)", re.DOTALL)
LARGEST = 16 * MEGABYTE  # of a secret's file
LONG = 8  # shorter text around a reference is a prefix, not a secret
VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Reference(str):
    """The text of a reference: `${OPENAI_API_KEY}`."""

    __slots__ = ()


class Secret:
    """A fetched secret. It prints as a mask; only `objects` calls `reveal`."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str | None, source: str) -> None:
        self._value = value
        self.source: str = source

    def reveal(self) -> str:
        if self._value is None:
            raise MissingSecret(
                f"a pickled profile does not hold the secret of {self.source}",
                hint="resolve the profile in the process that uses it",
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

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self


@dataclass(frozen=True)
class Missing:
    """A reference without a value: name and reason, as in "OPENAI_API_KEY is not set"."""

    name: str
    reason: str


Fetch = Callable[[str], str | Missing | None]
Schemes = Mapping[str, Fetch]


def split_scheme(text: str, schemes: Iterable[str]) -> tuple[str, str] | None:
    """Return ("file", "/run/secrets/x") if the text is a reference of one of these schemes."""
    match = SCHEME.fullmatch(text) if ":" in text else None
    if match is None or match[1] not in schemes:
        return None
    if match[1] == "env" and not VARIABLE.fullmatch(match[2]):
        return None
    return match[1], match[2]


def has_reference(text: str, schemes: Iterable[str]) -> bool:
    """Return whether the text has a reference. Raise InvalidProfile if one is malformed."""
    if "${" in text and any(match[1] for match in _templates(text)):
        return True
    return split_scheme(text, schemes) is not None


def plaintext_in(text: str, *, refers: bool) -> list[str]:
    """Return the plaintext of a value: all of it, or the text around and inside its references."""
    if not refers:
        return [text]
    if "${" not in text:
        return []
    around = AUTH_SCHEME.sub("", TEMPLATE.sub("", text)).strip()
    fallbacks = [match[3] for match in _templates(text) if match[2]]
    return [*fallbacks, *([around] if len(around) >= LONG else [])]


def literal_passwords(text: str) -> list[str]:
    """Return the plaintext in the passwords of a text's addresses, and of its fallbacks.

    A password that is percent-encoded is returned decoded, too.
    """
    if "://" not in text:
        return []
    fallbacks = [match[3] for match in TEMPLATE.finditer(text) if match[2]]
    found = [part for each in _passwords(text) for part in plaintext_in(each, refers="${" in each)]
    found += [unquote(each) for each in found if "%" in each]
    return found + [part for each in fallbacks for part in literal_passwords(each)]


def refers_to_password(text: str) -> bool:
    """Return whether a reference is, or is in, the password of an address in a text."""
    return any("${" in each for each in _passwords(text))


def _passwords(text: str) -> list[str]:
    """Return the passwords of a text's addresses, with references as they are written."""
    if "://" not in text:
        return []
    covered = TEMPLATE.sub(lambda match: "\0" * len(match[0]), text)  # a fallback can have any sign
    return [text[start:end] for start, end in password_spans(covered)]


def names_secret(text: str, names: Names) -> bool:
    """Return whether a reference names a secret, whatever the name of its key."""
    if split_scheme(text, ("env",)) is None and "${" not in text:
        return True
    return any(names.is_secret(name, os.environ.get(name, "")) for name in variables_in(text))


def _templates(text: str) -> list[re.Match[str]]:
    matches = list(TEMPLATE.finditer(text))
    if any(match[0] == "${" for match in matches):
        raise InvalidProfile(
            'has a "${" without a variable',
            hint="write ${NAME} or ${NAME:-fallback}, or $${ for a literal ${",
        )
    return matches


def expand_references(text: str, schemes: Schemes) -> str | Missing:
    """Return the text with every reference replaced by its value."""
    by_scheme = split_scheme(text, schemes)
    if by_scheme is not None:
        scheme, rest = by_scheme
        value = schemes[scheme](rest)
        return value if value is not None else Missing(rest, _REASONS.get(scheme, "does not exist"))
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


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with these variables in its references: else their fallback, or nothing."""
    by_scheme = split_scheme(text, ("env",))
    if by_scheme is not None:
        return variables.get(by_scheme[1], "")
    return TEMPLATE.sub(
        lambda match: variables.get(match[1]) or match[3] or "" if match[1] else "${", text
    )


def _variable(name: str, fallback: str | None) -> str | None:
    value = os.environ.get(name)
    # As in a shell, `:-` also replaces a variable that is set but empty.
    return fallback if fallback is not None and not value else value


def variables_in(text: str) -> list[str]:
    """Return the environment variables that a text refers to."""
    scheme = split_scheme(text, ("env",))
    if scheme is not None:
        return [scheme[1]]
    return [match[1] for match in _templates(text) if match[1]] if "${" in text else []


def secret_variables_in(text: str) -> list[str]:
    """Return the variables whose values are secrets; in an address, those of its passwords."""
    if not refers_to_password(text):
        return variables_in(text)
    return [name for each in _passwords(text) for name in variables_in(each)]


def empty_variable_in(text: str) -> str | None:
    """Return a variable that is set but empty, as CI sets secrets that it must not reveal."""
    bare = [match[1] for match in _templates(text) if match[1] and not match[2]]
    scheme = split_scheme(text, ("env",))
    names = [scheme[1]] if scheme is not None else bare
    return next((name for name in names if os.environ.get(name) == ""), None)


def from_environment(name: str) -> str | None:
    return os.environ.get(name)


def from_file(rest: str, folder: Path | None = None) -> str | Missing | None:
    path = secret_file(rest, folder)
    try:
        return read_text(path, LARGEST).rstrip("\r\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return Missing(rest, f"cannot be read: {reason}")


def secret_file(rest: str, folder: Path | None = None) -> Path:
    """Return the file of `file:…`; relative paths start at the folder of the profiles file."""
    path = expand_user(rest)
    return path if folder is None else folder / path


def from_keyring(rest: str) -> str | Missing | None:
    service, _, user = rest.partition("/")
    try:
        import keyring
    except ModuleNotFoundError:
        raise ProviderError(
            f"keyring:{rest}: the package keyring is not installed",
            hint="pip install 'dspy-profiles[keyring]'",
        ) from None
    try:
        return keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - backends can raise anything
        return Missing(rest, f"cannot be read: the keyring failed with {type(error).__name__}")


BUILT_IN_SCHEMES: Schemes = {
    "env": from_environment,
    "file": from_file,
    "keyring": from_keyring,
}
