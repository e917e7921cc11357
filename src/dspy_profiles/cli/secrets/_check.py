"""Each reference of a profile, and whether it leads somewhere: the values go nowhere."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from dspy_profiles.config import KeyPath
from dspy_profiles.display import on_path
from dspy_profiles.errors import MissingSecret, ProfileError
from dspy_profiles.profiles import (
    CLIENT_KEYS,
    Choice,
    Origin,
    ResolvedProfile,
    Scene,
    fetch,
    missing,
    references,
    resolve_choice,
)
from dspy_profiles.secrets import Secret, load_env_files, names_in_files, variables_in

__all__ = ["Found", "Status", "look"]


class Status(Enum):
    """What became of a reference."""

    UNKNOWN = "not followed"
    OK = "ok"
    UNUSED = "unused"
    MISSING = "missing"
    CLEAR = "in clear"
    ERROR = "error"


@dataclass(frozen=True)
class Found:
    """A reference, or a secret in clear (then there is no reference), and where it is written."""

    profile: str
    key: KeyPath
    reference: str | None
    is_secret: bool
    origin: Origin
    status: Status = Status.UNKNOWN
    source: str | None = None  # "environment", a .env file, "fallback", or a scheme
    message: str = ""
    hint: str | None = None


def look(
    scene: Scene, names: Sequence[str], *, follow: bool
) -> tuple[list[Found], list[tuple[str, ProfileError]]]:
    """What profiles refer to; and those that cannot be resolved, with the reason."""
    found: list[Found] = []
    faults: list[tuple[str, ProfileError]] = []
    givers = _givers(scene) if follow else {}
    if follow:
        load_env_files(scene.env_files)
    for name in dict.fromkeys(names or scene.catalog.names()):
        choice = Choice(name, "from the command line")
        if names:
            scene.catalog.get(name, choice.reason)
        try:
            profile = resolve_choice(scene, choice, allow_plaintext=True)
        except ProfileError as error:
            faults.append((name, error))
            continue
        own = list(_of(profile))
        found += _followed(profile, own, givers) if follow else own
    return found, faults


def _of(profile: ResolvedProfile) -> Iterator[Found]:
    for key, reference in dict.fromkeys(references(profile)):
        secret = key in profile.secret_keys
        yield Found(profile.name, key, str(reference), secret, _origin(profile, key))
    for key in sorted(_in_clear(profile, (), profile.values)):
        message, hint = "a secret in clear", "dspy-profiles secrets move"
        origin = _origin(profile, key)
        yield Found(profile.name, key, None, True, origin, Status.CLEAR, message=message, hint=hint)


def _in_clear(profile: ResolvedProfile, key: KeyPath, value: object) -> set[KeyPath]:
    if isinstance(value, Secret):
        return {key}
    if isinstance(value, dict):
        return set().union(*(_in_clear(profile, (*key, k), v) for k, v in value.items()))
    if isinstance(value, list):
        return set().union(*(_in_clear(profile, key, item) for item in value))
    return set()


def _origin(profile: ResolvedProfile, key: KeyPath) -> Origin:
    """Where a key was written, or the list that it stands in."""
    known = next(key[:n] for n in range(len(key), 0, -1) if key[:n] in profile.sources)
    return profile.origin(known)


def _givers(scene: Scene) -> dict[str, str]:
    """Who has each variable, before any file is loaded."""
    found = dict.fromkeys(os.environ, "environment")
    for path in scene.env_files:
        for name in names_in_files([path]):
            found.setdefault(name, str(path))
    return found


def _followed(
    profile: ResolvedProfile, own: Sequence[Found], givers: dict[str, str]
) -> Iterator[Found]:
    with _variables_of(profile):
        for one in own:
            yield one if one.reference is None else _one(profile, one, one.reference, givers)


def _one(profile: ResolvedProfile, one: Found, reference: str, givers: dict[str, str]) -> Found:
    if _is_unused(profile, one.key):
        return replace(one, status=Status.UNUSED, message="the mock asks for none")

    def others(key: KeyPath) -> bool:
        length = min(len(key), len(one.key))
        return key[:length] != one.key[:length]

    try:
        gone = [m for m in missing(profile, skip=others) if m.key == one.key]
    except ProfileError as error:
        return replace(one, status=Status.ERROR, message=error.message, hint=error.hint)
    names = variables_in(reference) or [reference.partition(":")[2]]
    for each in gone:
        if each.name in names:
            unset = each.reason in ("is not set", "is set, but empty")
            hint = f"export {each.name}, or put it into .env" if unset else None
            message = f"{each.name} {each.reason}"
            return replace(one, status=Status.MISSING, message=message, hint=hint)
    source = _source(reference, givers)
    shown = on_path(Path(source)) if source and os.path.isabs(source) else source  # noqa: PTH117
    return replace(one, status=Status.OK, source=source, message=f"from {shown}" if shown else "")


def _source(reference: str, givers: dict[str, str]) -> str | None:
    names = variables_in(reference)
    if names:
        return ", ".join(dict.fromkeys(_giver(name, givers) for name in names))
    scheme, _, _ = reference.partition(":")
    return scheme or None


def _giver(name: str, givers: dict[str, str]) -> str:
    if name not in os.environ or not os.environ[name]:
        return "fallback"
    return givers.get(name, "profile's own env")


def _is_unused(profile: ResolvedProfile, key: KeyPath) -> bool:
    is_mock = profile.provider.get("class") == "mock"
    return is_mock and key[0] in ("lm", "lms") and key[-1] in CLIENT_KEYS


@contextmanager
def _variables_of(profile: ResolvedProfile) -> Iterator[None]:
    """With what the profile's [env] sets where it is unset, as an activation would have it."""
    made: list[str] = []
    try:
        try:
            wanted = fetch(profile, "env").get("env", {})
        except MissingSecret:
            wanted = {}
        for name, value in wanted.items():
            if name not in os.environ:
                is_secret = isinstance(value, Secret)
                os.environ[name] = value.reveal() if is_secret else str(value)
                made.append(name)
        yield
    finally:
        for name in made:
            os.environ.pop(name, None)
