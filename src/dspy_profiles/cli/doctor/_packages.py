"""Whether the classes of a profile can be imported. This runs their modules."""

import importlib
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import metadata
from io import StringIO

from dspy_profiles.cli.doctor._problem import Problem
from dspy_profiles.config import KeyPath
from dspy_profiles.errors import InvalidProfile, ProfileError, ProviderError
from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.secrets import redact, redacted_error

__all__ = ["dspy_problem", "exit_problem", "import_problem", "provider_class", "quiet"]

OWN = "dspy-profiles"
LIMIT = re.compile(r"(>=|<)\s*([\d.]+)")


@contextmanager
def quiet() -> Iterator[None]:
    """Drop everything that imported code prints, logs or warns about.

    It would make JSON invalid, and may contain a secret.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def dspy_problem() -> Problem | None:
    """Return a problem if DSPy is missing, not supported, or cannot be imported."""
    try:
        version = metadata.version("dspy")
    except metadata.PackageNotFoundError:
        version = None
    limits = _limits()
    if version is not None and not _within(version, limits):
        wanted = ",".join(f"{sign}{number}" for sign, number in limits)
        return Problem("error", f"DSPy {version} is not supported", f"pip install 'dspy{wanted}'")
    try:
        with quiet():
            importlib.import_module("dspy")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an import may raise anything
        traceback = "python -c 'import dspy' prints the traceback"
        hint = "pip install dspy" if version is None else traceback
        return Problem("error", f"DSPy cannot be imported: {_text(error)}", hint)
    return None


def _limits() -> list[tuple[str, str]]:
    """Return the versions of DSPy that this package requires."""
    try:
        needs = metadata.requires(OWN) or []
    except metadata.PackageNotFoundError:
        return []
    own = next((need for need in needs if re.match(r"dspy\s*[<>=(]", need)), "")
    return sorted(LIMIT.findall(own), reverse=True)


def _within(version: str, limits: list[tuple[str, str]]) -> bool:
    number = _numbers(version)
    return all(
        (number >= _numbers(limit)) if sign == ">=" else (number < _numbers(limit))
        for sign, limit in limits
    )


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, release[0].split("."))) if release else ()


def import_problem(profile: ResolvedProfile, section: str) -> Problem | None:
    """Return a problem if the class of a section cannot be imported."""
    name = profile.values[section].get("class")
    if not isinstance(name, str) or "${" in name:
        return None
    try:
        with quiet():
            _imported(name, short=section == "provider")
    except ProfileError as error:
        error.where = error.where or profile.place(section, "class")
        return Problem.from_error(error, profile.name, (section, "class"))
    except SystemExit as error:
        return exit_problem(profile, (section, "class"), error)
    return None


def exit_problem(profile: ResolvedProfile, key: KeyPath, error: SystemExit) -> Problem:
    """Return the problem of a class that calls `sys.exit` when imported or built."""
    culprit = ".".join(key) or "a class of the profile"
    message = f"{culprit} exits the process ({_text(error)})"
    return Problem("error", message, None, profile.place(*key), profile.name, key)


def provider_class(profile: ResolvedProfile) -> object:
    """Return the provider's class without building it; None if it cannot be imported."""
    name = profile.provider.get("class")
    try:
        with quiet():
            return _imported(name, short=True) if isinstance(name, str) else None
    except (ProfileError, SystemExit):
        return None


def _imported(name: str, *, short: bool) -> object:
    from dspy_profiles import plugins
    from dspy_profiles.objects import import_path

    target: object = name
    if short and "." not in name and ":" not in name:
        known = plugins.providers()
        if name not in known:
            raise ProviderError(
                f'unknown provider "{name}"',
                hint=f"use {', '.join(sorted(known))} or package.module.Class",
            )
        target = known[name]
    target = import_path(target) if isinstance(target, str) else target
    if not callable(target) and not short:
        raise InvalidProfile(f'"{name}" is not a class')
    return target


def _text(error: BaseException) -> str:
    if isinstance(error, Exception):
        return redacted_error(error)[0]
    return redact(f"{type(error).__name__}: {error}")
