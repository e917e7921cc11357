"""Open a store by its URL; show a URL without its password."""

import re
from pathlib import Path
from typing import Any

from dspy_profiles import plugins
from dspy_profiles.config import load_settings, locate
from dspy_profiles.errors import MissingSecret, ProfileError, StoreError, did_you_mean
from dspy_profiles.objects import import_path
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.secrets import (
    MASK,
    Missing,
    Names,
    expand_references,
    expand_user,
    load_env_files,
    redacted_error,
    remember,
)

__all__ = ["expanded", "is_secret", "is_usual", "masked", "open_store", "unmasked"]

DEFAULT = Path(".dspy") / "results"  # in the project root

# Greedy: a password may contain characters that should have been escaped.
PASSWORD = re.compile(r"(//[^:/@]*:)(.*)@", re.DOTALL)
PASSWORD_REFERENCE = re.compile(r"//[^:/@]*:\$\{\w+\}@", re.ASCII)
PARAMETER = re.compile(r"([?&])([^=&?]+)=([^&]*)")
REFERENCE = re.compile(r"\$\{\w+\}", re.ASCII)

_by_masked: dict[str, str] = {}  # addresses, so that a store is opened again by its `url`


def open_store(url: str | None = None) -> Store:
    """Open a result store: `memory:`, `file:DIR`, `sqlite:FILE`, `postgresql://…`, or a plugin's.

    The default is the setting `store`, or `file:.dspy/results` in the project root. `memory:` is
    one store for the whole process, `memory:NAME` another. A relative path starts at the working
    directory; in a settings file, at the folder of that file. Raises StoreError.

    >>> open_store("memory:").query_experiments(status="done")
    []
    """
    if url is None:
        url, folder = _usual()
    else:
        folder = locate().cwd
    untyped: Any = url  # callers may be untyped
    if not isinstance(untyped, str):
        raise StoreError(
            f"{untyped!r} is not a result store",
            hint='pass a store or its URL, such as "file:results"',
        )
    scheme, colon, rest = url.partition(":")
    schemes = plugins.stores()
    if not colon or scheme not in schemes:
        known = ", ".join(f"{name}:" for name in sorted(schemes))
        near = did_you_mean(scheme, schemes)
        raise StoreError(
            f'"{masked(url)}" is not a result store; known kinds: {known}',
            hint=near or "write file:results, or sqlite:results.db",
        )
    return _opened(scheme, schemes[scheme], rest, folder)


def is_usual(store: Store) -> bool:
    """Return whether a store is the default one."""
    url, folder = _usual()
    scheme, _, rest = url.partition(":")
    return store.url in (masked(url), f"{scheme}:{folder / expand_user(rest)}")


def masked(address: str) -> str:
    """Return an address without its password, unless that is a reference."""
    shown = address
    if not PASSWORD_REFERENCE.search(shown):
        shown = PASSWORD.sub(rf"\1{MASK}@", shown)
    shown = PARAMETER.sub(_masked_parameter, shown)
    if shown != address:
        _by_masked[shown] = address
    return shown


def unmasked(address: str) -> str:
    """Return the address that `masked` has shown in this process, with its password."""
    return _by_masked.get(address, address)


def is_secret(parameter: str) -> bool:
    return Names().is_secret(parameter) or parameter.endswith("password")


def expanded(text: str, *, is_secret: bool = False) -> str:
    """Return a part of an address with the values of its references. Masks a secret from now on."""
    value = text
    if "${" in text:
        location = locate()
        settings = load_settings(location)
        is_set = settings.is_given("env-file")
        load_env_files(settings.paths("env-file") if is_set else location.env_files)
        result = expand_references(text, {})
        if isinstance(result, Missing):
            raise MissingSecret(
                f"{result.name} {result.reason}; the address of the result store needs it",
                hint=f"set {result.name} in the environment or in .env",
            )
        value = result
    if is_secret:
        if value == MASK:
            raise StoreError(
                "the address of the result store has a masked password",
                hint="write a reference: postgresql://you:${PGPASSWORD}@host/database",
            )
        remember(value, text if REFERENCE.fullmatch(text) else MASK)
    return value


def _usual() -> tuple[str, Path]:
    """Return the URL of the setting `store`, and the folder where its path starts."""
    location = locate()
    setting = load_settings(location).values["store"]
    if isinstance(setting.value, str):
        return setting.value, setting.folder
    return f"file:{location.root / DEFAULT}", location.cwd


def _opened(scheme: str, opener: Any, rest: str, folder: Path) -> Store:
    try:
        function: Any = import_path(opener) if isinstance(opener, str) else opener
        store = function(rest, folder)
    except ProfileError:
        raise
    except Exception as error:  # noqa: BLE001 - functions of plugins may raise anything
        message, cause = redacted_error(error)
        raise StoreError(
            f"the result store {scheme}: cannot be opened: {message}",
            hint="fix or uninstall the package that registers it",
        ) from cause
    if not isinstance(store, Store):
        raise StoreError(
            f"the function that opens {scheme}: returned a {type(store).__name__}, not a store",
            hint="return an object with the members of dspy_profiles.results.Store",
        )
    return store


def _masked_parameter(match: re.Match[str]) -> str:
    sign, name, value = match.groups()
    is_hidden = is_secret(name) and not REFERENCE.fullmatch(value)
    return f"{sign}{name}={MASK if is_hidden else value}"
