"""Addresses of databases: what may be shown of them, and the references in them."""

import re

from dspy_profiles.config import load_settings, locate
from dspy_profiles.errors import MissingSecret, StoreError
from dspy_profiles.secrets import MASK, Missing, Names, expand_references, load_env_files, remember

__all__ = ["followed", "is_secret", "known", "masked"]

# Greedy: a password may have signs in it that somebody forgot to escape.
PASSWORD = re.compile(r"(//[^:/@]*:)(.*)@", re.DOTALL)
REFERRED = re.compile(r"//[^:/@]*:\$\{\w+\}@", re.ASCII)
PARAMETER = re.compile(r"([?&])([^=&?]+)=([^&]*)")
REFERENCE = re.compile(r"\$\{\w+\}", re.ASCII)

_whole: dict[str, str] = {}  # by what is shown of it, so that a store is opened again by its URL


def masked(address: str) -> str:
    """What may be shown: a password by reference, any other not at all."""
    shown = address
    if not REFERRED.search(shown):
        shown = PASSWORD.sub(rf"\1{MASK}@", shown)
    shown = PARAMETER.sub(_parameter, shown)
    if shown != address:
        _whole[shown] = address
    return shown


def known(address: str) -> str:
    """The address that this process has shown so, with its password."""
    return _whole.get(address, address)


def is_secret(parameter: str) -> bool:
    return Names().is_secret(parameter) or parameter.endswith("password")


def followed(text: str, *, is_secret: bool = False) -> str:
    """A part of an address with what its references stand for. A secret is shown nowhere then."""
    found = text
    if "${" in text:
        where = locate()
        given = load_settings(where)
        files = given.paths("env-file") if given.is_given("env-file") else where.env_files
        load_env_files(files)
        expanded = expand_references(text, {})
        if isinstance(expanded, Missing):
            raise MissingSecret(
                f"{expanded.name} {expanded.reason}; the address of the result store needs it",
                hint=f"set {expanded.name} in the environment or in .env",
            )
        found = expanded
    if is_secret:
        if found == MASK:
            raise StoreError(
                "the password of the result store was left out where its address was shown",
                hint="write a reference: postgresql://you:${PGPASSWORD}@host/database",
            )
        remember(found, text if REFERENCE.fullmatch(text) else MASK)
    return found


def _parameter(match: re.Match[str]) -> str:
    sign, name, value = match.groups()
    hidden = is_secret(name) and not REFERENCE.fullmatch(value)
    return f"{sign}{name}={MASK if hidden else value}"
