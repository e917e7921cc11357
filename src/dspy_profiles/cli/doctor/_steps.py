"""The steps beyond a profile's text: its secrets, classes, objects and caches."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dspy_profiles.activation import NO_CALLS, prepare
from dspy_profiles.cli.doctor import _packages
from dspy_profiles.cli.doctor._problem import Problem
from dspy_profiles.config import KeyPath
from dspy_profiles.display import word
from dspy_profiles.errors import ProfileError, Untrusted
from dspy_profiles.profiles import (
    UNSET_REASONS,
    Choice,
    ResolvedProfile,
    Scene,
    demand_trust,
    missing,
)
from dspy_profiles.schema import cache_folder
from dspy_profiles.secrets import expand_user, redacted_error

if TYPE_CHECKING:
    from dspy_profiles.objects import Built

__all__ = ["built", "failed_imports", "missing_secrets", "untrusted", "unwritable"]

CACHE_VARIABLE = "DSPY_CACHEDIR"


def missing_secrets(profile: ResolvedProfile, *, can_import: bool) -> list[Problem]:
    """Return the references that do not resolve, except those that the provider ignores."""
    skip: Callable[[KeyPath], bool] | None = None
    if can_import and profile.provider:
        from dspy_profiles.objects import Provider

        skip = Provider(engine=_packages.provider_class(profile)).ignores
    try:
        unresolved = missing(profile, skip=skip)
    except ProfileError as error:
        return [Problem.from_error(error, profile.name)]
    problems: dict[str, Problem] = {}
    for one in unresolved:
        hint = f"export {one.name}, or add it to .env" if one.reason in UNSET_REASONS else None
        message = f"{one.name} {one.reason}"
        problems.setdefault(
            message, Problem("error", message, hint, one.where, profile.name, one.key)
        )
    return list(problems.values())


def untrusted(profile: ResolvedProfile) -> list[Problem]:
    """Return what a file that is not trusted would have us import or read."""
    try:
        demand_trust(profile, NO_CALLS)
    except Untrusted as error:
        return [Problem.from_error(error, profile.name)]
    return []


def failed_imports(profile: ResolvedProfile, known: Sequence[Problem]) -> list[Problem]:
    """Return the classes that cannot be imported, except those with a known error."""
    wrong = {problem.key for problem in known if problem.severity == "error"}
    present = [name for name in ("provider", "adapter", "rm") if name in profile.values]
    sections = [name for name in present if (name, "class") not in wrong]
    problems = [_packages.import_problem(profile, section) for section in sections]
    return [problem for problem in problems if problem is not None]


def built(profile: ResolvedProfile, scene: Scene) -> "tuple[Built | None, list[Problem]]":
    """Build every object of a profile. Return its objects, and the problems."""
    objects, problems = None, []
    with _packages.quiet(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            objects = _build(profile, scene)
        except ProfileError as error:
            problems.append(Problem.from_error(error, profile.name))
        except SystemExit as error:
            problems.append(_packages.exit_problem(profile, (), error))
        except Exception as error:  # noqa: BLE001 - a constructor may raise anything
            problems.append(Problem("error", redacted_error(error)[0], None, None, profile.name))
    own = [str(one.message) for one in caught if f'profile "{profile.name}"' in str(one.message)]
    hint = f"check it alone: dspy-profiles doctor {word(profile.name)}"
    return objects, problems + [Problem("warning", text, hint, None, profile.name) for text in own]


def _build(profile: ResolvedProfile, scene: Scene) -> "Built | None":
    from dspy_profiles.objects import build_embedder, build_lm

    choice = Choice(profile.name, "from the command line")
    objects = prepare(scene, choice, {}, mode="check").built
    for role in profile.lms:
        build_lm(profile, role)
    if profile.embedder:
        build_embedder(profile)
    return objects


def unwritable(profile: ResolvedProfile) -> Iterator[Problem]:
    """Yield a warning for each cache folder that is not writable: DSPy's, and ours."""
    value = profile.env.get(CACHE_VARIABLE)
    path = os.environ.get(CACHE_VARIABLE) or (value if isinstance(value, str) else None)
    dspys = Path(path) if path else expand_user("~/.dspy_cache")
    hint = "check its permissions"
    folders = [("DSPy", dspys, f"{hint}, or set {CACHE_VARIABLE} to another folder")]
    own = cache_folder()
    if own is not None:
        folders.append(("dspy-profiles", Path(own), hint))
    for owner, folder, hint in folders:
        if "${" not in str(folder) and not _is_writable(folder):
            message = f"cache folder of {owner} is not writable: {folder}"
            yield Problem("warning", message, hint, None, profile.name)


def _is_writable(folder: Path) -> bool:
    """Return whether a folder is writable, or could be created. Creates nothing."""
    for path in (folder, *folder.parents):
        if os.path.lexists(path):
            return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    return False
