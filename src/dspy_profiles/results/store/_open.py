"""Open a store by its URL; show a URL without its password."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dspy_profiles import plugins
from dspy_profiles.config import (
    Locations,
    SettingValue,
    Want,
    demand,
    is_inside,
    load_env,
    load_settings,
    locate,
)
from dspy_profiles.errors import MissingSecret, Place, ProfileError, StoreError, did_you_mean
from dspy_profiles.objects import import_path
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.secrets import (
    MASK,
    Missing,
    Names,
    expand_references,
    expand_user,
    file_of_variable,
    redacted_error,
    remember,
    variables_in,
)

__all__ = ["expanded", "is_secret", "is_usual", "masked", "open_inside", "open_store", "unmasked"]

FILES = ("file", "sqlite")
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
    location = locate()
    folder = location.cwd
    if url is None:
        setting = _usual(location)
        demand(_wants(setting, location), "the result store")
        url, folder = str(setting.value), setting.folder
    return _open(url, folder)


def open_inside(url: str | None = None) -> Store:
    """Open a store that is a file of the project, as completion may: it asks nobody."""
    location = locate()
    setting = _usual(location)
    folder = location.cwd if url is not None else setting.folder
    address = url if url is not None else str(setting.value)
    path = _path(address, folder)
    if path is None or not is_inside(path, location.checkout):
        raise StoreError(f'"{masked(address)}" is not a file of the project')
    return _open(address, folder)


def _open(url: str, folder: Path) -> Store:
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
    setting = _usual(locate())
    url = str(setting.value)
    scheme, _, rest = url.partition(":")
    return store.url in (masked(url), f"{scheme}:{setting.folder / expand_user(rest)}")


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
        load_env(location, settings)
        demand(_foreign(variables_in(text)), "the address of the result store")
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


def _usual(location: Locations) -> SettingValue:
    """Return the setting `store`, or the default, whose path may be a link out of the project."""
    setting = load_settings(location).values["store"]
    if isinstance(setting.value, str):
        return setting
    path = location.root / DEFAULT
    return SettingValue(f"file:{path}", str(path), location.cwd, "project", path)


def _wants(setting: SettingValue, location: Locations) -> Iterator[Want]:
    """Yield what opening this store means, unless it is a file of the project."""
    url = str(setting.value)
    path = _path(url, setting.folder)
    if path is None:
        yield Want("connect", masked(url), setting, setting.origin)
    elif not is_inside(path, location.checkout):
        yield Want("write", os.path.realpath(path), setting, setting.origin)


def _foreign(names: Iterable[str]) -> Iterator[Want]:
    """Yield a want for each variable that a `.env` file has set."""
    for name in names:
        if (file := file_of_variable(name)) is not None:
            origin = SettingValue(None, str(file), file.parent, "project", file)
            yield Want("read", f"${{{name}}}", origin, Place(file))


def _path(url: str, folder: Path) -> Path | None:
    """Return the file or folder of a store; None if it is on a server or of a plugin."""
    scheme, _, rest = url.partition(":")
    if scheme == "memory":
        return folder
    return folder / expand_user(rest.removeprefix("//")) if scheme in FILES else None


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
