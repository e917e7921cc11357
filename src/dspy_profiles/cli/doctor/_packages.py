"""Whether what a profile needs can be imported. Running this runs other people's code."""

import importlib
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import metadata
from io import StringIO

from dspy_profiles.cli.doctor._fault import Fault
from dspy_profiles.config import KeyPath
from dspy_profiles.errors import InvalidProfile, ProfileError, ProviderError
from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.secrets import redact, redacted_error

__all__ = ["dspy_fault", "ended", "import_fault", "provider_class", "quiet"]

OWN = "dspy-profiles"
LIMIT = re.compile(r"(>=|<)\s*([\d.]+)")


@contextmanager
def quiet() -> Iterator[None]:
    """What other people's code prints, logs and warns of stays out of our output.

    It belongs to nobody's result, would spoil JSON, and may hold a secret.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def dspy_fault() -> Fault | None:
    """Whether DSPy is there, of a release that this package works with, and can be imported."""
    try:
        version = metadata.version("dspy")
    except metadata.PackageNotFoundError:
        version = None
    limits = _limits()
    if version is not None and not _within(version, limits):
        asked = ",".join(f"{sign}{number}" for sign, number in limits)
        return Fault("error", f"DSPy {version} is not supported", f"pip install 'dspy{asked}'")
    try:
        with quiet():
            importlib.import_module("dspy")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an import raises what it likes
        hint = "pip install dspy" if version is None else "python -c 'import dspy' shows all of it"
        return Fault("error", f"DSPy cannot be imported: {_said(error)}", hint)
    return None


def _limits() -> list[tuple[str, str]]:
    """What our own package says that it needs."""
    try:
        needs = metadata.requires(OWN) or []
    except metadata.PackageNotFoundError:
        return []
    ours = next((need for need in needs if re.match(r"dspy\s*[<>=(]", need)), "")
    return sorted(LIMIT.findall(ours), reverse=True)


def _within(version: str, limits: list[tuple[str, str]]) -> bool:
    number = _numbers(version)
    return all(
        (number >= _numbers(limit)) if sign == ">=" else (number < _numbers(limit))
        for sign, limit in limits
    )


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, release[0].split("."))) if release else ()


def import_fault(profile: ResolvedProfile, section: str) -> Fault | None:
    """What keeps the class of a section from being imported."""
    name = profile.values[section].get("class")
    if not isinstance(name, str) or "${" in name:
        return None
    try:
        with quiet():
            _named(name, short=section == "provider")
    except ProfileError as error:
        error.where = error.where or profile.place(section, "class")
        return Fault.told(error, profile.name, (section, "class"))
    except SystemExit as error:
        return ended(profile, (section, "class"), error)
    return None


def ended(profile: ResolvedProfile, key: KeyPath, error: SystemExit) -> Fault:
    """The fault of a class that ends the process where it should be imported, or made."""
    culprit = ".".join(key) or "a class that it names"
    message = f"{culprit} runs code that ends the process ({_said(error)})"
    return Fault("error", message, None, profile.place(*key), profile.name, key)


def provider_class(profile: ResolvedProfile) -> object:
    """What the provider section names, where that can be told without building it."""
    name = profile.provider.get("class")
    try:
        with quiet():
            return _named(name, short=True) if isinstance(name, str) else None
    except (ProfileError, SystemExit):
        return None


def _named(name: str, *, short: bool) -> object:
    from dspy_profiles import plugins
    from dspy_profiles.objects import import_path

    found: object = name
    if short and "." not in name and ":" not in name:
        known = plugins.providers()
        if name not in known:
            raise ProviderError(
                f'there is no provider "{name}"',
                hint=f"short names are {', '.join(sorted(known))}; "
                "anything else is package.module.Class",
            )
        found = known[name]
    found = import_path(found) if isinstance(found, str) else found
    if not callable(found) and not short:
        raise InvalidProfile(f'"{name}" is not a class')
    return found


def _said(error: BaseException) -> str:
    if isinstance(error, Exception):
        return redacted_error(error)[0]
    return redact(f"{type(error).__name__}: {error}")
