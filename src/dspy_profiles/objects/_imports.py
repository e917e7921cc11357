"""Import the objects that profiles name, which runs their code."""

import importlib
import importlib.util
import sys

from dspy_profiles.config import PROFILES_FILE, Locations, trusts
from dspy_profiles.errors import ProviderError, did_you_mean
from dspy_profiles.secrets import redacted_error

__all__ = ["import_path", "make_importable"]


def make_importable(locations: Locations) -> None:
    """Append the project's folders to Python's path, after everything installed.

    Not before the project is trusted: any module that is missing would be taken from there.
    """
    file = locations.named_file or locations.project_file or locations.root / PROFILES_FILE
    folders = {str(locations.cwd): None, str(locations.root): None}
    new = [folder for folder in folders if folder not in sys.path]
    if new and trusts(file):
        sys.path.extend(new)


def import_path(text: str) -> object:
    """Import `pkg.mod.Name` or `pkg.mod:Name`. Raise ProviderError if that fails."""
    module_name, colon, attributes = text.partition(":")
    if not all(part.isidentifier() for part in text.replace(":", ".").split(".")):
        raise ProviderError(f'"{text}" is not an import path', hint="write package.module.Class")
    if colon:
        found: object = _import(module_name, text)
        for name in attributes.split("."):
            found = _attribute(found, name, text)
        return found
    first, *rest = text.split(".")
    found = _import(first, text)
    so_far = first
    for name in rest:
        so_far = f"{so_far}.{name}"
        if not hasattr(found, name) and _is_module(so_far):
            _import(so_far, text)
        found = _attribute(found, name, text)
    return found


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _import(name: str, text: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ProviderError(
                f'"{text}" cannot be imported: module "{error.name}" not found',
                hint=_near_dspy(text) or "install it, or run in the folder that contains it",
            ) from None
        reason, cause = redacted_error(error)
    except Exception as error:  # noqa: BLE001 - a module can raise anything
        reason, cause = redacted_error(error)
    raise ProviderError(
        f'"{text}" cannot be imported: {name} raised {reason}',
        hint=f"python -c 'import {name}'",
    ) from cause


def _near_dspy(text: str) -> str | None:
    """Return a hint if DSPy has a name that was written without its module."""
    dspy = sys.modules.get("dspy")
    is_dspy = "." not in text and dspy is not None and hasattr(dspy, text)
    return f'did you mean "dspy.{text}"?' if is_dspy else None


def _installed(text: str) -> str | None:
    """Return a hint for a name that another DSPy may have."""
    if text.partition(".")[0] != "dspy":
        return None
    return f"DSPy {getattr(sys.modules.get('dspy'), '__version__', '')} is installed"


def _attribute(holder: object, name: str, text: str) -> object:
    try:
        return getattr(holder, name)
    except AttributeError:
        where = getattr(holder, "__name__", holder)
        raise ProviderError(
            f'"{text}" cannot be imported: {where} has no "{name}"',
            hint=did_you_mean(name, dir(holder)) or _installed(text),
        ) from None
