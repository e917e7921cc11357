"""The steps that go beyond a profile's text: its secrets, its classes, its objects."""

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dspy_profiles.activation import prepare
from dspy_profiles.cli.doctor import _packages
from dspy_profiles.cli.doctor._fault import Fault
from dspy_profiles.config import KeyPath
from dspy_profiles.display import word
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import UNSET_REASONS, Choice, ResolvedProfile, Scene, missing
from dspy_profiles.secrets import redacted_error

if TYPE_CHECKING:
    from dspy_profiles.objects import Built

__all__ = ["built", "failed_imports", "missing_secrets"]


def missing_secrets(profile: ResolvedProfile, *, can_import: bool) -> list[Fault]:
    """Every reference that leads nowhere; those that the provider has no use for do not count."""
    skip: Callable[[KeyPath], bool] | None = None
    if can_import and profile.provider:
        from dspy_profiles.objects import Provider

        skip = Provider(engine=_packages.provider_class(profile)).ignores
    try:
        gone = missing(profile, skip=skip)
    except ProfileError as error:
        return [Fault.told(error, profile.name)]
    found: dict[str, Fault] = {}
    for one in gone:
        hint = "export it, or put it into .env" if one.reason in UNSET_REASONS else None
        message = f"{one.name} {one.reason}"
        found.setdefault(message, Fault("error", message, hint, one.where, profile.name, one.key))
    return list(found.values())


def failed_imports(profile: ResolvedProfile, said: Sequence[Fault]) -> list[Fault]:
    """The classes that cannot be imported, but for those of which the file's reader said so."""
    wrong = {fault.key for fault in said if fault.severity == "error"}
    given = [name for name in ("provider", "adapter", "rm") if name in profile.values]
    sections = [name for name in given if (name, "class") not in wrong]
    faults = [_packages.import_fault(profile, section) for section in sections]
    return [fault for fault in faults if fault is not None]


def built(profile: ResolvedProfile, scene: Scene) -> "tuple[Built | None, list[Fault]]":
    """Every object that the profile describes, and what kept them from being made."""
    made, faults = None, []
    with _packages.quiet(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            made = _made(profile, scene)
        except ProfileError as error:
            faults.append(Fault.told(error, profile.name))
        except SystemExit as error:
            faults.append(_packages.ended(profile, (), error))
        except Exception as error:  # noqa: BLE001 - somebody's constructor raises what it likes
            faults.append(Fault("error", redacted_error(error)[0], None, None, profile.name))
    ours = [str(one.message) for one in said if f'profile "{profile.name}"' in str(one.message)]
    alone = f"look at it by itself: dspy-profiles doctor {word(profile.name)}"
    return made, faults + [Fault("warning", text, alone, None, profile.name) for text in ours]


def _made(profile: ResolvedProfile, scene: Scene) -> "Built | None":
    from dspy_profiles.objects import build_embedder, build_lm

    choice = Choice(profile.name, "from the command line")
    made = prepare(scene, choice, {}).built
    for role in profile.lms:
        build_lm(profile, role)
    if profile.embedder:
        build_embedder(profile)
    return made
