"""Each reference of a profile, and whether it resolves. Values are not kept."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from dspy_profiles.config import KeyPath
from dspy_profiles.display import on_path
from dspy_profiles.errors import ProfileError, Untrusted
from dspy_profiles.profiles import (
    CLIENT_KEYS,
    UNSET_REASONS,
    Choice,
    Origin,
    ResolvedProfile,
    Scene,
    missing,
    own_variables,
    references,
    resolve_choice,
)
from dspy_profiles.secrets import Secret, names_in_files, variables_in

__all__ = ["SecretUse", "Status", "find_uses"]


class Status(Enum):
    """Whether a reference resolves, as `--json` shows it."""

    UNKNOWN = "not followed"
    OK = "ok"
    UNUSED = "unused"
    MISSING = "missing"
    PLAINTEXT = "in clear"
    ERROR = "error"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True)
class SecretUse:
    """A reference of a profile and its origin; for a plaintext secret, `reference` is None."""

    profile: str
    key: KeyPath
    reference: str | None
    is_secret: bool
    origin: Origin
    status: Status = Status.UNKNOWN
    source: str | None = None  # "environment", a .env file, "fallback", or a scheme
    message: str = ""
    hint: str | None = None


def find_uses(
    scene: Scene, names: Sequence[str], *, follow: bool
) -> tuple[list[SecretUse], list[tuple[str, ProfileError]]]:
    """Return the references of profiles, and an error for each that cannot be resolved.

    With `follow`, each reference is resolved once and its value dropped.
    """
    uses: list[SecretUse] = []
    errors: list[tuple[str, ProfileError]] = []
    sources = _variable_sources(scene) if follow else {}
    if follow:
        scene.load_env()
    for name in dict.fromkeys(names or scene.catalog.names()):
        choice = Choice(name, "from the command line")
        if names:
            scene.catalog.get(name, choice.reason)
        try:
            profile = resolve_choice(scene, choice, allow_plaintext=True)
        except ProfileError as error:
            errors.append((name, error))
            continue
        own = list(_uses_of(profile))
        uses += _followed(profile, own, sources) if follow else own
    return uses, errors


def _uses_of(profile: ResolvedProfile) -> Iterator[SecretUse]:
    for key, reference in dict.fromkeys(references(profile)):
        secret = key in profile.secret_keys
        yield SecretUse(profile.name, key, str(reference), secret, _origin(profile, key))
    for key in sorted(_plaintext_keys(profile, (), profile.values)):
        yield SecretUse(
            profile.name,
            key,
            None,
            True,
            _origin(profile, key),
            Status.PLAINTEXT,
            message="plaintext secret",
            hint="dspy-profiles secrets move",
        )


def _plaintext_keys(profile: ResolvedProfile, key: KeyPath, value: object) -> set[KeyPath]:
    if isinstance(value, Secret):
        return {key}
    if isinstance(value, dict):
        return set().union(*(_plaintext_keys(profile, (*key, k), v) for k, v in value.items()))
    if isinstance(value, list):
        return set().union(*(_plaintext_keys(profile, key, item) for item in value))
    return set()


def _origin(profile: ResolvedProfile, key: KeyPath) -> Origin:
    """Return the origin of a key, or of the list that holds it."""
    known = next(key[:n] for n in range(len(key), 0, -1) if key[:n] in profile.sources)
    return profile.origin(known)


def _variable_sources(scene: Scene) -> dict[str, str]:
    """Return what sets each variable, as it is before any `.env` file is loaded."""
    sources = dict.fromkeys(os.environ, "environment")
    for path in scene.env_files:
        for name in names_in_files([path]):
            sources.setdefault(name, str(path))
    return sources


def _followed(
    profile: ResolvedProfile, own: Sequence[SecretUse], sources: dict[str, str]
) -> Iterator[SecretUse]:
    with _variables_of(profile):
        for use in own:
            yield use if use.reference is None else _one(profile, use, use.reference, sources)


def _one(
    profile: ResolvedProfile, use: SecretUse, reference: str, sources: dict[str, str]
) -> SecretUse:
    if _is_unused(profile, use.key):
        return replace(use, status=Status.UNUSED, message="not used by the mock")

    def others(key: KeyPath) -> bool:
        length = min(len(key), len(use.key))
        return key[:length] != use.key[:length]

    try:
        unresolved = [m for m in missing(profile, skip=others) if m.key == use.key]
    except ProfileError as error:
        is_refused = isinstance(error, Untrusted)
        status = Status.UNTRUSTED if is_refused else Status.ERROR
        return replace(use, status=status, message=error.message, hint=error.hint)
    names = variables_in(reference) or [reference.partition(":")[2]]
    for each in unresolved:
        if each.name in names:
            hint = (
                f"export {each.name}, or add it to .env" if each.reason in UNSET_REASONS else None
            )
            message = f"{each.name} {each.reason}"
            return replace(use, status=Status.MISSING, message=message, hint=hint)
    source = _source(reference, sources)
    shown = on_path(Path(source)) if source and os.path.isabs(source) else source  # noqa: PTH117
    return replace(use, status=Status.OK, source=source, message=f"from {shown}" if shown else "")


def _source(reference: str, sources: dict[str, str]) -> str | None:
    names = variables_in(reference)
    if names:
        return ", ".join(dict.fromkeys(_variable_source(name, sources) for name in names))
    scheme, _, _ = reference.partition(":")
    return scheme or None


def _variable_source(name: str, sources: dict[str, str]) -> str:
    if name not in os.environ or not os.environ[name]:
        return "fallback"
    return sources.get(name, "profile's own env")


def _is_unused(profile: ResolvedProfile, key: KeyPath) -> bool:
    is_mock = profile.provider.get("class") == "mock"
    return is_mock and key[0] in ("lm", "lms") and key[-1] in CLIENT_KEYS


@contextmanager
def _variables_of(profile: ResolvedProfile) -> Iterator[None]:
    """Set the unset variables of the profile's [env] for the block, as an activation would."""
    added: list[str] = []
    try:
        for name, value in own_variables(profile, [])[0].items():
            if name not in os.environ:
                is_secret = isinstance(value, Secret)
                os.environ[name] = value.reveal() if is_secret else str(value)
                added.append(name)
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
